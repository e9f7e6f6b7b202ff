"""Core modules taken apart: their imports, exports and types, and the same with other sections."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from sentinel_host.authoring.flatten.reader import CannotFlatten, Reader, at, name, number, section, sections

TYPE: Final = 1
IMPORT: Final = 2
FUNCTIONS: Final = 3
TABLE: Final = 4
MEMORY: Final = 5
GLOBAL: Final = 6
EXPORT: Final = 7
START: Final = 8
CODE: Final = 10
DATA_COUNT: Final = 12
DATA: Final = 11

# Sections with numbers in the order in which they stand: 9 are elements, 13 are tags.
_ORDER: Final = (TYPE, IMPORT, FUNCTIONS, TABLE, MEMORY, 13, GLOBAL, EXPORT, START, 9, DATA_COUNT, CODE, DATA)

FUNCTION: Final = 0

_VALUE_TYPES: Final = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x70: "funcref"}
# Elements of all tables together. The largest interpreter known has 10,000; a table is memory from
# the start.
_MOST_ELEMENTS: Final = 1_000_000

# What constant expressions are made of: i32.const and i64.const, f32.const and f64.const with their
# sizes, v128.const; global.get, ref.null and ref.func; i32 and i64's add, sub and mul.
_END: Final = 0x0B
_INTEGERS: Final = (0x41, 0x42)
_FLOATS: Final = {0x43: 4, 0x44: 8}
_VECTOR: Final = 0xFD
_REFERENCES: Final = (0x23, 0xD0, 0xD2)
_ARITHMETIC: Final = (0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E)

# No locals, `unreachable`, `end`.
_ONLY_TRAPS: Final = b"\x00\x00\x0b"

Signature = tuple[tuple[str, ...], tuple[str, ...]]
"""A function's parameters and results, as in the text format."""


@dataclass(frozen=True, slots=True)
class Import:
    """``kind`` is the number of its sort, ``raw`` the description with it, as it stands in the
    module.
    """

    module: str
    name: str
    kind: int
    raw: bytes

    def __str__(self) -> str:
        return f"{self.module} {self.name}"


def imports(module: bytes) -> list[Import]:
    """A module's imports, in order."""
    found: list[Import] = []
    for kind, _, reader in sections(module):
        if kind == IMPORT:
            found += [_import(reader) for _ in range(reader.u32())]
    return found


def _import(reader: Reader) -> Import:
    module, field, begin = reader.name(), reader.name(), reader.at
    kind = reader.byte()
    if kind == FUNCTION:
        reader.u32()
    elif kind == 1:
        _value_type(reader)
        _skip_limits(reader)
    elif kind == 2:
        _skip_limits(reader)
    elif kind == 3:
        _value_type(reader)
        reader.byte()
    else:
        raise CannotFlatten(f"imports {module} {field}, which is {'a tag' if kind == 4 else f'of kind {kind}'}")
    return Import(module, field, kind, reader.data[begin : reader.at])


def _value_type(reader: Reader) -> str:
    code = reader.byte()
    if code not in _VALUE_TYPES and code != 0x6F:
        raise CannotFlatten(f"uses a type {code:#x} that guests may not use")
    return _VALUE_TYPES.get(code, "externref")


def _skip_limits(reader: Reader) -> int:
    flags = reader.byte()
    if flags > 1:
        raise CannotFlatten("uses a memory or table that is shared or has 64 bits")
    least = reader.u32()
    if flags & 1:
        reader.u32()
    return least


def exports(module: bytes) -> dict[str, int]:
    """A module's exports: names with the numbers of their sorts."""
    found: dict[str, int] = {}
    for kind, _, reader in sections(module):
        if kind == EXPORT:
            for _ in range(reader.u32()):
                exported, sort = reader.name(), reader.byte()
                reader.u32()
                found[exported] = sort
    return found


def exported(module: bytes, sort: int) -> set[int]:
    """The indices of what a module exports of this sort."""
    found = set[int]()
    for kind, _, reader in sections(module):
        if kind == EXPORT:
            for _ in range(reader.u32()):
                _, exported_sort, index = reader.name(), reader.byte(), reader.u32()
                if exported_sort == sort:
                    found.add(index)
    return found


def signatures(module: bytes) -> list[Signature | None]:
    """A module's types by index, None for those that are no function's."""
    found: list[Signature | None] = []
    for kind, _, reader in sections(module):
        if kind == TYPE:
            for _ in range(reader.u32()):
                if reader.byte() != 0x60:
                    raise CannotFlatten("uses types of the garbage collection proposal")
                params = tuple(_value_type(reader) for _ in range(reader.u32()))
                found.append((params, tuple(_value_type(reader) for _ in range(reader.u32()))))
    return found


