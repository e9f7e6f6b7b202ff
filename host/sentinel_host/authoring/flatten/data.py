"""The memory image of a guest taken out of its module, and put back: it is what differs between two
guests of one interpreter, beside the `variables`.

Merging and cleaning the interpreter's code takes many seconds, and without the memory's content it
is the same code for every guest that has the same imports.

Rule 1: this is done only where it changes nothing: one module has data, all of it has a place that
        is a number, and no code refers to it. Tools that make a memory image leave empty segments
        where data was before. These say nothing, and code may refer to them, so they stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sentinel_host.authoring.flatten import core
from sentinel_host.authoring.flatten.reader import CannotFlatten, Reader, number, section_body

# Room for every memory that another module may want to import: 65,536 pages, which is never made.
_ANY_MEMORY: Final = b"\x01\x00\x80\x80\x04"
_PASSIVE: Final = 1
_WITH_MEMORY: Final = 2


@dataclass(frozen=True, slots=True)
class Contents:
    """The bodies of a module's memory and data sections."""

    memory: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class _Segment:
    """``is_placed`` says that a number is its place in the first memory."""

    is_placed: bool
    size: int


def take_out(modules: list[bytes]) -> tuple[list[bytes], Contents | None]:
    """The modules without the content of their memory, and that; None where rule 1 keeps it in its
    place.
    """
    segments = [list(_segments(module)) for module in modules]
    owners = [index for index, found in enumerate(segments) if any(segment.size for segment in found)]
    if len(owners) != 1:
        return modules, None
    index = owners[0]
    owner, is_placed = modules[index], all(segment.is_placed for segment in segments[index])
    memory, data = section_body(owner, core.MEMORY), section_body(owner, core.DATA)
    # Code that refers to data needs the section that counts it.
    is_referred_to = core.has_section(owner, core.DATA_COUNT)
    if memory is None or data is None or memory[:1] != b"\x01" or not is_placed or is_referred_to:
        return modules, None
    emptied = core.without(core.with_section(owner, core.MEMORY, _ANY_MEMORY), core.DATA)
    return [*modules[:index], emptied, *modules[index + 1 :]], Contents(memory, data)


def _segments(module: bytes) -> Iterator[_Segment]:
    body = section_body(module, core.DATA)
    if body is None:
        return
    reader = Reader(body)
    for _ in range(reader.u32()):
        kind, is_placed = reader.u32(), False
        if kind > _WITH_MEMORY:
            raise CannotFlatten(f"has a data segment of kind {kind}")
        if kind == _WITH_MEMORY:
            reader.u32()
        if kind != _PASSIVE:
            is_placed = core.is_number(reader) and kind == 0
        size = reader.u32()
        reader.take(size)
        yield _Segment(is_placed, size)


def put_back(module: bytes, contents: Contents) -> bytes:
    """The module with that content of its one memory."""
    count, entries = _counted(contents.data)
    if (own := section_body(module, core.DATA)) is not None:
        # Code refers to these by their numbers, so that they come first.
        before, first = _counted(own)
        count, entries = before + count, first + entries
    if core.has_section(module, core.DATA_COUNT):
        module = core.with_section(module, core.DATA_COUNT, number(count))
    module = core.with_section(module, core.MEMORY, contents.memory)
    return core.with_section(module, core.DATA, number(count) + entries)


def _counted(body: bytes) -> tuple[int, bytes]:
    """How many entries a section has, and those."""
    reader = Reader(body)
    return reader.u32(), body[reader.at :]
