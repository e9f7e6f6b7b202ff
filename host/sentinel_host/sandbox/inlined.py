"""Which functions a compiler has put into others, by ``.debug_info`` of DWARF, versions 2 to 5.

The rules of `sentinel_host.sandbox.dwarf` hold. What may be referred to more than once, which are tables of
abbreviations and of files, lists of ranges and names, is paid from one budget: a small file cannot ask for much.

Source: the DWARF standard, version 5, sections 3.3.8, 7.5 and 7.25.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

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
# A second reads one to two MiB; a guest of some size has a quarter of one with all of rustc's debug information.
INFO_MAX: Final = 4 << 20
_BUDGET: Final = 1_000_000
_DEPTH_MAX: Final = 256
_NAME_MAX: Final = 4096
_SCOPE_MAX: Final = 256
# From a function to its abstract instance, to what that specifies, and one to spare.
_HOPS: Final = 3

# Names whose first angle bracket does not begin the types that a generic function is for, which may be very long.
_NOT_GENERIC: Final = ("<", "operator")

_UNIT, _FUNCTION, _INLINED, _NAMESPACE = 0x11, 0x2E, 0x1D, 0x39
_SCOPES: Final = frozenset((_NAMESPACE, 0x02, 0x04, 0x13, 0x17))
_NAME, _LINES, _LOW, _HIGH, _ORIGIN, _SPECIFICATION, _RANGES = 0x03, 0x10, 0x11, 0x12, 0x31, 0x47, 0x55
_CALL_FILE, _CALL_LINE, _LINKAGE, _OLD_LINKAGE = 0x58, 0x59, 0x6E, 0x2007
_STRINGS_BASE, _ADDRESSES_BASE, _RANGES_BASE = 0x72, 0x73, 0x74
_OF_UNITS: Final = frozenset((_LINES, _LOW, _STRINGS_BASE, _ADDRESSES_BASE, _RANGES_BASE))
_OF_FUNCTIONS: Final = frozenset((_NAME, _LINKAGE, _OLD_LINKAGE, _ORIGIN, _SPECIFICATION, _LOW))
_OF_INLINED: Final = frozenset((_ORIGIN, _LOW, _HIGH, _RANGES, _CALL_FILE, _CALL_LINE))
_WANTED: Final = {
    _UNIT: _OF_UNITS,
    _FUNCTION: _OF_FUNCTIONS,
    _INLINED: _OF_INLINED,
    **dict.fromkeys(_SCOPES, frozenset((_NAME,))),
}

_ADDR, _STRING, _STRP, _REF_ADDR, _FLAG_PRESENT, _STRX, _ADDRX, _LINE_STRP, _CONST, _RNGLISTX = (
    *(0x01, 0x08, 0x0E, 0x10, 0x19, 0x1A, 0x1B, 0x1F, 0x21, 0x23),
)
_FIXED: Final = {
    **{0x01: 4, 0x05: 2, 0x06: 4, 0x07: 8, 0x0B: 1, 0x0C: 1, 0x0E: 4, 0x10: 4, 0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8},
    **{0x17: 4, 0x19: 0, 0x1C: 4, 0x1D: 4, 0x1E: 16, 0x1F: 4, 0x20: 8, 0x21: 0, 0x24: 8},
    **{0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4, 0x29: 1, 0x2A: 2, 0x2B: 3, 0x2C: 4},
}
_ULEBS: Final = frozenset((0x0D, 0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23))
_BLOCKS: Final = {0x03: 2, 0x04: 4, 0x0A: 1}
_ULEB_BLOCKS: Final = frozenset((0x09, 0x18))
_STRING_INDEXES: Final = frozenset((_STRX, 0x25, 0x26, 0x27, 0x28))
_ADDRESS_INDEXES: Final = frozenset((_ADDRX, 0x29, 0x2A, 0x2B, 0x2C))
_UNIT_REFERENCES: Final = frozenset((0x11, 0x12, 0x13, 0x14, 0x15))


class Call(NamedTuple):
    """An inlined call of ``name`` from this line, which is of the call numbered ``parent``, or of 0, the function."""

    parent: int
    name: str
    path: str
    line: int


class Inlined(NamedTuple):
    """``calls``, numbered from 1, and ``regions``: from an address on the code is of the call of a number, or 0."""

    calls: list[Call]
    regions: list[tuple[int, int]]


class _Value(NamedTuple):
    form: int
    number: int
    text: str = ""


_Values = dict[int, _Value]


class _Step(NamedTuple):
    """An attribute to keep, or with attribute 0 one to pass over, or with form 0 so many bytes."""

    attribute: int
    form: int
    number: int


class _Shape(NamedTuple):
    tag: int
    has_children: bool
    steps: list[_Step]


class _Unit:
    """What the values of one unit are relative to."""

    def __init__(self, begin: int, version: int) -> None:
        self.begin = begin
        self.version = version
        self.values: _Values = {}

    def base(self, attribute: int) -> int:
        found = self.values.get(attribute)
        return found.number if found is not None else 8


class _Function(NamedTuple):
    unit: _Unit
    values: _Values
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
        self._budget = _BUDGET
        self._shapes: dict[int, dict[int, _Shape]] = {}
        self._files: dict[int, list[str]] = {}
        self._functions: dict[int, _Function] = {}
        self._names: dict[int, str] = {}
        self._found: list[tuple[_Unit, _Values, int]] = []
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

    def _pay(self, price: int = 1) -> None:
        self._budget -= price
        if self._budget < 0:
            raise ValueError("too much")

    def _read_unit(self, reader: Reader, begin: int) -> None:
        version = reader.fixed(2)
        if not 2 <= version <= 5:
            return
        if version == 5:
            kind, size, abbreviations = reader.fixed(1), reader.fixed(1), reader.fixed(4)
        else:
            kind, abbreviations, size = 1, reader.fixed(4), reader.fixed(1)
        if kind == 1 and size == 4:
            self._read_entries(reader, _Unit(begin, version), self._shapes_at(abbreviations))

    def _read_entries(self, reader: Reader, unit: _Unit, shapes: dict[int, _Shape]) -> None:
        # Of each open entry: the name of its scope, the call that it is part of, and whether its code is linked.
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
            values = _values(reader, shape.steps)
            inner = (scope, call, linked)
            tag = shape.tag
            if tag == _INLINED:
                if linked:
                    inner = (scope, self._add(unit, values, call, len(stack)), linked)
            elif tag == _FUNCTION:
                self._functions[offset] = _Function(unit, values, scope)
                low = values.get(_LOW)
                inner = (scope, 0, low is None or self._address(unit, low) not in TOMBSTONES)
            elif tag in _SCOPES:
                inner = (self._scoped(scope, self._text(unit, values.get(_NAME))), call, linked)
            elif tag == _UNIT:
                unit.values = values
            if shape.has_children:
                if len(stack) == _DEPTH_MAX:
                    raise ValueError("too deep")
                stack.append((scope, call, linked))
                scope, call, linked = inner

    def _scoped(self, scope: str, name: str) -> str:
        return f"{scope}::{name}"[-_SCOPE_MAX:] if scope and name else scope or name

    def _add(self, unit: _Unit, values: _Values, parent: int, depth: int) -> int:
        self._found.append((unit, values, parent))
        number = len(self._found)
        for low, high in self._ranges(unit, values):
            if low < high and low not in TOMBSTONES:
                self._intervals.append(_Interval(low, high, depth, number))
        return number

    def _call(self, unit: _Unit, values: _Values, parent: int) -> Call:
        path = ""
        line = values[_CALL_LINE].number if _CALL_LINE in values else 0
        if _CALL_FILE in values and _LINES in unit.values:
            paths = self._paths_at(unit.values[_LINES].number)
            file = values[_CALL_FILE].number
            path = paths[file] if file < len(paths) else ""
        return Call(parent, self._name(self._reference(unit, values.get(_ORIGIN))), path, line)

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
            mangled = self._text(unit, values.get(_LINKAGE) or values.get(_OLD_LINKAGE)) or mangled
            readable = demangle(mangled)
            if readable != mangled:
                return readable
            if name := self._text(unit, values.get(_NAME)):
                return self._scoped(scope, name if name.startswith(_NOT_GENERIC) else name.partition("<")[0])
            offset = self._reference(unit, values.get(_ORIGIN) or values.get(_SPECIFICATION))
        return mangled

    def _reference(self, unit: _Unit, value: _Value | None) -> int:
        if value is None:
            return -1
        if value.form in _UNIT_REFERENCES:
            return unit.begin + value.number
        return value.number if value.form == _REF_ADDR else -1

    def _text(self, unit: _Unit, value: _Value | None) -> str:
        if value is None or value.form == _STRING:
            return value.text if value is not None else ""
        offset, section = value.number, ".debug_line_str" if value.form == _LINE_STRP else ".debug_str"
        if value.form in _STRING_INDEXES:
            offset = Reader(self._section(".debug_str_offsets"), unit.base(_STRINGS_BASE) + 4 * offset).fixed(4)
        elif value.form not in (_STRP, _LINE_STRP):
            return ""
        data = self._section(section)
        end = data.find(b"\0", offset, offset + _NAME_MAX)
        # Many names may be one text.
        self._pay(1 + (end - offset) // 64)
        return data[offset:end].decode(errors="replace") if end >= 0 else ""

    def _address(self, unit: _Unit, value: _Value) -> int:
        if value.form in _ADDRESS_INDEXES:
            return self._indexed(unit, value.number)
        return value.number

    def _indexed(self, unit: _Unit, index: int) -> int:
        return Reader(self._section(".debug_addr"), unit.base(_ADDRESSES_BASE) + 4 * index).fixed(4)

    def _ranges(self, unit: _Unit, values: _Values) -> Iterator[tuple[int, int]]:
        low, high, ranges = values.get(_LOW), values.get(_HIGH), values.get(_RANGES)
        if ranges is not None:
            base = self._address(unit, unit.values[_LOW]) if _LOW in unit.values else 0
            if unit.version < 5:
                yield from self._old_list(ranges.number, base)
            else:
                yield from self._list(unit, self._list_offset(unit, ranges), base)
        elif low is not None and high is not None:
            begin = self._address(unit, low)
            absolute = high.form == _ADDR or high.form in _ADDRESS_INDEXES
            yield begin, self._address(unit, high) if absolute else begin + high.number

    def _old_list(self, offset: int, base: int) -> Iterator[tuple[int, int]]:
        reader = Reader(self._section(".debug_ranges"), offset)
        while True:
            self._pay()
            low, high = reader.fixed(4), reader.fixed(4)
            if not low and not high:
                return
            if low == 0xFFFFFFFF:
                base = high
            elif low not in TOMBSTONES or not low:
                yield base + low, base + high

    def _list_offset(self, unit: _Unit, ranges: _Value) -> int:
        if ranges.form != _RNGLISTX:
            return ranges.number
        base = unit.values[_RANGES_BASE].number if _RANGES_BASE in unit.values else 12
        return base + Reader(self._section(".debug_rnglists"), base + 4 * ranges.number).fixed(4)

    def _list(self, unit: _Unit, offset: int, base: int) -> Iterator[tuple[int, int]]:
        reader = Reader(self._section(".debug_rnglists"), offset)
        while True:
            self._pay()
            kind = reader.fixed(1)
            if kind == 0:
                return
            if kind == 1:
                base = self._indexed(unit, reader.uleb())
            elif kind == 2:
                yield self._indexed(unit, reader.uleb()), self._indexed(unit, reader.uleb())
            elif kind == 3:
                low = self._indexed(unit, reader.uleb())
                yield low, low + reader.uleb()
            elif kind == 4:
                low, high = base + reader.uleb(), base + reader.uleb()
                if base not in TOMBSTONES or not base:
                    yield low, high
            elif kind == 5:
                base = reader.fixed(4)
            elif kind == 6:
                yield reader.fixed(4), reader.fixed(4)
            elif kind == 7:
                low = reader.fixed(4)
                yield low, low + reader.uleb()
            else:
                raise ValueError(f"a range of kind {kind}")

    def _paths_at(self, offset: int) -> list[str]:
        known = self._files.get(offset)
        if known is None:
            try:
                known = file_paths(self._sections, offset)
            except (ValueError, IndexError):
                known = []
            self._pay(1 + sum(map(len, known)))
            self._files[offset] = known
        return known

    def _shapes_at(self, offset: int) -> dict[int, _Shape]:
        known = self._shapes.get(offset)
        if known is None:
            known = self._shapes[offset] = {}
            reader = Reader(self._section(".debug_abbrev"), offset)
            while number := reader.uleb():
                tag, has_children = reader.uleb(), bool(reader.fixed(1))
                known[number] = _Shape(tag, has_children, self._steps(reader, _WANTED.get(tag, frozenset())))
        return known

    def _steps(self, reader: Reader, wanted: frozenset[int]) -> list[_Step]:
        steps: list[_Step] = []
        kept = set()
        while True:
            self._pay()
            attribute, form = reader.uleb(), reader.uleb()
            number = reader.sleb() if form == _CONST else 0
            if not attribute and not form:
                return steps
            if attribute in wanted and attribute not in kept and form != _FLAG_PRESENT:
                kept.add(attribute)
                steps.append(_Step(attribute, form, number))
            elif form not in _FIXED:
                steps.append(_Step(0, form, 0))
            elif steps and not steps[-1].form:
                steps[-1] = _Step(0, 0, steps[-1].number + _FIXED[form])
            elif _FIXED[form]:
                steps.append(_Step(0, 0, _FIXED[form]))


def _values(reader: Reader, steps: list[_Step]) -> _Values:
    values: _Values = {}
    for attribute, form, number in steps:
        if not form:
            reader.take(number)
        elif attribute:
            values[attribute] = _Value(form, number) if form == _CONST else _value(reader, form)
        else:
            _value(reader, form)
    return values


def _value(reader: Reader, form: int) -> _Value:
    if form in _FIXED:
        return _Value(form, reader.fixed(_FIXED[form]))
    if form in _ULEBS:
        return _Value(form, reader.uleb())
    if form == _STRING:
        return _Value(form, 0, reader.text()[:_NAME_MAX])
    if form in _BLOCKS:
        reader.take(reader.fixed(_BLOCKS[form]))
    elif form in _ULEB_BLOCKS:
        reader.take(reader.uleb())
    else:
        raise ValueError(f"form {form:#x}")
    return _Value(form, 0)


def _regions(intervals: list[_Interval]) -> Iterator[tuple[int, int]]:
    """Of intervals that hold each other, for every address the innermost."""
    intervals.sort(key=lambda interval: (interval.low, -interval.high, interval.depth))
    stack: list[tuple[int, int]] = []
    for low, high, _, call in intervals:
        while stack and stack[-1][0] <= low:
            end, _ = stack.pop()
            yield end, stack[-1][1] if stack else 0
        # An entry's code is within its parent's, whatever a file says.
        stack.append((min(high, stack[-1][0]) if stack else high, call))
        yield low, call
    while stack:
        end, _ = stack.pop()
        yield end, stack[-1][1] if stack else 0
