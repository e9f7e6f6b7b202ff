"""Response heads as header blocks (RFC 7541), without a dynamic table.

Rule 1: Nothing is written of a message that has a fault: the application gets a `ValueError`, as on HTTP/1.
Rule 2: Connection-specific fields have no place in HTTP/2 (RFC 9113 section 8.2.2) and are dropped.
Rule 3: Every field is a literal that no table remembers, its name from the static table where it is there: no state
        to keep per connection, and none that a peer could size or probe. nginx does the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from hpack.table import HeaderTable

from sentinel_host.http.h1.head import MAX_LENGTH_DIGITS

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]++").fullmatch
_CONTROLS: Final = bytes(byte for byte in range(32) if byte != 9) + b"\x7f"
_DROPPED: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"te")
)


def _integer(value: int, prefix_bits: int, first: int = 0) -> bytes:
    """RFC 7541 section 5.1."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes((first | value,))
    encoded = bytearray((first | most,))
    value -= most
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_INDEX: Final[dict[bytes, int]] = {}
_STATUS: Final[dict[int, bytes]] = {}
for _number, (_field, _value) in enumerate(HeaderTable.STATIC_TABLE, 1):
    _INDEX.setdefault(bytes(_field), _number)
    if _field == b":status":
        _STATUS[int(_value)] = bytes((0x80 | _number,))
_STATUS_NAME: Final = _integer(_INDEX[b":status"], 4)
_LENGTHS: Final = tuple(_integer(length, 7) for length in range(256))
# How a name is written; empty for one that is dropped. Bounded: an upstream makes names.
_NAMES: Final[dict[bytes, bytes]] = dict.fromkeys(_DROPPED, b"")
_MAX_NAMES: Final = 1024
_DATE: Final = _integer(_INDEX[b"date"], 4)
_LENGTH: Final = _integer(_INDEX[b"content-length"], 4)


def _name(name: object) -> bytes:
    if type(name) is not bytes:
        raise ValueError(f"malformed header name {name!r}")
    lower = name.lower()
    if _TOKEN(lower) is None:
        raise ValueError(f"malformed header name {name!r}")
    if lower in _DROPPED:
        encoded = b""
    elif lower in _INDEX:
        encoded = _integer(_INDEX[lower], 4)
    else:
        encoded = b"\0" + _integer(len(lower), 7) + lower
    if len(_NAMES) < _MAX_NAMES:
        _NAMES[name] = encoded
    return encoded


def encode_head(status: object, headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, int, bool]:
    """The block of a final response's head, its Content-Length or -1, and whether it has a Date.

    Raises `ValueError` for what may not be written and for a malformed or repeated Content-Length.
    """
    if not isinstance(status, int) or not 200 <= status <= 999:
        raise ValueError(f"not a final status: {status!r}")
    length = -1
    dated = False
    parts = [_STATUS.get(status) or status_field(status)]
    values = []
    for name, value in headers:
        encoded = _NAMES.get(name)
        if encoded is None:
            encoded = _name(name)
        if not encoded:
            continue
        if encoded == _LENGTH:
            if length >= 0 or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
                raise ValueError(f"malformed or repeated content-length {value!r}")
            length = int(value)
            if status == 204:  # RFC 9110 8.6
                continue
        elif encoded == _DATE:
            dated = True
        size = len(value)
        parts += (encoded, _LENGTHS[size] if size < 256 else _integer(size, 7), value)
        values.append(value)
    _check(values)
    return b"".join(parts), length, dated


def encode_fields(headers: Iterable[tuple[bytes, bytes]], *, trailers: bool = False) -> bytes:
    """The block of a 1xx response's fields or of trailers; raises `ValueError` for what may not be written."""
    parts: list[bytes] = []
    values: list[bytes] = []
    for name, value in headers:
        encoded = _NAMES.get(name)
        if encoded is None:
            encoded = _name(name)
        if not encoded or encoded == _LENGTH:
            if trailers:
                raise ValueError(f"not a trailer field: {name!r}")
            continue
        parts += (encoded, _integer(len(value), 7), value)
        values.append(value)
    _check(values)
    return b"".join(parts)


def status_field(status: int) -> bytes:
    """``:status`` alone."""
    return _STATUS.get(status) or b"%b\x03%d" % (_STATUS_NAME, status)


def date_field(date: bytes) -> bytes:
    """``date`` alone."""
    return _DATE + _integer(len(date), 7) + date


def length_field(length: int) -> bytes:
    """``content-length`` alone."""
    digits = b"%d" % length
    return _LENGTH + _LENGTHS[len(digits)] + digits


def _check(values: list[bytes]) -> None:
    block = b"".join(values)
    if len(block.translate(None, _CONTROLS)) != len(block):
        raise ValueError("control character in a header value")
