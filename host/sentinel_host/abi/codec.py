"""The records of ``wit/types.wit`` in MessagePack, by the rules of ``wit/ABI.md`` section 3.

What goes to guests is encoded from our own values and cannot be wrong. What comes from guests is hostile until it has
passed here, therefore:

Rule 1: every decoder raises `AbiError` and nothing else, whatever the bytes.
Rule 2: a value that leaves a decoder is safe to put on a socket: tokens are tokens, values hold no control characters,
        statuses are in range, and no name is one that the gateway owns.
Rule 3: counts and sizes are bounded by `AnswerLimits` before anything is built from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgpack
import msgspec

from sentinel_host.messages import (
    SKIP,
    Answer,
    BodyKind,
    BodyMode,
    Edit,
    HeaderEdit,
    Headers,
    HeldRequest,
    HeldResponse,
    OutboundRequest,
    RequestAction,
    RequestBodyAction,
    RequestEdits,
    RequestHead,
    Response,
    ResponseAction,
    ResponseBodyAction,
    ResponseEdits,
    ResponseHead,
    Summary,
)
from sentinel_host.paths import STRICT, PathRule, is_query


class AbiError(ValueError):
    """A guest's answer breaks the contract; the text says how."""


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """How large one answer of a guest may be, and which paths it may choose.

    Precedent: common servers take heads of 100 fields and 8 to 64 KiB.
    """

    edits: int = 128
    header_bytes: int = 65536
    context_bytes: int = 65536
    paths: PathRule = STRICT


DEFAULT_LIMITS: Final = AnswerLimits()

NIL: Final = b"\xc0"

