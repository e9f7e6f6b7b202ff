"""Response heads as bytes: what an application may say, and what the lane says itself.

Rule 1: Nothing is written of a message that has a fault: a name that is no token, a value with a control character, a
        status that is no final status. The application gets a `ValueError`.
Rule 2: Framing is the lane's. `Transfer-Encoding`, `Keep-Alive` and `Proxy-Connection` from an application are dropped;
        of `Connection` only `close` is heeded. `Content-Length` is believed and then enforced.
Rule 3: Bytes in, bytes out: no socket, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from sentinel_host.http.lane.head import MAX_LENGTH_DIGITS, TOKEN

_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode() for status in HTTPStatus}
_FINAL: Final = {status: line for status, line in _LINES.items() if status >= 200}
# Names are examined by `_kind`; what may stand in a value is what a request may have in one.
_CONTROLS: Final = bytes(byte for byte in range(256) if (byte < 0x20 and byte != 0x09) or byte == 0x7F)
_TOKEN: Final = re.compile(TOKEN)

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
# Names seen to be tokens, so that a name is examined once and not on every response. Bounded: an upstream makes names.
_KINDS: Final[dict[bytes, int]] = dict(_SPECIAL)
_MAX_KINDS: Final = 1024


def _kind(name: object) -> int:
    if type(name) is not bytes or _TOKEN.fullmatch(name) is None:
        raise ValueError(f"malformed header name {name!r}")
    kind = _SPECIAL.get(name.lower(), _PLAIN)
    if len(_KINDS) < _MAX_KINDS:
        _KINDS[name] = kind
    return kind


def status_line(status: object) -> bytes:
    """``HTTP/1.1 200 OK`` without its line's end; raises `ValueError` for anything but a final status."""
    if type(status) is not int or not 200 <= status <= 999:
        raise ValueError(f"not a final status: {status!r}")
    return _FINAL.get(status) or b"HTTP/1.1 %d " % status


def encode_head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, int, bool, bool]:
    """The head so far (no date, framing or connection fields, each line but the last ended), its Content-Length or -1,
    whether it has a Date, whether it asks to close.

    Raises `ValueError` for what may not be written (rule 1) and for a malformed or repeated Content-Length.
    """
    lines = [_FINAL.get(status) or status_line(status)]
    length = -1
    dated = close = False
    kinds = _KINDS
    for pair in headers:
        name, value = pair
        kind = kinds.get(name)
        if kind is None:
            kind = _kind(name)
        if kind:
            if kind == _LENGTH_FIELD:
                if length >= 0 or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
                    raise ValueError(f"malformed or repeated content-length {value!r}")
                length = int(value)
                if status == 204:  # RFC 9110 8.6
                    continue
            elif kind == _DATE:
                dated = True
            else:
                close = close or (kind == _CONNECTION and b"close" in value.lower())
                continue
        lines.append(b": ".join(pair))
    return _checked(lines), length, dated, close


def encode_fields(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Trailer fields, each line ended; raises `ValueError` (rule 1), also for framing fields: they cannot come last."""
    lines = [b""]
    for pair in headers:
        if _kind(pair[0]) != _PLAIN:
            raise ValueError(f"not a trailer field: {pair[0]!r}")
        lines.append(b": ".join(pair))
    block = _checked(lines)[2:]
    return block + b"\r\n" if block else b""


def encode_informational(status: object, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A whole 1xx response. 101 changes the protocol and is refused (`ValueError`), as is what is not 1xx."""
    if type(status) is not int or not 100 <= status <= 199 or status == 101:
        raise ValueError(f"not an informational status: {status!r}")
    line = _LINES.get(status) or b"HTTP/1.1 %d " % status
    pairs = [pair for pair in headers if _kind(pair[0]) == _PLAIN]
    return _checked([line, *map(b": ".join, pairs)]) + b"\r\n\r\n"


def encode_switch(protocol: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The whole 101 that changes to ``protocol``; raises `ValueError` for what may not be written."""
    pairs = [pair for pair in headers if _kind(pair[0]) == _PLAIN and pair[0].lower() != b"upgrade"]
    lines = [_LINES[101], b"connection: upgrade", b"upgrade: " + protocol, *map(b": ".join, pairs)]
    return _checked(lines) + b"\r\n\r\n"


def _checked(lines: list[bytes]) -> bytes:
    block = b"\r\n".join(lines)
    # One pass over all fields: of control characters there are the line ends that were put in here, and no others.
    if len(block) - len(block.translate(None, _CONTROLS)) != 2 * (len(lines) - 1):
        culprit = next((line for line in lines if len(line.translate(None, _CONTROLS)) != len(line)), b"")
        raise ValueError(f"control character in header {culprit.partition(b':')[0]!r}")
    return block


def plain_response(status: int, reason: str, date: bytes) -> bytes:
    """A small text answer that closes the connection."""
    body = reason.encode("ascii", "backslashreplace") + b"\n"
    return b"%b%b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (
        status_line(status),
        date,
        len(body),
        body,
    )
