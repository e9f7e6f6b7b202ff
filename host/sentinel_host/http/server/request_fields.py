"""Which field sections are accepted as requests on HTTP/2 and HTTP/3 (RFC 9113 section 8, RFC 9114
section 4).

Rule 1: What is no message (a missing, repeated, unknown or misplaced pseudo-header, a name in upper
        case, a connection-specific field, CR, LF, NUL) is `Malformed`: the stream is reset. What is
        a message and asks for something that is not served gets an answer. Either way the
        connection's other streams live.
Rule 2: Nothing is normalised: a method keeps its case, a path its spaces until it is refused for
        them, and a Host that differs from ``:authority`` is seen.
Rule 3: The count of fields has the limit of HTTP/1. The crumbs of a cookie become one field, as
        recipients of other versions expect them (RFC 9113 section 8.2.3).
Rule 4: C reads what is ordinary in one pass (``host/native/section``). For everything else it
        leaves the judgement to `judged_request`, which has all rules.
"""

from __future__ import annotations

from typing import Final

from sentinel_host.errors import ClientError
from sentinel_host.grammar import (
    CONNECTION_SPECIFIC,
    MAX_LENGTH_DIGITS,
    is_authority,
    is_field_name,
    is_protocol,
    is_target,
    is_token,
    without_empty_port,
)
from sentinel_host.http.field_section import Fields, Malformed, check_values
from sentinel_host.http.methods import METHODS
from sentinel_host.http.server._section import ordinary_request
from sentinel_host.memo import Memo

# What is to be done with a field.
_PLAIN: Final = 0
_HOST: Final = 1
_LENGTH: Final = 2
_TE: Final = 3
_EXPECT: Final = 4
_FORBIDDEN: Final = 5
_COOKIE: Final = 6
_SPECIAL: Final = {
    b"host": _HOST,
    b"content-length": _LENGTH,
    b"te": _TE,
    b"expect": _EXPECT,
    b"cookie": _COOKIE,
    **dict.fromkeys(CONNECTION_SPECIFIC, _FORBIDDEN),
}
# Names seen to be well-formed: clients make names.
_KINDS: Final[Memo[bytes, int]] = Memo(1024, 64, _SPECIAL)
# Compiled, a name of another module is looked up each time.
_ordinary: Final = ordinary_request
_SCHEMES: Final = {b"http": "http", b"https": "https"}


class RequestFields:
    """A request's head, from its field section.

    ``length`` is the Content-Length or -1; ``protocol`` is extended CONNECT's (RFC 8441) or empty.
    ``headers`` begin with ``host``, whichever way the authority was said. ``scheme`` is ``http`` or
    ``https``.
    """

    __slots__ = ("expects", "headers", "length", "method", "protocol", "scheme", "target")

    def __init__(self, method: str, target: bytes, scheme: str, headers: Fields, length: int) -> None:
        self.method = method
        self.target = target
        self.scheme = scheme
        self.headers = headers
        self.length = length
        self.protocol = b""
        self.expects = False


def request_fields(fields: Fields, max_fields: int) -> RequestFields:
    """The head that a field section is. Raises `Malformed`, or `ClientError` with the status to
    answer.
    """
    ordinary = _ordinary(fields, max_fields)
    if ordinary is not None:
        method, target, is_https, headers, length = ordinary
        served = METHODS.get(method)
        if served is not None:
            return RequestFields(served, target, "https" if is_https else "http", headers, length)
    return judged_request(fields, max_fields)


