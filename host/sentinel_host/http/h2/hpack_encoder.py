"""Field sections as header blocks (RFC 7541), without a dynamic table.

Rule: Every field is a literal without indexing, with its name from the static table if it is there.
      So there is no state per connection that a peer could size or probe. nginx does the same.
"""

from __future__ import annotations

from typing import Final

from hpack.table import HeaderTable

from sentinel_host.http.field_section import Fields
from sentinel_host.memo import Memo


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


_STATUS: Final[dict[int, bytes]] = {}
_STATIC_NAMES: Final[dict[bytes, bytes]] = {}
for _number, (_field, _value) in enumerate(HeaderTable.STATIC_TABLE, 1):
    _STATIC_NAMES.setdefault(bytes(_field), _integer(_number, 4))
    if _field == b":status":
        _STATUS[int(_value)] = bytes((0x80 | _number,))
_STATUS_NAME: Final = _STATIC_NAMES[b":status"]
# Encoded names. The memo is bounded because upstreams choose names.
_NAMES: Final[Memo[bytes, bytes]] = Memo(1024, 64, _STATIC_NAMES)
_LENGTHS: Final = tuple(_integer(length, 7) for length in range(256))


def encode_section(fields: Fields, status: int = 0) -> bytes:
    """The block of a field section whose names are lower-case; ``status`` begins it when it is not
    0.
    """
    parts: list[bytes] = []
    if status:
        parts.append(_STATUS.get(status) or b"%b\x03%d" % (_STATUS_NAME, status))
    names = _NAMES.known
    for name, value in fields:
        encoded = names.get(name)
        if encoded is None:
            encoded = _name(name)
        size = len(value)
        parts += (encoded, _LENGTHS[size] if size < 256 else _integer(size, 7), value)
    return b"".join(parts)


def _name(name: bytes) -> bytes:
    encoded = b"\0" + _integer(len(name), 7) + name
    _NAMES.keep(name, encoded)
    return encoded
