"""Lines of sources for the frames of a trap, and the functions that a compiler has put into the
frame's.

Debug information takes seconds to read, and a worker has none. So it is read where a guest is
compiled, in a process of its own, into tables of offsets that are packed; a worker that must name a
frame unpacks them once, without a loop in Python, and searches.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from typing import Final

import msgspec

from sentinel_host.sandbox import binary, dwarf, inlined, sourcemap
from sentinel_host.sandbox.artefact import Artefact
from sentinel_host.sandbox.demangle import demangle

# The last parts of a path: enough to find the file, without its author's home directory.
_PARTS: Final = 3
# Inlined calls of one frame: more than compilers usually inline.
_CALLS: Final = 16


class _Packed(msgspec.Struct, frozen=True):
    """Columns of numbers, of 32 bits in the machine's order: a cache is not carried to another one.

    ``texts`` are paths and names; ``near`` holds the number of each row's nearest row in the
    author's sources. From the offsets in ``regions`` on the code is of the inlined call in
    ``call``; of each call, which are numbered from 1, the columns hold the call around it, or 0,
    its function, and the line that calls it.
    """

    texts: list[str]
    offsets: bytes
    path: bytes
    line: bytes
    near: bytes
    regions: bytes
    call: bytes
    parent: bytes
    callee: bytes
    call_path: bytes
    call_line: bytes


class _Columns:
    """What is packed, ready to be searched."""

    def __init__(self, packed: bytes) -> None:
        found = msgspec.msgpack.decode(packed, type=_Packed)
        self.texts = found.texts
        self.offsets = _column(found.offsets)
        self.path = _column(found.path)
        self.line = _column(found.line)
        self.near = _column(found.near)
        self.regions = _column(found.regions)
        self.call = _column(found.call)
        self.parent = _column(found.parent)
        self.callee = _column(found.callee)
        self.call_path = _column(found.call_path)
        self.call_line = _column(found.call_line)


class LineTable:
    """Describes frames by the offset of their instruction in the core module."""

    __slots__ = ("_columns", "_packed")

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self._columns: _Columns | None = None

    def describe(self, name: str, offset: int) -> list[str]:
        """The lines that describe a frame, such as ``guest!item (src/lib.rs:12)``.

        Functions that were inlined into it are lines before it, innermost first. ``name`` is
        ``module!function``.
        """
        module, _, function = name.rpartition("!")
        function = demangle(function)
        if not self._packed:
            return [f"{module}!{function}"]
        if self._columns is None:
            self._columns = _Columns(self._packed)
        described = []
        line = self._line(self._columns, offset)
        for callee, outer in self._calls(self._columns, offset):
            described.append(f"{module}!{callee or '?'} ({', '.join(filter(None, (line, 'inlined')))})")
            line = outer
        described.append(f"{module}!{function} ({line})" if line else f"{module}!{function}")
        return described

    def _line(self, columns: _Columns, offset: int) -> str:
        at = bisect_right(columns.offsets, offset) - 1
        if at < 0:
            return ""
        found = _place(columns.texts[columns.path[at]], columns.line[at])
        if not columns.near or columns.near[at] == at:
            return found
        near = columns.near[at]
        return f"{found}{', ' if found else ''}near {_place(columns.texts[columns.path[near]], columns.line[near])}"

    def _calls(self, columns: _Columns, offset: int) -> list[tuple[str, str]]:
        """For each inlined call, its function and the line of the call."""
        calls: list[tuple[str, str]] = []
        at = bisect_right(columns.regions, offset) - 1
        call = columns.call[at] if at >= 0 else 0
        while call and len(calls) < _CALLS:
            texts = columns.texts
            place = _place(texts[columns.call_path[call - 1]], columns.call_line[call - 1])
            calls.append((texts[columns.callee[call - 1]], place))
            call = columns.parent[call - 1]
        return calls


NO_LINES = LineTable(b"")


class _Packer:
    """Collects columns; texts that are equal are stored once."""

    def __init__(self, core: bytes, code: int) -> None:
        self._size = len(core)
        self._code = code
        self._texts: dict[str, int] = {"": 0}

    def pack(self, rows: list[dwarf.Row], near: list[int], calls: inlined.Inlined) -> bytes:
        kept = [row for row in rows if self._fits(row.address, row.line)]
        if len(kept) < len(rows):
            near = []
        regions = [(address, call) for address, call in calls.regions if self._fits(address, call)]
        return msgspec.msgpack.encode(
            _Packed(
                offsets=_packed([row.address + self._code for row in kept]),
                path=_packed([self._text(_shortened(row.path)) for row in kept]),
                line=_packed([row.line for row in kept]),
                near=_packed(near),
                regions=_packed([address + self._code for address, _ in regions]),
                call=_packed([call for _, call in regions]),
                parent=_packed([call.parent for call in calls.calls]),
                callee=_packed([self._text(call.name) for call in calls.calls]),
                call_path=_packed([self._text(_shortened(call.path)) for call in calls.calls]),
                call_line=_packed([call.line if call.line < 1 << 32 else 0 for call in calls.calls]),
                texts=list(self._texts),
            )
        )

    def _text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def _fits(self, address: int, number: int) -> bool:
        return 0 <= address + self._code < self._size and 0 <= number < 1 << 32


def pack_lines(artefact: Artefact) -> bytes:
    """The tables of a guest that carries debug information, for `LineTable`; empty without any that
    can be read.
    """
    try:
        code = binary.code_offset(artefact.core)
        if code is None:
            return b""
        packer = _Packer(artefact.core, code)
        if artefact.source_map:
            functions = [begin - code for begin in binary.functions(artefact.core)]
            rows = sourcemap.bounded(sourcemap.rows(artefact.source_map), functions)
            return packer.pack(rows, sourcemap.own_rows(rows, functions), _NO_CALLS) if rows else b""
        rows = dwarf.rows(_sections(artefact.core, dwarf.SECTIONS))
        return packer.pack(rows, [], _inlined(artefact.core)) if rows else b""
    except (ValueError, IndexError):
        return b""


_NO_CALLS: Final = inlined.Inlined([], [])


def _inlined(core: bytes) -> inlined.Inlined:
    """The inlined calls; empty if they cannot be read, because lines alone are useful too."""
    try:
        return inlined.read_inlined(_sections(core, inlined.SECTIONS))
    except (ValueError, IndexError):
        return _NO_CALLS


def _sections(core: bytes, names: tuple[str, ...]) -> dict[str, bytes]:
    return {name: sections[0].body for name in names if (sections := binary.custom_sections(core, name))}


def _place(path: str, line: int) -> str:
    return f"{path}:{line}" if path and line else ""


def _shortened(path: str) -> str:
    return "/".join(path.split("/")[-_PARTS:])


def _packed(numbers: list[int]) -> bytes:
    return array("I", numbers).tobytes()


def _column(data: bytes) -> array[int]:
    column = array("I")
    column.frombytes(data)
    return column


assert array("I").itemsize == 4, sys.platform
