"""Abbreviations of DWARF, versions 2 to 5: which attributes an entry has, in which forms, and
reading them.

Source: the DWARF standard, version 5, sections 7.5.3, 7.5.5 and 7.5.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from sentinel_host.sandbox.dwarf import Reader

NAME_MAX: Final = 4096

ADDR, STRING, STRP, REF_ADDR, FLAG_PRESENT, STRX, ADDRX, LINE_STRP, CONST, RNGLISTX = (
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
STRING_INDEXES: Final = frozenset((STRX, 0x25, 0x26, 0x27, 0x28))
ADDRESS_INDEXES: Final = frozenset((ADDRX, 0x29, 0x2A, 0x2B, 0x2C))
UNIT_REFERENCES: Final = frozenset((0x11, 0x12, 0x13, 0x14, 0x15))


class Budget:
    """How much work the reader may still do on entries that can be referenced more than once."""

    def __init__(self, left: int) -> None:
        self._left = left

    def pay(self, price: int = 1) -> None:
        """Raises `ValueError` once nothing is left."""
        self._left -= price
        if self._left < 0:
            raise ValueError("too much")


class Value(NamedTuple):
    """The value of an attribute in its form: a number, or a text that the entry itself holds."""

    form: int
    number: int
    text: str = ""


Values = dict[int, Value]
"""Values by attribute."""


class Step(NamedTuple):
    """An attribute to keep; with attribute 0, one to skip; with form 0, a number of bytes to
    skip.
    """

    attribute: int
    form: int
    number: int


class Shape(NamedTuple):
    """What an abbreviation says about its entries."""

    tag: int
    has_children: bool
    steps: list[Step]


class Abbreviations:
    """The tables of ``.debug_abbrev``. ``wanted`` has, by tag, the attributes that are kept."""

    def __init__(self, section: bytes, wanted: Mapping[int, frozenset[int]], budget: Budget) -> None:
        self._section = section
        self._wanted = wanted
        self._budget = budget
        self._tables: dict[int, dict[int, Shape]] = {}

    def at(self, offset: int) -> dict[int, Shape]:
        """The table at an offset. Raises `ValueError` and `IndexError`."""
        known = self._tables.get(offset)
        if known is None:
            known = self._tables[offset] = {}
            reader = Reader(self._section, offset)
            while number := reader.uleb():
                tag, has_children = reader.uleb(), bool(reader.fixed(1))
                known[number] = Shape(tag, has_children, self._steps(reader, self._wanted.get(tag, frozenset())))
        return known

    def _steps(self, reader: Reader, wanted: frozenset[int]) -> list[Step]:
        steps: list[Step] = []
        kept = set()
        while True:
            self._budget.pay()
            attribute, form = reader.uleb(), reader.uleb()
            number = reader.sleb() if form == CONST else 0
            if not attribute and not form:
                return steps
            if attribute in wanted and attribute not in kept and form != FLAG_PRESENT:
                kept.add(attribute)
                steps.append(Step(attribute, form, number))
            elif form not in _FIXED:
                steps.append(Step(0, form, 0))
            elif steps and not steps[-1].form:
                steps[-1] = Step(0, 0, steps[-1].number + _FIXED[form])
            elif _FIXED[form]:
                steps.append(Step(0, 0, _FIXED[form]))


def read_values(reader: Reader, steps: list[Step]) -> Values:
    """The values of one entry. Raises `ValueError` and `IndexError`."""
    values: Values = {}
    for attribute, form, number in steps:
        if not form:
            reader.take(number)
        elif attribute:
            values[attribute] = Value(form, number) if form == CONST else _value(reader, form)
        else:
            _value(reader, form)
    return values


def _value(reader: Reader, form: int) -> Value:
    if form in _FIXED:
        return Value(form, reader.fixed(_FIXED[form]))
    if form in _ULEBS:
        return Value(form, reader.uleb())
    if form == STRING:
        return Value(form, 0, reader.text()[:NAME_MAX])
    if form in _BLOCKS:
        reader.take(reader.fixed(_BLOCKS[form]))
    elif form in _ULEB_BLOCKS:
        reader.take(reader.uleb())
    else:
        raise ValueError(f"form {form:#x}")
    return Value(form, 0)
