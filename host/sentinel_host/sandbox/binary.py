"""Just enough of WebAssembly's binary format to find modules, export names and custom sections,
without an engine.

Rule 1: nothing but `MalformedWasm` is raised, whatever the bytes.
Rule 2: a length is compared with what is left before anything is sliced or looped over.
Rule 3: nothing here decides whether code may run. `check` compares the types that the engine
        reports after validation, because a second parser could read the same bytes differently.

Sources: the core specification, "Binary Format"; the component model, Binary.md; tool-conventions,
ProducersSection.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

CORE_HEADER = b"\0asm\x01\0\0\0"
COMPONENT_HEADER = b"\0asm\x0d\0\x01\0"

_CUSTOM = 0
_EXPORT = 7
_CODE = 10
_COMPONENT_CORE_MODULE = 1

_EXPORT_KINDS = ("func", "table", "memory", "global", "tag")

Producers = dict[str, list[tuple[str, str]]]
"""Field (``language``, ``processed-by``, ``sdk``) to pairs of name and version."""


@dataclass(frozen=True, slots=True)
class CustomSection:
    """A custom section: where it begins in the file, its number included, where it ends, and what
    follows its name.
    """

    name: str
    begin: int
    end: int
    body: bytes


class MalformedWasm(ValueError):
    """The bytes are not what a WebAssembly file may hold; the text says what and where."""


class _Reader:
    """A cursor over a slice of the file; `what` names the slice in errors."""

    def __init__(self, data: bytes, start: int, end: int, what: str) -> None:
        self.data = data
        self.at = start
        self.end = end
        self.what = what

    def take(self, size: int) -> bytes:
        if size > self.end - self.at:
            raise MalformedWasm(f"{self.what} is truncated at byte {self.at}")
        self.at += size
        return self.data[self.at - size : self.at]

    def u32(self) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                if value >= 1 << 32:
                    break
                return value
        raise MalformedWasm(f"{self.what} has a bad number before byte {self.at}")

    def name(self) -> str:
        try:
            return self.take(self.u32()).decode()
        except UnicodeDecodeError:
            raise MalformedWasm(f"{self.what} has a name that is not UTF-8 before byte {self.at}") from None


def is_component(data: bytes) -> bool:
    """Whether this is a component rather than a core module; refuses anything else."""
    if data.startswith(CORE_HEADER):
        return False
    if data.startswith(COMPONENT_HEADER):
        return True
    if not data:
        raise MalformedWasm("is empty")
    if not data.startswith(CORE_HEADER[:4]):
        raise MalformedWasm("is not WebAssembly")
    if len(data) < len(CORE_HEADER):
        raise MalformedWasm("is truncated in its header")
    raise MalformedWasm(f"has an unknown WebAssembly version {data[4:8].hex()}")


def _sections(data: bytes) -> Iterator[tuple[int, _Reader]]:
    file = _Reader(data, len(CORE_HEADER), len(data), "the file")
    while file.at < file.end:
        number = file.take(1)[0]
        size = file.u32()
        start = file.at
        if size > file.end - start:
            raise MalformedWasm(
                f"is truncated: section {number} at byte {start} has {file.end - start} of {size} bytes"
            )
        file.at += size
        yield number, _Reader(data, start, file.at, f"section {number}")


def core_modules(component: bytes) -> list[bytes]:
    """The core modules that stand in a component itself, in order."""
    return [
        reader.take(reader.end - reader.at)
        for number, reader in _sections(component)
        if number == _COMPONENT_CORE_MODULE
    ]


def exports(module: bytes) -> dict[str, str]:
    """A core module's exports: name to kind."""
    found: dict[str, str] = {}
    for number, reader in _sections(module):
        if number != _EXPORT:
            continue
        for _ in range(reader.u32()):
            name = reader.name()
            kind = reader.take(1)[0]
            reader.u32()
            if kind >= len(_EXPORT_KINDS):
                raise MalformedWasm(f"export {name} has an unknown kind {kind}")
            found[name] = _EXPORT_KINDS[kind]
    return found


def code_offset(module: bytes) -> int | None:
    """Where the content of a core module's code section begins."""
    return next((reader.at for number, reader in _sections(module) if number == _CODE), None)


def functions(module: bytes) -> list[int]:
    """Where the functions of a core module begin in it, each with its length, in order; empty
    without code.
    """
    begins = []
    for number, reader in _sections(module):
        if number == _CODE:
            for _ in range(reader.u32()):
                begins.append(reader.at)
                reader.take(reader.u32())
    return begins


def custom_sections(data: bytes, name: str) -> list[CustomSection]:
    """The custom sections of that name, in order; those of modules inside a component are not among
    them.

    One whose name cannot be read has another.
    """
    found = []
    begin = len(CORE_HEADER)
    for number, reader in _sections(data):
        if number == _CUSTOM and _is_named(reader, name):
            found.append(CustomSection(name, begin, reader.end, reader.take(reader.end - reader.at)))
        begin = reader.end
    return found


def _is_named(section: _Reader, name: str) -> bool:
    try:
        return section.name() == name
    except MalformedWasm:
        return False


def producers(data: bytes) -> Producers:
    """The ``producers`` custom section, for information only; empty if there is none or it is
    malformed.
    """
    found: Producers = {}
    for number, reader in _sections(data):
        try:
            if number != _CUSTOM or reader.name() != "producers":
                continue
            for _ in range(reader.u32()):
                pairs = found.setdefault(reader.name(), [])
                for _ in range(reader.u32()):
                    pairs.append((reader.name(), reader.name()))
        except MalformedWasm:
            return {}
    return found


def custom_section(name: str, body: bytes) -> bytes:
    """A custom section, ready to be put at the end of a file."""
    named = leb128(len(name.encode())) + name.encode() + body
    return bytes((_CUSTOM,)) + leb128(len(named)) + named


def leb128(value: int) -> bytes:
    """An unsigned number as the format writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
