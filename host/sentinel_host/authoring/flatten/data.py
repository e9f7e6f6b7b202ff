"""A module's memory taken out of it, and put back: what differs between two guests of one
interpreter
is only that.

Merging and cleaning the interpreter's code takes many seconds, and without the memory's content it
is the same code for every guest that has the same imports.

Rule 1: this is done only where it changes nothing: one module has data, all of it has a place that
        is a number, and no code refers to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sentinel_host.authoring.flatten import core
from sentinel_host.authoring.flatten.reader import Reader, section, section_body, sections

# Room for every memory that another module may want to import: 65,536 pages, which is never made.
_ANY_MEMORY: Final = b"\x01\x00\x80\x80\x04"
_END: Final = 0x0B
_I32_CONST: Final = 0x41


@dataclass(frozen=True, slots=True)
class Contents:
    """The bodies of a module's memory and data sections."""

    memory: bytes
    data: bytes


def take_out(modules: list[bytes]) -> tuple[list[bytes], Contents | None]:
    """The modules without the content of their memory, and that; None where rule 1 keeps it in its
    place.
    """
    owners = [index for index, module in enumerate(modules) if core.has_section(module, core.DATA)]
    if len(owners) != 1 or any(core.has_section(module, core.DATA_COUNT) for module in modules):
        return modules, None
    owner = modules[owners[0]]
    memory, data = section_body(owner, core.MEMORY), section_body(owner, core.DATA)
    if memory is None or data is None or memory[:1] != b"\x01" or not _is_placed(data):
        return modules, None
    emptied = b"".join(
        section(kind, _ANY_MEMORY) if kind == core.MEMORY else owner[begin : reader.end]
        for kind, begin, reader in sections(owner)
        if kind != core.DATA
    )
    rest = list(modules)
    rest[owners[0]] = owner[:8] + emptied
    return rest, Contents(memory, data)


def _is_placed(data: bytes) -> bool:
    """Whether every segment has a number for its place in the one memory."""
    reader = Reader(data)
    for _ in range(reader.u32()):
        if reader.u32() != 0 or reader.byte() != _I32_CONST:
            return False
        reader.skip_number()
        if reader.byte() != _END:
            return False
        reader.take(reader.u32())
    return True


def put_back(module: bytes, contents: Contents) -> bytes:
    """The module with that content of its one memory."""
    out, is_done = bytearray(module[:8]), False
    for kind, begin, reader in sections(module):
        if kind == core.MEMORY:
            out += section(kind, contents.memory)
            continue
        out += module[begin : reader.end]
        if kind == core.CODE:
            # Data follows code; custom sections may stand anywhere.
            out += section(core.DATA, contents.data)
            is_done = True
    assert is_done, "a guest has code"
    return bytes(out)
