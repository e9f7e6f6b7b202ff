"""What attributes of DWARF stand for, versions 2 to 5: texts, addresses, references and ranges.

Source: the DWARF standard, version 5, sections 7.5.5, 7.25, 7.26 and 7.27.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sentinel_host.sandbox.abbreviations import (
    ADDR,
    ADDRESS_INDEXES,
    LINE_STRP,
    NAME_MAX,
    REF_ADDR,
    RNGLISTX,
    STRING,
    STRING_INDEXES,
    STRP,
    UNIT_REFERENCES,
    Budget,
    Value,
    Values,
)
from sentinel_host.sandbox.dwarf import TOMBSTONES, Reader

LOW: Final = 0x11
HIGH: Final = 0x12
RANGES: Final = 0x55
STRINGS_BASE: Final = 0x72
ADDRESSES_BASE: Final = 0x73
RANGES_BASE: Final = 0x74


class Unit:
    """What the values of one unit are relative to: its first byte, its version and the values of
    its own entry.
    """

    def __init__(self, begin: int, version: int) -> None:
        self.begin = begin
        self.version = version
        self.values: Values = {}

    def base(self, attribute: int) -> int:
        """Where the unit's part of a section begins that is used by index."""
        found = self.values.get(attribute)
        return found.number if found is not None else 8


class Attributes:
    """Reads what values of `Unit` refer to in other sections. All methods raise `ValueError` and
    `IndexError`.
    """

    def __init__(self, sections: Mapping[str, bytes], budget: Budget) -> None:
        self._sections = sections
        self._budget = budget

    def _section(self, name: str) -> bytes:
        return self._sections.get(name, b"")

    def reference(self, unit: Unit, value: Value | None) -> int:
        """The offset of the entry that a value refers to, -1 if it refers to none."""
        if value is None:
            return -1
        if value.form in UNIT_REFERENCES:
            return unit.begin + value.number
        return value.number if value.form == REF_ADDR else -1

    def text(self, unit: Unit, value: Value | None) -> str:
        """The text that a value stands for, empty if there is none."""
        if value is None or value.form == STRING:
            return value.text if value is not None else ""
        offset, section = value.number, ".debug_line_str" if value.form == LINE_STRP else ".debug_str"
        if value.form in STRING_INDEXES:
            offset = Reader(self._section(".debug_str_offsets"), unit.base(STRINGS_BASE) + 4 * offset).fixed(4)
        elif value.form not in (STRP, LINE_STRP):
            return ""
        data = self._section(section)
        end = data.find(b"\0", offset, offset + NAME_MAX)
        # Many names may be one text.
        self._budget.pay(1 + (end - offset) // 64)
        return data[offset:end].decode(errors="replace") if end >= 0 else ""

    def address(self, unit: Unit, value: Value) -> int:
        """The address that a value stands for."""
        if value.form in ADDRESS_INDEXES:
            return self._indexed(unit, value.number)
        return value.number

    def _indexed(self, unit: Unit, index: int) -> int:
        return Reader(self._section(".debug_addr"), unit.base(ADDRESSES_BASE) + 4 * index).fixed(4)

    def ranges(self, unit: Unit, values: Values) -> Iterator[tuple[int, int]]:
        """The ranges of addresses that an entry covers."""
        low, high, ranges = values.get(LOW), values.get(HIGH), values.get(RANGES)
        if ranges is not None:
            base = self.address(unit, unit.values[LOW]) if LOW in unit.values else 0
            if unit.version < 5:
                yield from self._old_list(ranges.number, base)
            else:
                yield from self._list(unit, self._list_offset(unit, ranges), base)
        elif low is not None and high is not None:
            begin = self.address(unit, low)
            absolute = high.form == ADDR or high.form in ADDRESS_INDEXES
            yield begin, self.address(unit, high) if absolute else begin + high.number

    def _old_list(self, offset: int, base: int) -> Iterator[tuple[int, int]]:
        reader = Reader(self._section(".debug_ranges"), offset)
        while True:
            self._budget.pay()
            low, high = reader.fixed(4), reader.fixed(4)
            if not low and not high:
                return
            if low == 0xFFFFFFFF:
                base = high
            elif low not in TOMBSTONES or not low:
                yield base + low, base + high

    def _list_offset(self, unit: Unit, ranges: Value) -> int:
        if ranges.form != RNGLISTX:
            return ranges.number
        base = unit.values[RANGES_BASE].number if RANGES_BASE in unit.values else 12
        return base + Reader(self._section(".debug_rnglists"), base + 4 * ranges.number).fixed(4)

    def _list(self, unit: Unit, offset: int, base: int) -> Iterator[tuple[int, int]]:
        reader = Reader(self._section(".debug_rnglists"), offset)
        while True:
            self._budget.pay()
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