def judged_request(fields: Fields, max_fields: int) -> RequestFields:
    """The same for any section, by all rules."""
    method: bytes | None = None
    path: bytes | None = None
    scheme: bytes | None = None
    authority: bytes | None = None
    protocol: bytes | None = None
    position = 0
    # Compared one after the other: a look-up in a table costs as much as all of them.
    for name, value in fields:
        if name == b":method":
            before, method = method, value
        elif name == b":path":
            before, path = path, value
        elif name == b":scheme":
            before, scheme = scheme, value
        elif name == b":authority":
            before, authority = authority, value
        elif name == b":protocol":
            before, protocol = protocol, value
        else:
            break
        if before is not None:
            raise Malformed("a repeated pseudo-header")
        position += 1
    regular = fields[position:] if position else fields
    check_values(fields)
    served = METHODS.get(method) if method is not None else None
    if method is None or (served is None and is_token(method) is None):
        raise Malformed("no method, or no token for one")
    head = RequestFields(served or "", path or b"", "", [], -1)
    _judge_regular(head, regular, authority, max_fields)
    head.protocol = protocol or b""
    if method == b"CONNECT" and protocol is None:
        raise ClientError("CONNECT is for proxies", 501)
    if not path or scheme is None or (protocol is not None and method != b"CONNECT"):
        raise Malformed("a pseudo-header is missing or out of place")
    known = _SCHEMES.get(scheme)
    if known is None:
        raise ClientError("scheme is neither http nor https")
    head.scheme = known
    if is_target(path) is None or not (path.startswith(b"/") or (path == b"*" and method == b"OPTIONS")):
        raise ClientError("malformed path")
    if head.protocol:
        if is_protocol(head.protocol) is None or head.length >= 0:
            raise Malformed("no protocol, or a length for one")
        head.method = "CONNECT"
    elif served is None:
        raise ClientError("method not implemented", 501)
    return head


def _judge_regular(head: RequestFields, regular: Fields, authority: bytes | None, max_fields: int) -> None:
    kinds = _KINDS.known
    crumbs = 0
    host: bytes | None = None
    for name, value in regular:
        kind = kinds.get(name)
        if kind is None:
            kind = _kind(name)
        if not kind:
            continue
        if kind == _HOST:
            if host is not None:
                raise ClientError("several Host fields")
            host = without_empty_port(value)
        elif kind == _COOKIE:
            crumbs += 1
        elif kind == _LENGTH:
            if head.length >= 0 or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
                raise Malformed("content-length is not one number")
            head.length = int(value)
        elif kind == _TE:
            if value.lower() != b"trailers":
                raise Malformed("te other than trailers")
        elif kind == _EXPECT:
            if value.lower() != b"100-continue":
                raise ClientError("an expectation other than 100-continue", 417)
            head.expects = True
        else:
            raise Malformed(f"connection-specific field {name!r}")
    if authority is None:
        authority = host
    else:
        authority = without_empty_port(authority)
        if host is not None and host.lower() != authority.lower():
            raise ClientError("Host differs from :authority")
    if authority is None or is_authority(authority) is None:
        raise ClientError("no authority, or one that is not a host with an optional port")
    if crumbs > 1:
        regular = _with_one_cookie(regular)
    if len(regular) > max_fields:
        raise ClientError("too many header fields", 431)
    if host is not None:
        regular = [field for field in regular if field[0] != b"host"]
    head.headers = [(b"host", authority), *regular]


def _with_one_cookie(fields: Fields) -> Fields:
    """Put a cookie together in the place of its first crumb; crumbs of nothing add nothing."""
    cookie: bytes | None = b"; ".join([value for name, value in fields if value and name == b"cookie"])
    joined: Fields = []
    for field in fields:
        if field[0] != b"cookie":
            joined.append(field)
        elif cookie is not None:
            joined.append((b"cookie", cookie))
            cookie = None
    return joined


def check_trailers(fields: Fields) -> None:
    """RFC 9113 section 8.1: no pseudo-headers, no fields that frame a message. Raises
    `Malformed`.
    """
    check_values(fields)
    for name, _ in fields:
        if (_KINDS.known.get(name) or _kind(name)) not in (_PLAIN, _COOKIE):
            raise Malformed("not a trailer field")


def _kind(name: bytes) -> int:
    """What a name stands for that is not known yet."""
    if is_field_name(name) is None:
        raise Malformed("malformed header name, or a pseudo-header out of place")
    _KINDS.keep(name, _PLAIN)
    return _PLAIN
