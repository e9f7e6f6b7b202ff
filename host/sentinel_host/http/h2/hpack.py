"""Header compression (RFC 7541), receiving side; `hpack_encoder` has the sending side.

Rule 1: The dynamic table always stays in step with the peer's: a block is decoded to its end even
        if its fields are too many to keep, or the connection ends.
Rule 2: Decompression is bounded: beyond `_HARD_LIMIT` times the limit the connection ends.
Rule 3: Repeated strings are decoded once. Each connection has a memo of its own, so that timing
        reveals nothing about other clients. Fields marked "never indexed" are not kept (section
        7.1.3).
"""

from __future__ import annotations

from typing import Final

from hpack.exceptions import HPACKError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from sentinel_host.http.field_section import FIELD_COST, SAVED_BY_CRUMB, Fields
from sentinel_host.http.h2.wire import ConnectionFault, ErrorCode
from sentinel_host.memo import Memo

# The default of SETTINGS_HEADER_TABLE_SIZE, which we leave as it is.
_TABLE_SIZE: Final = 4096
_ENTRY_COST: Final = 32  # section 4.1
_STATIC: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"", b""),
    *((bytes(n), bytes(v)) for n, v in HeaderTable.STATIC_TABLE),
)
_FIRST_DYNAMIC: Final = len(_STATIC)
_HARD_LIMIT: Final = 8
_REMEMBERED: Final = 32
_REMEMBERED_LENGTH: Final = 128


class HpackDecoder:
    """The state of one direction of one connection. ``strings`` are those that were decoded
    already.
    """

    __slots__ = ("_dynamic", "_limit", "_max_size", "_size", "strings")

    def __init__(self, max_bytes: int) -> None:
        self._limit = max_bytes
        self._dynamic: Fields = []
        self._size = 0
        self._max_size = _TABLE_SIZE
        self.strings: Memo[bytes, bytes] = Memo(_REMEMBERED, _REMEMBERED_LENGTH)

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
                if fields:
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
        remember = not byte & 0x10 or bool(indexed)
        index = byte & mask
        position += 1
        if index == mask:
            index, position = _integer(block, position, index)
        if index:
            name = self._entry(index)[0]
        else:
            name, position = self._string(block, position, remember)
        value, position = self._string(block, position, remember)
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

    def _string(self, block: bytes, position: int, remember: bool) -> tuple[bytes, int]:
        byte = block[position]
        length = byte & 0x7F
        position += 1
        if length == 0x7F:
            length, position = _integer(block, position, length)
        end = position + length
        raw = block[position:end]
        if len(raw) != length:
            raise _fault("a header block ends early")
        if not byte & 0x80:
            return raw, end
        known = self.strings.known.get(raw)
        if known is None:
            known = decode_huffman(raw)
            if remember:
                self.strings.keep(raw, known)
        return known, end

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


def _integer(block: bytes, position: int, value: int) -> tuple[int, int]:
    """Section 5.1; 28 bits after the prefix are far beyond any length that fits a block."""
    for shift in (0, 7, 14, 21):
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
    raise _fault("an integer too large")


def _fault(reason: str) -> ConnectionFault:
    return ConnectionFault(ErrorCode.COMPRESSION_ERROR, reason)