# RFC 9110 section 7.6.1 and 6.6.1, and RFC 9112: fields that describe the connection or the framing, which the gateway
# writes by itself. Host is here because the route and the upstream decide it.
GATEWAY_OWNED: Final = frozenset(
    (
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search

# A guest names the same few headers for ever, so that one look-up replaces validation and encoding. Bounded, because
# the names are a guest's choice: beyond the bound they are validated each time.
_KNOWN_NAMES_MAX: Final = 1024
_known_names: dict[str, bytes] = {}
_decoded_names: dict[bytes, str] = {}

# Several times as fast as the packer of msgpack, which stays for what it alone can do: decoding within limits.
_pack: Final = msgspec.msgpack.Encoder().encode


def encode_config(config: dict[str, Any]) -> bytes:
    """The one MessagePack map that ``configure`` gets; dates and times become RFC 3339 text."""
    packer = msgpack.Packer(use_bin_type=True, default=_config_default)
    data: bytes = packer.pack(config)
    return data


def encode_request_head(head: RequestHead) -> bytes:
    """``request-head`` for ``on-request``."""
    return _pack(
        (
            head.method,
            head.path,
            head.query,
            _encode_headers(head.headers),
            head.scheme,
            head.authority,
            head.client,
            head.request_id,
            head.route,
            head.http_version,
        )
    )


def encode_response_head(head: ResponseHead) -> bytes:
    """``response-head`` for ``on-response``."""
    return _pack((head.status, _encode_headers(head.headers), head.origin))


def encode_summary(summary: Summary) -> bytes:
    """``summary`` for ``on-complete``."""
    return _pack(
        (
            summary.request_id,
            summary.method,
            summary.path,
            summary.query,
            summary.route,
            summary.authority,
            summary.client,
            summary.http_version,
            summary.started_at,
            summary.duration,
            summary.status,
            summary.request_bytes,
            summary.response_bytes,
            summary.outcome,
            summary.origin,
            summary.upstream,
            summary.upstream_duration,
        )
    )


def decode_request_action(data: bytes, limits: AnswerLimits = DEFAULT_LIMITS) -> RequestAction | None:
    """What ``on-request`` answered; ``None`` stands for "go on, no change".

    Raises `AbiError`.
    """
    variant = _unpack(data)
    if variant is None:
        return None
    case, payload = _case(variant, "request-action", 2)
    if case == 0:
        return _request_edits(payload, limits)
    fields = _record(payload, "answer", 1)
    context = fields[1] if len(fields) > 1 else b""
    return Answer(_response(fields[0], limits), _context(context, limits))


def decode_response_action(data: bytes, limits: AnswerLimits = DEFAULT_LIMITS) -> ResponseAction | None:
    """What ``on-response`` answered; ``None`` stands for "go on, no change".

    Raises `AbiError`.
    """
    variant = _unpack(data)
    if variant is None:
        return None
    case, payload = _case(variant, "response-action", 2)
    return _response_edits(payload, limits) if case == 0 else _response(payload, limits)


def decode_request_body_action(data: bytes, limits: AnswerLimits = DEFAULT_LIMITS) -> RequestBodyAction | None:
    """What ``on-request-chunk`` answered; ``None`` stands for "pass it on unchanged".

    Raises `AbiError`.
    """
    variant = _unpack(data)
    if variant is None:
        return None
    case, payload = _case(variant, "request-body-action", 3)
    if case == 0:
        return _chunk(payload)
    if case == 1:
        return _response(payload, limits)
    fields = _record(payload, "held-request", 1)
    return HeldRequest(_request_edits(fields[0], limits), _held_chunk(fields))


def decode_response_body_action(data: bytes, limits: AnswerLimits = DEFAULT_LIMITS) -> ResponseBodyAction | None:
    """What ``on-response-chunk`` answered; ``None`` stands for "pass it on unchanged".

    Raises `AbiError`.
    """
    variant = _unpack(data)
    if variant is None:
        return None
    case, payload = _case(variant, "response-body-action", 3)
    if case == 0:
        return _chunk(payload)
    if case == 1:
        return _response(payload, limits)
    fields = _record(payload, "held-response", 1)
    return HeldResponse(_response_edits(fields[0], limits), _held_chunk(fields))


def decode_outbound_request(data: bytes, limits: AnswerLimits = DEFAULT_LIMITS) -> OutboundRequest:
    """What a guest asks an HTTP service. Its URL is only known to be text.

    Raises `AbiError`.
    """
    fields = _record(_unpack(data), "outbound-request", 2)
    method, url = _method(fields[0]), _text(fields[1], "url")
    if method is None or url is None:
        raise AbiError("outbound-request: method and url are required")
    headers = _fields(fields[2], "outbound-request", limits) if len(fields) > 2 else []
    body = _chunk(fields[3]) if len(fields) > 3 else b""
    timeout = fields[4] if len(fields) > 4 else None
    if timeout is not None and (type(timeout) is not int or not 0 <= timeout < 1 << 32):
        raise AbiError("timeout: expected a u32 or nil")
    return OutboundRequest(method, url, headers, body, timeout)


def encode_response(status: int, headers: Headers, body: bytes) -> bytes:
    """``response``, as an HTTP service answers a guest."""
    return _pack((status, _encode_headers(headers), body))


def _config_default(value: object) -> str:
    isoformat = getattr(value, "isoformat", None)
    if isoformat is None:
        raise TypeError(f"a configuration cannot hold {type(value).__name__}")
    return str(isoformat())


def _encode_headers(headers: Headers) -> list[tuple[str, bytes]]:
    known = _decoded_names
    return [(known.get(name) or _decode_name(name), value) for name, value in headers]


def _decode_name(name: bytes) -> str:
    text = name.decode("ascii")
    if len(_decoded_names) < _KNOWN_NAMES_MAX:
        _decoded_names[name] = text
    return text


def _unpack(data: bytes) -> Any:
    if not data or data == NIL:
        return None
    try:
        return msgpack.unpackb(data, raw=False, max_array_len=1024, max_map_len=1024)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise AbiError(f"answer is not MessagePack: {str(error) or type(error).__name__}") from None


def _case(value: Any, what: str, cases: int) -> tuple[int, Any]:
    if type(value) is not list or not value or type(value[0]) is not int:
        raise AbiError(f"{what}: expected [case, payload]")
    if not 0 <= value[0] < cases:
        raise AbiError(f"{what}: unknown case {value[0]}")
    return value[0], value[1] if len(value) > 1 else []


def _record(value: Any, what: str, required: int) -> list[Any]:
    if type(value) is not list:
        raise AbiError(f"{what}: expected an array of fields")
    if len(value) < required:
        raise AbiError(f"{what}: {required} fields are required, got {len(value)}")
    return value


def _request_edits(value: Any, limits: AnswerLimits) -> RequestEdits:
    fields = _record(value, "request-edits", 0)
    edits = RequestEdits()
    count = len(fields)
    if count > 0:
        edits.headers = _edits(fields[0], limits)
    if count > 1:
        edits.context = _context(fields[1], limits)
    if count > 2:
        edits.path = _path(fields[2], limits)
    if count > 3:
        edits.query = _query(fields[3])
    if count > 4:
        edits.method = _method(fields[4])
    if count > 5:
        edits.upstream = _text(fields[5], "upstream")
    if count > 6:
        edits.body = _body_mode(fields[6])
    return edits


def _response_edits(value: Any, limits: AnswerLimits) -> ResponseEdits:
    fields = _record(value, "response-edits", 0)
    edits = ResponseEdits()
    count = len(fields)
    if count > 0:
        edits.headers = _edits(fields[0], limits)
    if count > 1 and fields[1] is not None:
        edits.status = _status(fields[1])
    if count > 2:
        edits.body = _body_mode(fields[2])
    return edits


def _chunk(value: Any) -> bytes:
    if type(value) is not bytes:
        raise AbiError("chunk: expected bin")
    return value


def _held_chunk(fields: list[Any]) -> bytes | None:
    return _chunk(fields[1]) if len(fields) > 1 and fields[1] is not None else None


def _response(value: Any, limits: AnswerLimits) -> Response:
    status, fields, body = _record(value, "response", 3)[:3]
    headers = _fields(fields, "response", limits)
    if type(body) is not bytes:
        raise AbiError("response: body: expected bin")
    return Response(_status(status), headers, body)


def _fields(value: Any, what: str, limits: AnswerLimits) -> Headers:
    if type(value) is not list:
        raise AbiError(f"{what}: headers: expected an array")
    headers: Headers = []
    size = 0
    for entry in _bounded(value, limits):
        name, data = _header(entry)
        size += len(name) + len(data)
        headers.append((name, data))
    _check_size(size, limits)
    return headers


def _edits(value: Any, limits: AnswerLimits) -> list[HeaderEdit]:
    if type(value) is not list:
        raise AbiError("edits: headers: expected an array")
    edits: list[HeaderEdit] = []
    size = 0
    for entry in _bounded(value, limits):
        case, payload = _case(entry, "header-edit", 3)
        if case == Edit.REMOVE:
            edits.append((case, _name(payload), b""))
        else:
            name, data = _header(payload)
            size += len(name) + len(data)
            edits.append((case, name, data))
    _check_size(size, limits)
    return edits


def _bounded(entries: list[Any], limits: AnswerLimits) -> Iterable[Any]:
    if len(entries) > limits.edits:
        raise AbiError(f"{len(entries)} headers or edits, at most {limits.edits} are allowed")
    return entries


def _check_size(size: int, limits: AnswerLimits) -> None:
    if size > limits.header_bytes:
        raise AbiError(f"{size} bytes of headers, at most {limits.header_bytes} are allowed")


def _header(value: Any) -> tuple[bytes, bytes]:
    if type(value) is not list or len(value) < 2:
        raise AbiError("header: expected [name, value]")
    name = _name(value[0])
    data = value[1]
    if type(data) is not bytes:
        raise AbiError(f"header {value[0]}: value: expected bin")
    if _CONTROL(data):
        raise AbiError(f"header {value[0]}: value holds a control character")
    return name, data.strip(b" \t")


def _name(value: Any) -> bytes:
    if type(value) is not str:
        raise AbiError("header: name: expected str")
    known = _known_names.get(value)
    if known is not None:
        return known
    if not _NAME(value):
        raise AbiError(f"header: name {value[:64]!r} is not a lower-case token")
    if value in GATEWAY_OWNED:
        raise AbiError(f"header {value}: the gateway owns it, a guest may not touch it")
    name = value.encode("ascii")
    if len(_known_names) < _KNOWN_NAMES_MAX and len(name) <= 64:
        _known_names[value] = name
    return name


def _status(value: Any) -> int:
    if type(value) is not int or not 200 <= value <= 599:
        raise AbiError(f"status {value!r:.32} is not in 200 to 599")
    return value


def _context(value: Any, limits: AnswerLimits) -> bytes:
    if type(value) is not bytes:
        raise AbiError("context: expected bin")
    if len(value) > limits.context_bytes:
        raise AbiError(f"context of {len(value)} bytes, at most {limits.context_bytes} are allowed")
    return value


def _text(value: Any, what: str) -> str | None:
    if value is not None and type(value) is not str:
        raise AbiError(f"{what}: expected str or nil")
    return value


def _path(value: Any, limits: AnswerLimits) -> str | None:
    path = _text(value, "path")
    if path is not None and not limits.paths.is_canonical(path):
        raise AbiError(f"path {path[:64]!r} is not canonical")
    return path


def _query(value: Any) -> str | None:
    query = _text(value, "query")
    if query is not None and not is_query(query):
        raise AbiError(f"query {query[:64]!r} holds characters that a query may not")
    return query


def _method(value: Any) -> str | None:
    method = _text(value, "method")
    if method is not None and (not _TOKEN(method) or method == "CONNECT"):
        raise AbiError(f"method {method[:64]!r} is not a token that may be forwarded")
    return method


def _body_mode(value: Any) -> BodyMode:
    case, payload = _case(value, "body-mode", 3)
    if case != BodyKind.BUFFER:
        return SKIP if case == BodyKind.SKIP else BodyMode(BodyKind.STREAM)
    if type(payload) is not int or not 0 <= payload < 1 << 32:
        raise AbiError("body-mode: buffer: expected a u32")
    return BodyMode(BodyKind.BUFFER, payload)
