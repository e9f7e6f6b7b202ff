"""Debug information from hostile files, and what a table of lines finds."""

from __future__ import annotations

import json
import random

import pytest

from sentinel_host.sandbox import dwarf, sourcemap
from sentinel_host.sandbox.artefact import parse_artefact
from sentinel_host.sandbox.binary import code_offset, custom_section
from sentinel_host.sandbox.binary import functions as functions_of
from sentinel_host.sandbox.dwarf import Row
from sentinel_host.sandbox.lines import LineTable, pack_lines
from tests.wat import index


def unit(version: int, tables: bytes, program: bytes) -> bytes:
    """One unit of ``.debug_line``, with a line base of -5, a range of 14 and the standard's
    opcodes.
    """
    header = b"\1" + (b"\1" if version >= 4 else b"") + b"\1\xfb\x0e\x0d" + bytes((0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1))
    sizes = b"\x04\0" if version >= 5 else b""
    rest = (
        version.to_bytes(2, "little") + sizes + len(header + tables).to_bytes(4, "little") + header + tables + program
    )
    return len(rest).to_bytes(4, "little") + rest


OLD = b"src\0\0" + b"lib.rs\0\1\0\0" + b"main.rs\0\0\0\0" + b"\0"
# Directories in line strings, files with a form each: inline text, and the directory's number.
NEW = b"\1\1\x1f\2" + b"\0\0\0\0" + b"\5\0\0\0" + b"\2\1\x08\2\x0b\2" + b"lib.rs\0\1" + b"main.rs\0\0"
LINE_STR = b"comp\0src\0"
# Set the address to 16, advance by 9 lines, copy; a special opcode for 2 bytes and 3 lines; file 2;
# another; the end.
PROGRAM = b"\0\5\2\x10\0\0\0" + b"\3\x09\1" + bytes((13 + 2 * 14 + 8,)) + b"\4\2\2\4\1" + b"\2\4" + b"\0\1\1"


@pytest.mark.parametrize("version", [2, 3, 4])
def test_older_tables(version: int) -> None:
    rows = dwarf.rows({".debug_line": unit(version, OLD, PROGRAM)})
    assert rows == [(16, "src/lib.rs", 10), (18, "src/lib.rs", 13), (22, "main.rs", 13), (26, "", 0)]


def test_version_5() -> None:
    program = PROGRAM.replace(b"\4\2", b"\4\1")
    rows = dwarf.rows({".debug_line": unit(5, NEW, b"\4\0" + program), ".debug_line_str": LINE_STR})
    assert rows == [(16, "src/lib.rs", 10), (18, "src/lib.rs", 13), (22, "comp/main.rs", 13), (26, "", 0)]


def test_code_that_the_linker_left_out() -> None:
    program = PROGRAM.replace(b"\x10\0\0\0", b"\0\0\0\0") + PROGRAM
    assert [row.address for row in dwarf.rows({".debug_line": unit(4, OLD, program)})] == [16, 18, 22, 26]


def test_mutated_tables_raise_nothing_else() -> None:
    """Whatever a file holds, reading it ends, and with an error of one's own."""
    chance = random.Random(1)
    for version, tables in ((4, OLD), (5, NEW)):
        whole = unit(version, tables, PROGRAM)
        for _ in range(5000):
            data = bytearray(whole)
            for _ in range(chance.randint(1, 4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            cut = bytes(data[: chance.randint(1, len(data))])
            try:
                dwarf.rows({".debug_line": cut, ".debug_line_str": LINE_STR})
            except (ValueError, IndexError):
                continue


def source_map(mappings: str, code: int = 10) -> bytes:
    return json.dumps({"version": 3, "sources": ["a/b/c/d.ts"], "mappings": mappings, "code": code}).encode()


def test_a_source_map() -> None:
    # Column 40 is line 1; column 44 line 3; column 46 is of no source.
    assert sourcemap.rows(source_map("wCAAA,IAEA,E")) == [(30, "a/b/c/d.ts", 1), (34, "a/b/c/d.ts", 3), (36, "", 0)]


@pytest.mark.parametrize(
    "section",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        source_map("!"),
        source_map("ACAA"),
        source_map("ADAA"),
        source_map("ggggggggggggggggggggA"),
        b'{"sources": 1, "mappings": "", "code": 0}',
    ],
)
def test_what_is_no_source_map(section: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        sourcemap.rows(section)


def test_rows_of_the_authors_sources() -> None:
    """A library's row is told with the last of the author's before it in its function, or with the
    first behind it.
    """
    library, glue = "~lib/array.ts", "sentinel-guest.ts"
    rows = [Row(9, "a.ts", 1), Row(10, library, 5), Row(12, "", 0), Row(14, "a.ts", 2), Row(15, library, 6)]
    rows += [Row(20, "", 0), Row(21, library, 7), Row(22, glue, 8), Row(23, "a.ts", 3), Row(30, library, 9)]
    assert sourcemap.bounded(rows, [10, 18, 20, 30]) == [*rows[:5], Row(18, "", 0), *rows[5:]]
    assert sourcemap.own_rows(rows, [10, 18, 20, 30]) == [0, 3, 3, 3, 3, 8, 8, 8, 8, 9]


def test_a_table_finds_what_was_packed() -> None:
    core = index.wasm("good/echo")
    code, functions = code_offset(core), functions_of(core)
    assert code is not None
    mappings = f"{vlq(functions[0])}AAA,EAEA,E"
    artefact = parse_artefact(core + custom_section("sentinel:source-map", source_map(mappings, code)), "x.wasm")
    table = LineTable(pack_lines(artefact))
    assert [table.describe("m!f", functions[0] + at) for at in range(-1, 6)] == [
        ["m!f"],
        ["m!f (b/c/d.ts:1)"],
        ["m!f (b/c/d.ts:1)"],
        ["m!f (b/c/d.ts:3)"],
        ["m!f (b/c/d.ts:3)"],
        ["m!f (near b/c/d.ts:3)"],
        ["m!f (near b/c/d.ts:3)"],
    ]
    assert table.describe("m!f", functions[1]) == ["m!f"]
    assert table.describe("m!f", len(core) - 1) == ["m!f"]


def vlq(value: int) -> str:
    """A small positive number as source maps write it."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    value *= 2
    text = ""
    while value > 31:
        text += digits[value & 31 | 32]
        value >>= 5
    return text + digits[value]


def test_names_are_demangled_without_a_table() -> None:
    assert LineTable(b"").describe("a!b!_ZN3one3twoE", 1) == ["a!b!one::two"]
    assert LineTable(b"").describe("<module>!<function 3>", 1) == ["<module>!<function 3>"]


@pytest.mark.parametrize("section", [b"garbage", source_map("!"), source_map("ACAA")])
def test_what_cannot_be_read_is_as_good_as_none(section: bytes) -> None:
    artefact = parse_artefact(index.wasm("good/echo") + custom_section("sentinel:source-map", section), "x.wasm")
    assert pack_lines(artefact) == b""


def test_a_dwarf_section_that_is_none() -> None:
    artefact = parse_artefact(index.wasm("good/echo") + custom_section(".debug_line", b"\xff" * 100), "x.wasm")
    assert pack_lines(artefact) == b""
