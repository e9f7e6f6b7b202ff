"""Response heads as bytes: what an application may say, and what the server says itself.

Rule 1: A faulty message raises `ValueError` before any of it is written: a name that is no token, a
        value with a control character, a status that is not final.
Rule 2: Framing is the server's. `Transfer-Encoding`, `Keep-Alive` and `Proxy-Connection` from an
        application are dropped; of `Connection` only `close` is heeded. `Content-Length` is
        believed and then enforced.
Rule 3: Bytes in, bytes out: no socket, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from sentinel_host.fields import add_lines
from sentinel_host.grammar import MAX_LENGTH_DIGITS
from sentinel_host.messages import Response

_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode() for status in HTTPStatus}
_FINAL: Final = {status: line for status, line in _LINES.items() if status >= 200}

# What is done with a field.
_PLAIN: Final = 0
_LENGTH_FIELD: Final = 1
_DATE: Final = 2
_CONNECTION: Final = 3
_DROPPED: Final = 4
_SPECIAL: Final = {
    b"content-length": _LENGTH_FIELD,
    b"date": _DATE,
    b"connection": _CONNECTION,
    b"transfer-encoding": _DROPPED,
    b"keep-alive": _DROPPED,
    b"proxy-connection": _DROPPED,
}
# Names as they were written before, so that each is lowered once. Bounded: an upstream makes names.
_KINDS: Final[dict[bytes, int]] = dict(_SPECIAL)
_MAX_KINDS: Final = 1024


def _kind(name: object) -> int:
    if type(name) is not bytes:
        raise ValueError(f"malformed header name {name!r}")
    kind = _SPECIAL.get(name.lower(), _PLAIN)
    if len(_KINDS) < _MAX_KINDS:
        _KINDS[name] = kind
    return kind


def status_line(status: object) -> bytes:
    """``HTTP/1.1 200 OK`` without its line's end; raises `ValueError` for anything but a final
    status.
    """
    if type(status) is not int or not 200 <= status <= 999:
        raise ValueError(f"not a final status: {status!r}")
    return _FINAL.get(status) or b"HTTP/1.1 %d " % status


def encode_head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, int, bool, bool]:
    """The head so far (no date, framing or connection fields, each line but the last ended), its
    Content-Length or -1, whether it has a Date, whether it asks to close.

    Raises `ValueError` for what may not be written (rule 1) and for a malformed or repeated
    Content-Length.
    """
    line = _FINAL.get(status) or status_line(status)
    # Pairs of whatever type, and no more of each than is looked at: to unpack them costs an
    # iterator.
    fields: list[Any] = headers if type(headers) is list else list(headers)
    length = -1
    dated = close = dropped = False
    kinds = _KINDS
    for pair in fields:
        name = pair[0]
        kind = kinds.get(name)
        if kind is None:
            kind = _kind(name)
        if kind:
            value = pair[1]
            if kind == _LENGTH_FIELD:
                if length >= 0 or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
                    raise ValueError(f"malformed or repeated content-length {value!r}")
                length = int(value)
                dropped = dropped or status == 204
            elif kind == _DATE:
                dated = True
            else:
                close = close or (kind == _CONNECTION and b"close" in value.lower())
                dropped = True
    if dropped:
        # A 204 has no length: RFC 9110 8.6.
        kept = (_PLAIN, _DATE) if status == 204 else (_PLAIN, _DATE, _LENGTH_FIELD)
        fields = [pair for pair in fields if _kind(pair[0]) in kept]
    return add_lines(line, fields, b""), length, dated, close


def encode_fields(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Trailer fields, each line ended; raises `ValueError` (rule 1), also for framing fields: they
    cannot come last.
    """
    fields = list(headers)
    for name, _ in fields:
        if _kind(name) != _PLAIN:
            raise ValueError(f"not a trailer field: {name!r}")
    return add_lines(b"", fields, b"\r\n")[2:]


def encode_informational(status: object, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A whole 1xx response. 101 changes the protocol and is refused (`ValueError`), as is what is
    not 1xx.
    """
    if type(status) is not int or not 100 <= status <= 199 or status == 101:
        raise ValueError(f"not an informational status: {status!r}")
    line = _LINES.get(status) or b"HTTP/1.1 %d " % status
    return add_lines(line, [pair for pair in headers if _kind(pair[0]) == _PLAIN], b"\r\n\r\n")


def encode_switch(protocol: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The whole 101 that changes to ``protocol``; raises `ValueError` for what may not be
    written.
    """
    pairs = [pair for pair in headers if _kind(pair[0]) == _PLAIN and pair[0].lower() != b"upgrade"]
    return add_lines(_LINES[101], [(b"connection", b"upgrade"), (b"upgrade", protocol), *pairs], b"\r\n\r\n")


def encode_reply(reply: Response, date: bytes) -> bytes:
    """A whole ready-made response, after which the connection closes."""
    head = add_lines(status_line(reply.status), reply.headers, b"")
    return b"%b%b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (head, date, len(reply.body), reply.body)