def is_number(reader: Reader) -> bool:
    """Pass over a constant expression; says whether it is a number and nothing else."""
    instructions = []
    while (code := reader.byte()) != _END:
        instructions.append(code)
        if code == _VECTOR:
            reader.u32()
            reader.take(16)
        elif code in _FLOATS:
            reader.take(_FLOATS[code])
        elif code in _INTEGERS or code in _REFERENCES:
            reader.skip_number()
        elif code not in _ARITHMETIC:
            raise CannotFlatten(f"has a constant expression with the instruction {code:#x}")
    return len(instructions) == 1 and (instructions[0] in _INTEGERS or instructions[0] in _FLOATS)


def traps(module: bytes) -> dict[str, Signature]:
    """The exported functions that do nothing but trap, of a module that imports nothing."""
    types, kinds, bodies = signatures(module), list[int](), list[bytes]()
    named: dict[str, int] = {}
    for kind, _, reader in sections(module):
        if kind == FUNCTIONS:
            kinds = [reader.u32() for _ in range(reader.u32())]
        elif kind == CODE:
            bodies = [reader.take(reader.u32()) for _ in range(reader.u32())]
        elif kind == EXPORT:
            for _ in range(reader.u32()):
                exported, _ = reader.name(), reader.byte()
                named[exported] = reader.u32()
    found = {}
    for exported, index in named.items():
        if index < len(bodies) and bodies[index] == _ONLY_TRAPS:
            signature = at(types, at(kinds, index, "function"), "type")
            if signature is not None:
                found[exported] = signature
    return found


def check_sizes(module: bytes) -> None:
    """Refuse tables that no guest needs before a tool makes room for them."""
    for kind, _, reader in sections(module):
        if kind == TABLE:
            elements = 0
            for _ in range(reader.u32()):
                _value_type(reader)
                elements += _skip_limits(reader)
            if elements > _MOST_ELEMENTS:
                raise CannotFlatten(f"has tables of {elements} elements, more than {_MOST_ELEMENTS}")


def memories(module: bytes) -> int:
    """How many memories a module defines."""
    return sum(reader.u32() for kind, _, reader in sections(module) if kind == MEMORY)


def has_section(module: bytes, wanted: int) -> bool:
    """Whether a module has a section of this number."""
    return any(kind == wanted for kind, _, _ in sections(module))


def without(module: bytes, unwanted: int) -> bytes:
    """The module without a section."""
    return _replaced(module, unwanted, lambda _: None)


def with_section(module: bytes, wanted: int, body: bytes) -> bytes:
    """The module with a section of this number in place of its own, or where one is due."""
    before = _ORDER[: _ORDER.index(wanted)]
    at = max((reader.end for kind, _, reader in sections(module) if kind in before), default=8)
    rest = without(module, wanted)
    return rest[:at] + section(wanted, body) + rest[at:]


def with_imports(module: bytes, renamed: Iterable[tuple[str, str, bytes]]) -> bytes:
    """The module with these imports in place of its own: module, name, description."""
    entries = [name(of) + name(field) + raw for of, field, raw in renamed]
    if not entries:
        return without(module, IMPORT)
    return with_section(module, IMPORT, number(len(entries)) + b"".join(entries))


def keep_exports(module: bytes, wanted: Callable[[str], bool]) -> bytes:
    """The module with those exports only whose names are wanted."""

    def kept(reader: Reader) -> bytes:
        entries = []
        for _ in range(reader.u32()):
            begin = reader.at
            exported = reader.name()
            reader.byte()
            reader.u32()
            if wanted(exported):
                entries.append(reader.data[begin : reader.at])
        return number(len(entries)) + b"".join(entries)

    return _replaced(module, EXPORT, kept)


def imported_start(module: bytes) -> Import | None:
    """The import that a module's start function is, if it is one."""
    for kind, _, reader in sections(module):
        if kind == START:
            index = reader.u32()
            functions = [entry for entry in imports(module) if entry.kind == FUNCTION]
            return functions[index] if index < len(functions) else None
    return None


def _replaced(module: bytes, wanted: int, other: Callable[[Reader], bytes | None]) -> bytes:
    out, end = bytearray(module[:8]), 8
    for kind, begin, reader in sections(module):
        end = reader.end
        if kind != wanted:
            out += module[begin:end]
        elif (body := other(reader)) is not None:
            out += section(kind, body)
    return bytes(out)


def without_custom_sections(module: bytes, keep: tuple[str, ...]) -> bytes:
    """The module with those custom sections only that have one of these names."""
    out = bytearray(module[:8])
    for kind, begin, reader in sections(module):
        end = reader.end
        if kind != 0 or reader.name() in keep:
            out += module[begin:end]
    return bytes(out)


def producers_body(told: dict[str, list[tuple[str, str]]]) -> bytes:
    """The content of a producers section: tool-conventions, ProducersSection.md."""
    fields = [
        name(field) + number(len(pairs)) + b"".join(name(tool) + name(version) for tool, version in pairs)
        for field, pairs in sorted(told.items())
    ]
    return number(len(fields)) + b"".join(fields)
