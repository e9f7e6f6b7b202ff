"""A cursor over WebAssembly's binary format, and the numbers and names that it writes.

Rule 1: whatever the bytes, nothing but `CannotFlatten` is raised.
Rule 2: a length is compared with what is left before anything is sliced.

Sources: the core specification, "Binary Format"; the component model, Binary.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from sentinel_host.sandbox.binary import COMPONENT_HEADER, CORE_HEADER, leb128

_Item = TypeVar("_Item")

number = leb128
"""A number in LEB128."""


class CannotFlatten(ValueError):
    """A component is broken, or does what one core module cannot do; the text names it."""


class Reader:
    """Reads ``data`` from ``at`` to ``end``."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    def take(self, size: int) -> bytes:
        """The next bytes."""
        if size > self.end - self.at:
            raise CannotFlatten(f"is truncated at byte {self.at}")
        self.at += size
        return self.data[self.at - size : self.at]

    def byte(self) -> int:
        """The next byte."""
        if self.at >= self.end:
            raise CannotFlatten(f"is truncated at byte {self.at}")
        self.at += 1
        return self.data[self.at - 1]

    def u32(self) -> int:
        """A number of 32 bits in LEB128."""
        value = self._leb(35)
        if value >= 1 << 32:
            raise CannotFlatten(f"has a bad number before byte {self.at}")
        return value

    def skip_number(self) -> None:
        """Pass over a number of up to 64 bits, signed or not."""
        self._leb(70)

    def _leb(self, bits: int) -> int:
        value = 0
        for shift in range(0, bits, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
        raise CannotFlatten(f"has a bad number before byte {self.at}")

    def name(self) -> str:
        """A name: its length and UTF-8."""
        try:
            return self.take(self.u32()).decode()
        except UnicodeDecodeError:
            raise CannotFlatten(f"has a name that is not UTF-8 before byte {self.at}") from None

    def extern_name(self) -> str:
        """A component's import or export name."""
        kind = self.byte()
        name = self.name()
        if kind > 1:
            raise CannotFlatten(f"names {name} in a way that is not known")
        return name


def is_component(data: bytes) -> bool:
    """Whether these bytes begin as a component does, and not as a core module."""
    if data.startswith(COMPONENT_HEADER):
        return True
    if data.startswith(CORE_HEADER):
        return False
    raise CannotFlatten("is not WebAssembly")


def sections(data: bytes) -> Iterator[tuple[int, int, Reader]]:
    """Every section: its number, where it begins with that number, and its content."""
    reader = Reader(data, len(CORE_HEADER))
    while reader.at < reader.end:
        begin = reader.at
        number, size = reader.byte(), reader.u32()
        content = Reader(data, reader.at, reader.at + size)
        reader.take(size)
        yield number, begin, content


def section_body(data: bytes, number: int) -> bytes | None:
    """The content of the one section with this number, if there is one."""
    return next((data[content.at : content.end] for found, _, content in sections(data) if found == number), None)


def at(items: list[_Item], index: int, what: str) -> _Item:
    """An item by its index. Raises `CannotFlatten` where there is none: an index may not point
    forward.
    """
    if index >= len(items):
        raise CannotFlatten(f"refers to {what} {index} of {len(items)}")
    return items[index]


def name(text: str) -> bytes:
    """A name: its length and UTF-8."""
    encoded = text.encode()
    return number(len(encoded)) + encoded


def section(kind: int, body: bytes) -> bytes:
    """A section with its number and size."""
    return bytes((kind,)) + number(len(body)) + body
