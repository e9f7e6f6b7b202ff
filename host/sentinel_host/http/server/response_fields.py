"""Which response heads and trailers are written on HTTP/2 and HTTP/3.

Rule 1: Nothing is written of a message that has a fault: the application gets a `ValueError`, as on HTTP/1.
Rule 2: Connection-specific fields have no place here (RFC 9113 section 8.2.2, RFC 9114 section 4.2) and are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sentinel_host.grammar import CONNECTION_SPECIFIC, CONTROLS, MAX_LENGTH_DIGITS, is_field_name
from sentinel_host.http.field_section import Fields
from sentinel_host.memo import Memo

_DROPPED: Final = CONNECTION_SPECIFIC | {b"te"}
# How a name is written; empty for one that is dropped. An upstream makes names.
_NAMES: Final[Memo[bytes, bytes]] = Memo(1024, 64, dict.fromkeys(_DROPPED, b""))


def response_head(status: object, headers: Iterable[tuple[bytes, bytes]]) -> tuple[Fields, int, bool]:
    """The fields of a final response's head, its Content-Length or -1, and whether it has a Date.

    Raises `ValueError` for what may not be written and for a malformed or repeated Content-Length.
    """
    if not isinstance(status, int) or not 200 <= status <= 999:
        raise ValueError(f"not a final status: {status!r}")
    length = -1
    dated = False
    fields: Fields = []
    names = _NAMES.known
    for name, value in headers:
        written = names.get(name)
        if written is None:
            written = _name(name)
        size = len(written)
        if size == 14 and written == b"content-length":
            if length >= 0 or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
                raise ValueError(f"malformed or repeated content-length {value!r}")
            length = int(value)
            if status == 204:  # RFC 9110 8.6
                continue
        elif size == 4:
            dated = dated or written == b"date"
        elif not size:
            continue
        fields.append((written, value))
    _check(fields)
    return fields, length, dated


def response_section(headers: Iterable[tuple[bytes, bytes]], *, trailers: bool = False) -> Fields:
    """The fields of a 1xx response or of trailers; raises `ValueError` for what may not be written."""
    fields: Fields = []
    names = _NAMES.known
    for name, value in headers:
        written = names.get(name)
        if written is None:
            written = _name(name)
        if not written or written == b"content-length":
            if trailers:
                raise ValueError(f"not a trailer field: {name!r}")
            continue
        fields.append((written, value))
    _check(fields)
    return fields


def _name(name: object) -> bytes:
    if type(name) is not bytes:
        raise ValueError(f"malformed header name {name!r}")
    lower = name.lower()
    if is_field_name(lower) is None:
        raise ValueError(f"malformed header name {name!r}")
    written = b"" if lower in _DROPPED else lower
    _NAMES.keep(name, written)
    return written


def _check(fields: Fields) -> None:
    block = b"".join([value for _, value in fields])
    if len(block.translate(None, CONTROLS)) != len(block):
        raise ValueError("control character in a header value")
