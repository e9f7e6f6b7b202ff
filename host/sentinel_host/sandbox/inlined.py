"""Which functions a compiler has put into others, by ``.debug_info`` of DWARF, versions 2 to 5.

The rules of `sentinel_host.sandbox.dwarf` hold. Abbreviation tables, file tables, range lists and
names can be referenced many times. Reading them is charged to one budget, so that a small file
cannot cause much work.

Source: the DWARF standard, version 5, sections 3.3.8 and 7.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from sentinel_host.sandbox.abbreviations import Abbreviations, Budget, Shape, Values, read_values
from sentinel_host.sandbox.attributes import (
    ADDRESSES_BASE,
    HIGH,
    LOW,
    RANGES,
    RANGES_BASE,
    STRINGS_BASE,
    Attributes,
    Unit,
)
from sentinel_host.sandbox.demangle import demangle
from sentinel_host.sandbox.dwarf import TOMBSTONES, Reader, file_paths

SECTIONS: Final = (
    ".debug_abbrev",
    ".debug_addr",
    ".debug_info",
    ".debug_line",
    ".debug_line_str",
    ".debug_ranges",
    ".debug_rnglists",
    ".debug_str",
    ".debug_str_offsets",
)
# A second reads one to two MiB; a guest of some size has a quarter of one with all of rustc's debug
# information.
INFO_MAX: Final = 4 << 20
_BUDGET: Final = 1_000_000
_DEPTH_MAX: Final = 256
_SCOPE_MAX: Final = 256
# From a function to its abstract instance, to what that specifies, and one to spare.
_HOPS: Final = 3

# Names whose first angle bracket does not begin the types that a generic function is for, which may
# be very long.
_NOT_GENERIC: Final = ("<", "operator")

_UNIT, _FUNCTION, _INLINED, _NAMESPACE = 0x11, 0x2E, 0x1D, 0x39
_SCOPES: Final = frozenset((_NAMESPACE, 0x02, 0x04, 0x13, 0x17))
_NAME, _LINES, _ORIGIN, _SPECIFICATION = 0x03, 0x10, 0x31, 0x47
_CALL_FILE, _CALL_LINE, _LINKAGE, _OLD_LINKAGE = 0x58, 0x59, 0x6E, 0x2007
_OF_UNITS: Final = frozenset((_LINES, LOW, STRINGS_BASE, ADDRESSES_BASE, RANGES_BASE))
_OF_FUNCTIONS: Final = frozenset((_NAME, _LINKAGE, _OLD_LINKAGE, _ORIGIN, _SPECIFICATION, LOW))
_OF_INLINED: Final = frozenset((_ORIGIN, LOW, HIGH, RANGES, _CALL_FILE, _CALL_LINE))
_WANTED: Final = {
    _UNIT: _OF_UNITS,
    _FUNCTION: _OF_FUNCTIONS,
    _INLINED: _OF_INLINED,
    **dict.fromkeys(_SCOPES, frozenset((_NAME,))),
}


class Call(NamedTuple):
    """An inlined call of ``name`` from this line in the call numbered ``parent``; 0 is the function
    itself.
    """

    parent: int
    name: str
    path: str
    line: int


class Inlined(NamedTuple):
    """``calls``, numbered from 1, and ``regions``: the call to which the code from an address on
    belongs, or 0.
    """

    calls: list[Call]
    regions: list[tuple[int, int]]


class _Function(NamedTuple):
    unit: Unit
    values: Values
    scope: str


class _Interval(NamedTuple):
    low: int
    high: int
    depth: int
    call: int


def read_inlined(sections: Mapping[str, bytes]) -> Inlined:
    """Raises `ValueError` and `IndexError`."""
    if len(sections.get(".debug_info", b"")) > INFO_MAX:
        raise ValueError("too much")
    return _Program(sections).read()


class _Program:
    def __init__(self, sections: Mapping[str, bytes]) -> None:
        self._sections = sections
        self._budget = Budget(_BUDGET)
        self._abbreviations = Abbreviations(self._section(".debug_abbrev"), _WANTED, self._budget)
        self._attributes = Attributes(sections, self._budget)
        self._files: dict[int, list[str]] = {}
        self._functions: dict[int, _Function] = {}
        self._names: dict[int, str] = {}
        self._found: list[tuple[Unit, Values, int]] = []
        self._intervals: list[_Interval] = []

    def read(self) -> Inlined:
        info = Reader(self._section(".debug_info"))
        while info.at < info.end:
            begin = info.at
            length = info.fixed(4)
            body = info.at
            info.take(length)
            self._read_unit(Reader(info.data, body, info.at), begin)
        calls = [self._call(unit, values, parent) for unit, values, parent in self._found]
        return Inlined(calls, list(_regions(self._intervals)))

    def _section(self, name: str) -> bytes:
        return self._sections.get(name, b"")

    def _read_unit(self, reader: Reader, begin: int) -> None:
        version = reader.fixed(2)
        if not 2 <= version <= 5:
            return
        if version == 5:
            kind, size, abbreviations = reader.fixed(1), reader.fixed(1), reader.fixed(4)
        else:
            kind, abbreviations, size = 1, reader.fixed(4), reader.fixed(1)
        if kind == 1 and size == 4:
            self._read_entries(reader, Unit(begin, version), self._abbreviations.at(abbreviations))

    def _read_entries(self, reader: Reader, unit: Unit, shapes: dict[int, Shape]) -> None:
        # Of each open entry: the name of its scope, the call that it is part of, and whether its
        # code is linked.
        scope, call, linked = "", 0, True
        stack: list[tuple[str, int, bool]] = []
        while reader.at < reader.end:
            offset = reader.at
            number = reader.uleb()
            if not number:
                if stack:
                    scope, call, linked = stack.pop()
                continue
            shape = shapes.get(number)
            if shape is None:
                raise ValueError("an unknown abbreviation")
            values = read_values(reader, shape.steps)
            inner = (scope, call, linked)
            tag = shape.tag
            if tag == _INLINED:
                if linked:
                    inner = (scope, self._add(unit, values, call, len(stack)), linked)
            elif tag == _FUNCTION:
                self._functions[offset] = _Function(unit, values, scope)
                low = values.get(LOW)
                inner = (scope, 0, low is None or self._attributes.address(unit, low) not in TOMBSTONES)
            elif tag in _SCOPES:
                inner = (self._scoped(scope, self._attributes.text(unit, values.get(_NAME))), call, linked)
            elif tag == _UNIT:
                unit.values = values
            if shape.has_children:
                if len(stack) == _DEPTH_MAX:
                    raise ValueError("too deep")
                stack.append((scope, call, linked))
                scope, call, linked = inner

    def _scoped(self, scope: str, name: str) -> str:
        return f"{scope}::{name}"[-_SCOPE_MAX:] if scope and name else scope or name

    def _add(self, unit: Unit, values: Values, parent: int, depth: int) -> int:
        self._found.append((unit, values, parent))
        number = len(self._found)
        for low, high in self._attributes.ranges(unit, values):
            if low < high and low not in TOMBSTONES:
                self._intervals.append(_Interval(low, high, depth, number))
        return number

    def _call(self, unit: Unit, values: Values, parent: int) -> Call:
        path = ""
        line = values[_CALL_LINE].number if _CALL_LINE in values else 0
        if _CALL_FILE in values and _LINES in unit.values:
            paths = self._paths_at(unit.values[_LINES].number)
            file = values[_CALL_FILE].number
            path = paths[file] if file < len(paths) else ""
        return Call(parent, self._name(self._attributes.reference(unit, values.get(_ORIGIN))), path, line)

    def _name(self, offset: int) -> str:
        known = self._names.get(offset)
        if known is None:
            known = self._names[offset] = self._find_name(offset)
        return known

    def _find_name(self, offset: int) -> str:
        mangled = ""
        for _ in range(_HOPS):
            function = self._functions.get(offset)
            if function is None:
                break
            unit, values, scope = function
            mangled = self._attributes.text(unit, values.get(_LINKAGE) or values.get(_OLD_LINKAGE)) or mangled
            readable = demangle(mangled)
            if readable != mangled:
                return readable
            if name := self._attributes.text(unit, values.get(_NAME)):
                return self._scoped(scope, name if name.startswith(_NOT_GENERIC) else name.partition("<")[0])
            offset = self._attributes.reference(unit, values.get(_ORIGIN) or values.get(_SPECIFICATION))
        return mangled

    def _paths_at(self, offset: int) -> list[str]:
        known = self._files.get(offset)
        if known is None:
            try:
                known = file_paths(self._sections, offset)
            except (ValueError, IndexError):
                known = []
            self._budget.pay(1 + sum(map(len, known)))
            self._files[offset] = known
        return known


def _regions(intervals: list[_Interval]) -> Iterator[tuple[int, int]]:
    """Of intervals that hold each other, for every address the innermost."""
    intervals.sort(key=lambda interval: (interval.low, -interval.high, interval.depth))
    stack: list[tuple[int, int]] = []
    for low, high, _, call in intervals:
        while stack and stack[-1][0] <= low:
            end, _ = stack.pop()
            yield end, stack[-1][1] if stack else 0
        # Clip an entry's code to its parent's: a file may claim otherwise.
        stack.append((min(high, stack[-1][0]) if stack else high, call))
        yield low, call
    while stack:
        end, _ = stack.pop()
        yield end, stack[-1][1] if stack else 0
