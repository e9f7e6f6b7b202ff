"""Lines of sources for the frames of a trap.

Debug information takes seconds to read, and a worker has none. So it is read where a guest is compiled, in a process of
its own, into a table of offsets that is packed; a worker that must name a frame unpacks it once, without a loop in
Python, and searches.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from typing import Final

import msgspec

from sentinel_host.sandbox import binary, dwarf, sourcemap
from sentinel_host.sandbox.artefact import Artefact

_SECTIONS: Final = (".debug_line", ".debug_line_str", ".debug_str")
# Of a path: enough to find a file by, and not where somebody's home is.
_PARTS: Final = 3


class _Packed(msgspec.Struct, frozen=True):
    """Three columns of numbers, of 32 bits in the machine's order: a cache is not carried to another one."""

    paths: list[str]
    offsets: bytes
    path: bytes
    line: bytes


class LineTable:
    """Finds the line of an offset in the core module."""

    __slots__ = ("_columns", "_packed")

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self._columns: tuple[list[str], array[int], array[int], array[int]] | None = None

    def find(self, offset: int) -> str | None:
        """Such as ``src/lib.rs:12``."""
        if not self._packed:
            return None
        if self._columns is None:
            packed = msgspec.msgpack.decode(self._packed, type=_Packed)
            self._columns = (packed.paths, _column(packed.offsets), _column(packed.path), _column(packed.line))
        paths, offsets, path, line = self._columns
        at = bisect_right(offsets, offset) - 1
        return f"{paths[path[at]]}:{line[at]}" if at >= 0 and paths[path[at]] and line[at] else None


NO_LINES = LineTable(b"")


def pack_lines(artefact: Artefact) -> bytes:
    """The table of a guest that carries debug information, for `LineTable`; empty without any that can be read."""
    try:
        code = binary.code_offset(artefact.core)
        rows = sourcemap.rows(artefact.source_map) if artefact.source_map else _dwarf(artefact.core)
    except (ValueError, IndexError):
        return b""
    if not rows or code is None:
        return b""
    paths: dict[str, int] = {"": 0}
    columns = array("I"), array("I"), array("I")
    for row in rows:
        offset = row.address + code
        if 0 <= offset < len(artefact.core) and 0 <= row.line < 1 << 32:
            path = paths.setdefault(_shortened(row.path), len(paths))
            for column, value in zip(columns, (offset, path, row.line), strict=True):
                column.append(value)
    return msgspec.msgpack.encode(_Packed(list(paths), *(column.tobytes() for column in columns)))


def _dwarf(core: bytes) -> list[dwarf.Row]:
    found = {name: sections[0].body for name in _SECTIONS if (sections := binary.custom_sections(core, name))}
    return dwarf.rows(found)


def _shortened(path: str) -> str:
    return "/".join(path.split("/")[-_PARTS:])


def _column(data: bytes) -> array[int]:
    column = array("I")
    column.frombytes(data)
    return column


assert array("I").itemsize == 4, sys.platform
