"""Field sections of requests to an upstream that speaks HTTP/2, and of its responses (RFC 9113
section 8).

Rule 1: A response with a missing, repeated, unknown or misplaced pseudo-header, a name in upper
        case or a connection-specific field is `Malformed`: an error of its stream alone.
Rule 2: Nothing is written of a request that has a fault: `SentinelError`, as with HTTP/1.1.
Rule 3: C reads and checks what is ordinary in one pass (``host/native/section``). For everything
        else the rules are here.
"""

from __future__ import annotations

from typing import Final

from sentinel_host.errors import SentinelError
from sentinel_host.grammar import CONNECTION_SPECIFIC, MAX_LENGTH_DIGITS, is_field_name, is_target, is_token
from sentinel_host.http.client.head import MAX_FIELDS
from sentinel_host.http.client.request import EXPECTS_BODY, UpstreamRequest
from sentinel_host.http.field_section import Fields, Malformed, check_values
from sentinel_host.http.server._section import are_ordinary_trailers, ordinary_response, pseudo_headers
from sentinel_host.http.server.response_fields import response_section
from sentinel_host.memo import Memo

# Compiled, a name of another module is looked up each time.
_pseudo_headers: Final = pseudo_headers
_ordinary: Final = ordinary_response
_are_ordinary: Final = are_ordinary_trailers

_PLAIN: Final = 0
_LENGTH: Final = 1
_FORBIDDEN: Final = 2
_SPECIAL: Final = {
    b"content-length": _LENGTH,
    **dict.fromkeys(CONNECTION_SPECIFIC, _FORBIDDEN),
}
# Names seen to be well-formed: upstreams make names.
_KINDS: Final[Memo[bytes, int]] = Memo(1024, 64, _SPECIAL)


def request_section(request: UpstreamRequest, scheme: bytes) -> Fields:
    """The fields of a request's head. Raises `SentinelError` for what must not be written."""
    body = request.body
    if not isinstance(body, bytes):
        length = -1 if request.content_length is None else request.content_length
    else:
        length = len(body) if body or request.method in EXPECTS_BODY else -1
    fields = _pseudo_headers(request.method, scheme, request.host, request.target)
    if fields is None:
        fields = _judged_pseudo_headers(request, scheme)
    try:
        fields += response_section(request.headers)
    except ValueError as error:
        raise SentinelError(f"request head for the upstream: {error}") from None
    if request.takes_trailers:
        fields.append((b"te", b"trailers"))
    if length >= 0:
        fields.append((b"content-length", b"%d" % length))
    return fields


def _judged_pseudo_headers(request: UpstreamRequest, scheme: bytes) -> Fields:
    """Raises `SentinelError`."""
    if is_token(request.method) is None or is_target(request.target) is None:
        raise SentinelError("request head for the upstream: a malformed method or target")
    fields: Fields = [
        (b":method", request.method),
        (b":scheme", scheme),
        (b":authority", request.host),
        (b":path", request.target),
    ]
    try:
        check_values(fields)
    except Malformed as error:
        raise SentinelError(f"request head for the upstream: {error}") from None
    return fields


def request_trailers(trailers: Fields) -> Fields:
    """The fields of a request's trailers. Raises `SentinelError` for what must not be written."""
    try:
        return response_section(trailers, trailers=True)
    except ValueError as error:
        raise SentinelError(f"request trailers for the upstream: {error}") from None


def read_response(fields: Fields) -> tuple[int, Fields, int]:
    """The status of a response's section, the fields after it, and the Content-Length or -1. Raises
    `Malformed`.
    """
    ordinary = _ordinary(fields, MAX_FIELDS)
    return judged_response(fields) if ordinary is None else ordinary


def judged_response(fields: Fields) -> tuple[int, Fields, int]:
    """The same for any section, by all rules."""
    status = _read_status(fields)
    headers, length = _read_headers(fields)
    return status, headers, length


def _read_status(fields: Fields) -> int:
    if not fields or fields[0][0] != b":status":
        raise Malformed("the response has no status")
    value = fields[0][1]
    if len(value) != 3 or not value.isdigit() or value < b"100":
        raise Malformed("the response's status is not one")
    return int(value)


def _read_headers(fields: Fields) -> tuple[Fields, int]:
    regular = fields[1:]
    if len(regular) > MAX_FIELDS:
        raise Malformed(f"the response head has more than {MAX_FIELDS} fields")
    check_values(regular)
    kinds = _KINDS.known
    length = -1
    for name, value in regular:
        kind = kinds.get(name)
        if kind is None:
            if is_field_name(name) is None:
                raise Malformed("a malformed header name, or a pseudo-header out of place")
            _KINDS.keep(name, _PLAIN)
        elif kind == _LENGTH:
            if length >= 0 or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
                raise Malformed("the response has more than one Content-Length, or a malformed one")
            length = int(value)
        elif kind == _FORBIDDEN:
            raise Malformed("the response has a connection-specific field")
    return regular, length


def read_trailers(fields: Fields) -> Fields:
    """Trailer fields. Raises `Malformed`."""
    if len(fields) > MAX_FIELDS:
        raise Malformed(f"the response has more than {MAX_FIELDS} trailer fields")
    if _are_ordinary(fields):
        return fields
    check_values(fields)
    for name, _ in fields:
        if is_field_name(name) is None or _SPECIAL.get(name, _PLAIN):
            raise Malformed("the response has a trailer that is none")
    return fields
