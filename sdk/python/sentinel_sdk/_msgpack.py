"""MessagePack, as much of it as the contract has (wit/ABI.md, section 3).

Records are small and decoded on every call, so the decoder is one function per kind of value, which
returns the value and where the next one begins.
"""

from __future__ import annotations

import struct
from typing import Any

_FLOAT = struct.Struct(">d")
_SINGLE = struct.Struct(">f")


def unpack(data: bytes) -> Any:
    """The one value in ``data``."""
    return value(data, 0)[0]


def value(data: bytes, at: int) -> tuple[Any, int]:
    """The value at ``at``, and where it ends."""
    kind = data[at]
    at += 1
    if 0xA0 <= kind <= 0xBF:
        end = at + (kind & 0x1F)
        return data[at:end].decode(), end
    if kind <= 0x7F:
        return kind, at
    if kind == 0xC4:
        end = at + 1 + data[at]
        return data[at + 1 : end], end
    if 0x90 <= kind <= 0x9F:
        return _array(data, at, kind & 0x0F)
    if kind == 0xC0:
        return None, at
    if kind == 0xD9:
        end = at + 1 + data[at]
        return data[at + 1 : end].decode(), end
    if 0x80 <= kind <= 0x8F:
        return _map(data, at, kind & 0x0F)
    if kind >= 0xE0:
        return kind - 0x100, at
    return _rare(data, at, kind)


def _rare(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in (0xC2, 0xC3):
        return kind == 0xC3, at
    if kind == 0xCA:
        return _SINGLE.unpack_from(data, at)[0], at + 4
    if kind == 0xCB:
        return _FLOAT.unpack_from(data, at)[0], at + 8
    size = _SIZES.get(kind)
    if size is None:
        raise ValueError(f"MessagePack of kind {kind:#x}")
    number = int.from_bytes(data[at : at + size], "big", signed=kind >= 0xD0 and kind <= 0xD3)
    at += size
    if kind in (0xC5, 0xC6):
        return data[at : at + number], at + number
    if kind in (0xDA, 0xDB):
        return data[at : at + number].decode(), at + number
    if kind in (0xDC, 0xDD):
        return _array(data, at, number)
    if kind in (0xDE, 0xDF):
        return _map(data, at, number)
    return number, at


# How many bytes of a number follow: unsigned, signed, and the lengths of bin, str, array and map.
_SIZES = {
    **{0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8},
    **{0xC5: 2, 0xC6: 4, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4},
}


def _array(data: bytes, at: int, count: int) -> tuple[list[Any], int]:
    items = []
    for _ in range(count):
        item, at = value(data, at)
        items.append(item)
    return items, at


def _map(data: bytes, at: int, count: int) -> tuple[dict[Any, Any], int]:
    items = {}
    for _ in range(count):
        key, at = value(data, at)
        items[key], at = value(data, at)
    return items, at


def pack(item: Any) -> bytes:
    """The encoding of None, booleans, numbers, text, bytes, lists and dictionaries."""
    if item is None:
        return b"\xc0"
    kind = type(item)
    if kind is str:
        return text(item)
    if kind is bytes:
        return binary(item)
    if kind is bool:
        return b"\xc3" if item else b"\xc2"
    if kind is int:
        return _number(item)
    if kind is float:
        return b"\xcb" + _FLOAT.pack(item)
    if kind is Packed:
        return bytes(item)
    if isinstance(item, dict):
        pairs = b"".join(pack(key) + pack(each) for key, each in item.items())
        return _head(len(item), 0x80, 16, (None, 0xDE, 0xDF)) + pairs
    if isinstance(item, list | tuple):
        return _head(len(item), 0x90, 16, (None, 0xDC, 0xDD)) + b"".join(map(pack, item))
    if isinstance(item, str):
        return text(str(item))
    return binary(bytes(item))


class Packed(bytes):
    """What is encoded already."""

    __slots__ = ()


_SHORT_TEXT = [bytes((0xA0 | length,)) for length in range(32)]
_SHORT_BINARY = [bytes((0xC4, length)) for length in range(256)]


def text(value: str) -> bytes:
    """The encoding of text."""
    data = value.encode()
    length = len(data)
    return (_SHORT_TEXT[length] if length < 32 else _head(length, 0xA0, 32, (0xD9, 0xDA, 0xDB))) + data


def binary(data: bytes) -> bytes:
    """The encoding of bytes."""
    length = len(data)
    return (_SHORT_BINARY[length] if length < 256 else _head(length, 0, 0, (0xC4, 0xC5, 0xC6))) + data


def array(items: list[Packed]) -> Packed:
    """The encoding of an array of what is encoded already."""
    return Packed(_head(len(items), 0x90, 16, (None, 0xDC, 0xDD)) + b"".join(items))


def pairs(data: bytes, at: int) -> tuple[list[tuple[str, bytes]], int]:
    """The header fields at ``at``, and where they end. Most have a short name and a short value."""
    kind = data[at]
    if kind & 0xF0 == 0x90:
        count, at = kind & 0x0F, at + 1
    else:
        count, at = int.from_bytes(data[at + 1 : at + 3], "big"), at + 3
    found = []
    for _ in range(count):
        # An array of two, text, bytes.
        begin, end = at + 2, at + 2 + (data[at + 1] & 0x1F)
        if data[at + 1] & 0xE0 == 0xA0 and data[end] == 0xC4:
            at = end + 2 + data[end + 1]
            found.append((data[begin:end].decode(), data[end + 2 : at]))
        else:
            name, end = value(data, at + 1)
            content, at = value(data, end)
            found.append((name, content))
    return found, at


def _number(number: int) -> bytes:
    if 0 <= number < 0x80:
        return bytes((number,))
    if number < 0:
        return b"\xd3" + number.to_bytes(8, "big", signed=True)
    for kind, size in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
        if number < 1 << 8 * size:
            return bytes((kind,)) + number.to_bytes(size, "big")
    raise ValueError("a number of more than 64 bits")


def _head(length: int, short: int, below: int, kinds: tuple[int | None, int, int]) -> bytes:
    if length < below:
        return bytes((short | length,))
    if length < 0x100 and kinds[0] is not None:
        return bytes((kinds[0], length))
    if length < 0x10000:
        return bytes((kinds[1],)) + length.to_bytes(2, "big")
    return bytes((kinds[2],)) + length.to_bytes(4, "big")
