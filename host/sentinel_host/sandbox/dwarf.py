"""The line tables of DWARF, versions 2 to 5, as compilers put them into WebAssembly: which code is
of which line.

Rule 1: nothing but `ValueError` and `IndexError` is raised, whatever the bytes: a guest's file may
        hold anything.
Rule 2: every loop consumes bytes, and rows are bounded, so that a file costs no more than its size.

Sources: the DWARF standard, version 5, section 6.2; "DWARF for WebAssembly", by which an address is
the offset from the beginning of the code section's content.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

MAX_ROWS: Final = 2_000_000
# Many files may be in one folder, whose name may be as long as the section.
_PATH_MAX: Final = 1024

SECTIONS: Final = (".debug_line", ".debug_line_str", ".debug_str")

_FORM_BLOCK, _FORM_STRING, _FORM_DATA1, _FORM_DATA2, _FORM_DATA4, _FORM_DATA8 = 0x09, 0x08, 0x0B, 0x05, 0x06, 0x07
_FORM_STRP, _FORM_UDATA, _FORM_DATA16, _FORM_LINE_STRP = 0x0E, 0x0F, 0x1E, 0x1F
_SIZES: Final = {_FORM_DATA1: 1, _FORM_DATA2: 2, _FORM_DATA4: 4, _FORM_DATA8: 8, _FORM_DATA16: 16}
_CONTENT_PATH, _CONTENT_DIRECTORY = 1, 2
# What a linker writes as the address of code that it has left out.
TOMBSTONES: Final = frozenset((0, 0xFFFFFFFF, 0xFFFFFFFE))


class Row(NamedTuple):
    """The code from ``address`` on belongs to this line; ``path`` is empty if its source is
    unknown.
    """

    address: int
    path: str
    line: int


class Reader:
    """A cursor over a section, or over a part of one; raises `ValueError` at its end."""

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    def take(self, size: int) -> bytes:
        if size > self.end - self.at:
            raise ValueError("truncated")
        self.at += size
        return self.data[self.at - size : self.at]

    def fixed(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def signed_byte(self) -> int:
        return int.from_bytes(self.take(1), "little", signed=True)

    def uleb(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.fixed(1)
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
        raise ValueError("a number is too long")

    def sleb(self) -> int:
        begin = self.at
        value = self.uleb()
        bits = 7 * (self.at - begin)
        return value - (1 << bits) if value >> (bits - 1) & 1 else value

    def text(self) -> str:
        end = self.data.find(b"\0", self.at, self.end)
        if end < 0:
            raise ValueError("a text does not end")
        found = self.data[self.at : end]
        self.at = end + 1
        return found.decode(errors="replace")


def rows(sections: Mapping[str, bytes]) -> list[Row]:
    """All rows of ``.debug_line``, in the order of their addresses; ``sections`` may also hold the
    texts it refers to.

    Raises `ValueError` and `IndexError`.
    """
    found: list[Row] = []
    reader = Reader(sections.get(".debug_line", b""))
    while reader.at < reader.end:
        length = reader.fixed(4)
        if length >= 0xFFFFFFF0:
            raise ValueError("64-bit DWARF")
        unit = Reader(reader.data, reader.at, reader.at + length)
        reader.take(length)
        for row in _unit(unit, sections):
            if len(found) == MAX_ROWS:
                raise ValueError("too many rows")
            found.append(row)
    found.sort(key=lambda row: row.address)
    return found


def file_paths(sections: Mapping[str, bytes], offset: int) -> list[str]:
    """The paths that the line table at an offset in ``.debug_line`` numbers; raises `ValueError`
    and `IndexError`.
    """
    reader = Reader(sections.get(".debug_line", b""), offset)
    length = reader.fixed(4)
    if length > reader.end - reader.at:
        raise ValueError("truncated")
    reader.end = reader.at + length
    return _header(reader, sections).paths


class _Header(NamedTuple):
    paths: list[str]
    program: int
    minimum: int
    line_base: int
    line_range: int
    opcode_base: int
    operands: bytes


def _unit(reader: Reader, sections: Mapping[str, bytes]) -> Iterator[Row]:
    header = _header(reader, sections)
    reader.at = header.program
    yield from _run(reader, header)


def _header(reader: Reader, sections: Mapping[str, bytes]) -> _Header:
    version = reader.fixed(2)
    if not 2 <= version <= 5:
        raise ValueError(f"DWARF version {version}")
    if version >= 5:
        reader.take(2)
    length = reader.fixed(4)
    program = reader.at + length
    minimum = reader.fixed(1)
    if version >= 4:
        reader.take(1)
    reader.take(1)
    line_base, line_range, opcode_base = reader.signed_byte(), reader.fixed(1), reader.fixed(1)
    if not line_range or not opcode_base:
        raise ValueError("a header without a range")
    operands = reader.take(opcode_base - 1)
    paths = _paths(reader, sections) if version >= 5 else _old_paths(reader)
    return _Header(paths, program, minimum, line_base, line_range, opcode_base, operands)


def _old_paths(reader: Reader) -> list[str]:
    directories = [""]
    while directory := reader.text():
        directories.append(directory)
    paths = [""]
    while name := reader.text():
        paths.append(_join(directories[reader.uleb()], name))
        reader.uleb()
        reader.uleb()
    return paths


def _paths(reader: Reader, sections: Mapping[str, bytes]) -> list[str]:
    directories = [path for path, _ in _entries(reader, sections)]
    return [_join(directories[directory], path) for path, directory in _entries(reader, sections)]


def _entries(reader: Reader, sections: Mapping[str, bytes]) -> list[tuple[str, int]]:
    formats = [(reader.uleb(), reader.uleb()) for _ in range(reader.fixed(1))]
    count = reader.uleb()
    if count and not formats:
        raise ValueError("entries without a form")
    entries = []
    for _ in range(count):
        path, directory = "", 0
        for content, form in formats:
            value = _value(reader, form, sections)
            if content == _CONTENT_PATH and isinstance(value, str):
                path = value
            elif content == _CONTENT_DIRECTORY and isinstance(value, int):
                directory = value
        entries.append((path, directory))
    return entries


def _value(reader: Reader, form: int, sections: Mapping[str, bytes]) -> str | int:
    if form in _SIZES:
        return reader.fixed(_SIZES[form])
    if form == _FORM_UDATA:
        return reader.uleb()
    if form == _FORM_STRING:
        return reader.text()
    if form == _FORM_BLOCK:
        reader.take(reader.uleb())
        return 0
    if form in (_FORM_STRP, _FORM_LINE_STRP):
        section = sections.get(".debug_str" if form == _FORM_STRP else ".debug_line_str", b"")
        return Reader(section, reader.fixed(4)).text()
    raise ValueError(f"form {form:#x}")


def _join(directory: str, name: str) -> str:
    name = name[-_PATH_MAX:]
    return name if name.startswith("/") or not directory else f"{directory[-_PATH_MAX:]}/{name}"


def _run(reader: Reader, header: _Header) -> Iterator[Row]:
    """The line number program: sequences of rows, each ended by one without a source."""
    paths, _, minimum, line_base, line_range, opcode_base, operands = header
    address, file, line = 0, 1, 1
    sequence: list[Row] = []
    while reader.at < reader.end:
        opcode = reader.fixed(1)
        if opcode >= opcode_base:
            adjusted = opcode - opcode_base
            address += adjusted // line_range * minimum
            line += line_base + adjusted % line_range
            sequence.append(Row(address, paths[file], line))
        elif opcode == 0:
            size = reader.uleb()
            extended = Reader(reader.data, reader.at, reader.at + size)
            reader.take(size)
            kind = extended.fixed(1)
            if kind == 1:
                if sequence and sequence[0].address not in TOMBSTONES:
                    yield from sequence
                    yield Row(address, "", 0)
                address, file, line, sequence = 0, 1, 1, []
            elif kind == 2:
                address = extended.fixed(size - 1)
        elif opcode == 1:
            sequence.append(Row(address, paths[file], line))
        elif opcode == 2:
            address += reader.uleb() * minimum
        elif opcode == 3:
            line += reader.sleb()
        elif opcode == 4:
            file = reader.uleb()
        elif opcode == 8:
            address += (255 - opcode_base) // line_range * minimum
        elif opcode == 9:
            address += reader.fixed(2)
        else:
            for _ in range(operands[opcode - 1]):
                reader.uleb()
        if len(sequence) > MAX_ROWS:
            raise ValueError("too many rows")
