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
from typing import Final

from sentinel_host.fields import FieldNames, add_lines
from sentinel_host.messages import Response

_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode() for status in HTTPStatus}
_FINAL: Final = {status: line for status, line in _LINES.items() if status >= 200}
_NO_CONTENT: Final = 204

# The numbers are those of `FieldNames.write_response`.
_NAMES: Final = FieldNames(
    {
        b"content-length": 1,
        b"date": 2,
        b"connection": 3,
        b"transfer-encoding": 4,
        b"keep-alive": 4,
        b"proxy-connection": 4,
    }
)
# Compiled code looks a method up by its name.
_number_of: Final = _NAMES.number_of
_write: Final = _NAMES.write_response


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
    # RFC 9110 section 8.6: a 204 has no length.
    return _write(_FINAL.get(status) or status_line(status), headers, status != _NO_CONTENT)


def encode_fields(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Trailer fields, each line ended; raises `ValueError` (rule 1), also for framing fields: they
    cannot come last.
    """
    fields = list(headers)
    for name, _ in fields:
        if _number_of(name):
            raise ValueError(f"not a trailer field: {name!r}")
    return add_lines(b"", fields, b"\r\n")[2:]


def encode_informational(status: object, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A whole 1xx response. 101 changes the protocol and is refused (`ValueError`), as is what is
    not 1xx.
    """
    if type(status) is not int or not 100 <= status <= 199 or status == 101:
        raise ValueError(f"not an informational status: {status!r}")
    line = _LINES.get(status) or b"HTTP/1.1 %d " % status
    return add_lines(line, [pair for pair in headers if not _number_of(pair[0])], b"\r\n\r\n")


def encode_switch(protocol: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The whole 101 that changes to ``protocol``; raises `ValueError` for what may not be
    written.
    """
    pairs = [pair for pair in headers if not _number_of(pair[0]) and pair[0].lower() != b"upgrade"]
    return add_lines(_LINES[101], [(b"connection", b"upgrade"), (b"upgrade", protocol), *pairs], b"\r\n\r\n")


def encode_reply(reply: Response, date: bytes) -> bytes:
    """A whole ready-made response, after which the connection closes."""
    head = add_lines(status_line(reply.status), reply.headers, b"")
    return b"%b%b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (head, date, len(reply.body), reply.body)
