"""The records that guests answer with, in MessagePack, by the rules of ``wit/ABI.md`` section 3.

An answer is hostile until it has passed here, therefore:

Rule 1: every decoder raises `AbiError` and nothing else, whatever the bytes.
Rule 2: a value that leaves a decoder is safe to put on a socket: tokens are tokens, values hold no
        control characters, statuses are in range, and no name is one that the gateway owns.
        ``rules`` holds the single values to that.
Rule 3: counts and sizes are bounded by `AnswerLimits` before anything is built from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgpack

from sentinel_host.abi.rules import (
    DEFAULT_LIMITS,
    AbiError,
    AnswerLimits,
    checked_chunk,
    checked_context,
    checked_header,
    checked_header_name,
    checked_method,
    checked_path,
    checked_query,
    checked_status,
    checked_text,
)
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
    Response,
    ResponseAction,
    ResponseBodyAction,
    ResponseEdits,
)

_NIL: Final = b"\xc0"


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
    return Answer(_response(fields[0], limits), checked_context(context, limits))


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
        return checked_chunk(payload)
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
        return checked_chunk(payload)
    if case == 1:
        return _response(payload, limits)
    fields = _record(payload, "held-response", 1)
    return HeldResponse(_response_edits(fields[0], limits), _held_chunk(fields))


def decode_outbound_request(data: bytes, limits: AnswerLimits = DEFAULT_LIMITS) -> OutboundRequest:
    """What a guest asks an HTTP service. Its URL is only known to be text.

    Raises `AbiError`.
    """
    fields = _record(_unpack(data), "outbound-request", 2)
    method, url = checked_method(fields[0]), checked_text(fields[1], "url")
    if method is None or url is None:
        raise AbiError("outbound-request: method and url are required")
    headers = _fields(fields[2], "outbound-request", limits) if len(fields) > 2 else []
    body = checked_chunk(fields[3]) if len(fields) > 3 else b""
    timeout = fields[4] if len(fields) > 4 else None
    if timeout is not None and (type(timeout) is not int or not 0 <= timeout < 1 << 32):
        raise AbiError("timeout: expected a u32 or nil")
    return OutboundRequest(method, url, headers, body, timeout)


def _unpack(data: bytes) -> Any:
    if not data or data == _NIL:
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
        edits.context = checked_context(fields[1], limits)
    if count > 2:
        edits.path = checked_path(fields[2], limits)
    if count > 3:
        edits.query = checked_query(fields[3])
    if count > 4:
        edits.method = checked_method(fields[4])
    if count > 5:
        edits.upstream = checked_text(fields[5], "upstream")
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
        edits.status = checked_status(fields[1])
    if count > 2:
        edits.body = _body_mode(fields[2])
    return edits


def _held_chunk(fields: list[Any]) -> bytes | None:
    return checked_chunk(fields[1]) if len(fields) > 1 and fields[1] is not None else None


def _response(value: Any, limits: AnswerLimits) -> Response:
    status, fields, body = _record(value, "response", 3)[:3]
    headers = _fields(fields, "response", limits)
    if type(body) is not bytes:
        raise AbiError("response: body: expected bin")
    return Response(checked_status(status), headers, body)


def _body_mode(value: Any) -> BodyMode:
    case, payload = _case(value, "body-mode", 3)
    if case != BodyKind.BUFFER:
        return SKIP if case == BodyKind.SKIP else BodyMode(BodyKind.STREAM)
    if type(payload) is not int or not 0 <= payload < 1 << 32:
        raise AbiError("body-mode: buffer: expected a u32")
    return BodyMode(BodyKind.BUFFER, payload)


def _fields(value: Any, what: str, limits: AnswerLimits) -> Headers:
    if type(value) is not list:
        raise AbiError(f"{what}: headers: expected an array")
    headers: Headers = []
    size = 0
    for entry in _bounded(value, limits):
        name, data = checked_header(entry)
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
            edits.append((case, checked_header_name(payload), b""))
        else:
            name, data = checked_header(payload)
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
