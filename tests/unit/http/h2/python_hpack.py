"""Header compression in Python, by the text of RFC 7541: what the C has to agree with."""

from __future__ import annotations

from typing import Final

from hpack.exceptions import HPACKError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from sentinel_host.http.field_section import FIELD_COST, SAVED_BY_CRUMB, Fields
from sentinel_host.http.h2.wire import ConnectionFault, ErrorCode

# The default of SETTINGS_HEADER_TABLE_SIZE, which we leave as it is.
_TABLE_SIZE: Final = 4096
_ENTRY_COST: Final = 32  # section 4.1
_STATIC: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"", b""),
    *((bytes(n), bytes(v)) for n, v in HeaderTable.STATIC_TABLE),
)
_FIRST_DYNAMIC: Final = len(_STATIC)
_HARD_LIMIT: Final = 8


class PythonDecoder:
    """The state of one direction of one connection."""

    def __init__(self, max_bytes: int) -> None:
        self._limit = max_bytes
        self._dynamic: Fields = []
        self._size = 0
        self._max_size = _TABLE_SIZE

    def decode(self, block: bytes) -> tuple[Fields, bool]:
        """The fields of a block, and whether all are there: of a list beyond the limit only the
        first are kept.

        Raises `ConnectionFault`.
        """
        try:
            return self._decode(block)
        except IndexError:
            raise _fault("a header block ends early") from None
        except HPACKError as error:
            raise _fault(str(error)) from None

    def _decode(self, block: bytes) -> tuple[Fields, bool]:
        fields: Fields = []
        position, end = 0, len(block)
        size = 0
        limit = self._limit
        crumbs = False
        dynamic = self._dynamic
        while position < end:
            byte = block[position]
            if byte & 0x80:
                index = byte & 0x7F
                position += 1
                if index == 0x7F:
                    index, position = _integer(block, position, index)
                if index < _FIRST_DYNAMIC:
                    if not index:
                        raise _fault("index zero")
                    field = _STATIC[index]
                else:
                    index -= _FIRST_DYNAMIC - 1
                    if index > len(dynamic):
                        raise _fault("an index beyond the table")
                    field = dynamic[-index]
            elif byte & 0xE0 == 0x20:
                if size:
                    raise _fault("a table size update after a field")
                position = self._resize(block, position, byte)
                continue
            else:
                field, position = self._literal(block, position, byte)
            name, value = field
            size += len(name) + len(value) + FIELD_COST
            if len(name) == 6 and name == b"cookie":
                if crumbs:
                    size -= SAVED_BY_CRUMB
                crumbs = True
            if size <= limit:
                fields.append(field)
            elif size > limit * _HARD_LIMIT:
                raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a header list far beyond the limit")
        return fields, size <= limit

    def _literal(self, block: bytes, position: int, byte: int) -> tuple[tuple[bytes, bytes], int]:
        indexed = byte & 0x40
        mask = 0x3F if indexed else 0x0F
        index = byte & mask
        position += 1
        if index == mask:
            index, position = _integer(block, position, index)
        if index:
            name = self._entry(index)[0]
        else:
            name, position = _string(block, position)
        value, position = _string(block, position)
        field = (name, value)
        if indexed:
            self._add(field)
        return field, position

    def _entry(self, index: int) -> tuple[bytes, bytes]:
        if index < _FIRST_DYNAMIC:
            return _STATIC[index]
        index -= _FIRST_DYNAMIC - 1
        if index > len(self._dynamic):
            raise _fault("an index beyond the table")
        return self._dynamic[-index]

    def _add(self, field: tuple[bytes, bytes]) -> None:
        cost = len(field[0]) + len(field[1]) + _ENTRY_COST
        self._size += cost
        self._dynamic.append(field)
        self._evict()

    def _evict(self) -> None:
        dynamic = self._dynamic
        count = 0
        while self._size > self._max_size:
            name, value = dynamic[count]
            self._size -= len(name) + len(value) + _ENTRY_COST
            count += 1
        if count:
            del dynamic[:count]

    def _resize(self, block: bytes, position: int, byte: int) -> int:
        size = byte & 0x1F
        position += 1
        if size == 0x1F:
            size, position = _integer(block, position, size)
        if size > _TABLE_SIZE:
            raise _fault("a table size beyond the setting")
        self._max_size = size
        self._evict()
        return position


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    byte = block[position]
    length = byte & 0x7F
    position += 1
    if length == 0x7F:
        length, position = _integer(block, position, length)
    end = position + length
    raw = block[position:end]
    if len(raw) != length:
        raise _fault("a header block ends early")
    return decode_huffman(raw) if byte & 0x80 else raw, end


def _integer(block: bytes, position: int, value: int) -> tuple[int, int]:
    """Section 5.1; 28 bits after the prefix are far beyond any length that fits a block."""
    for shift in (0, 7, 14, 21):
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
    raise _fault("an integer too large")


def python_section(status: int, fields: Fields) -> bytes:
    """A section as a block of literals without indexing, but for a status of the static table."""
    parts: list[bytes] = []
    if status:
        value = b"%d" % status
        known = [index for index, field in enumerate(_STATIC) if field == (b":status", value)]
        parts += [bytes((0x80 | known[0],))] if known else [_written(8, 4), b"\x03", value]
    for name, value in fields:
        same = [index for index, (known_name, _) in enumerate(_STATIC) if index and known_name == name]
        parts += [_written(same[0], 4)] if same else [b"\0", _written(len(name), 7), name]
        parts += [_written(len(value), 7), value]
    return b"".join(parts)


def _written(value: int, prefix_bits: int) -> bytes:
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes((value,))
    encoded = bytearray((most,))
    value -= most
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes((value,))


def _fault(reason: str) -> ConnectionFault:
    return ConnectionFault(ErrorCode.COMPRESSION_ERROR, reason)
