"""Inlined calls from ``.debug_info``, and from hostile bytes in its place."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from sentinel_host.sandbox.inlined import Call, Inlined, read_inlined
from tests.unit.sandbox.test_lines import LINE_STR, NEW, OLD, PROGRAM, unit

Sections = dict[str, bytes]


def uleb(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def abbreviations(*shapes: tuple[int, bool, list[tuple[int, int]]]) -> bytes:
    """A table of shapes, numbered from 1: a tag, whether there are children, and pairs of attribute
    and form.
    """
    out = b""
    for number, (tag, children, attributes) in enumerate(shapes, 1):
        pairs = b"".join(uleb(attribute) + uleb(form) for attribute, form in attributes)
        out += uleb(number) + uleb(tag) + bytes((children,)) + pairs + b"\0\0"
    return out + b"\0"


def info(version: int, entries: bytes) -> bytes:
    """One unit, whose entries begin at byte 11, or at 12 of version 5."""
    head = version.to_bytes(2, "little")
    head += b"\1\4\0\0\0\0" if version == 5 else b"\0\0\0\0\4"
    return (len(head) + len(entries)).to_bytes(4, "little") + head + entries


def u32(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def old() -> Sections:
    """Version 4: `outer` at 16 to 64 has `shown` inlined in 20 to 40 and 50 to 54, and there `deep`
    in 24 to 28.
    """
    table = abbreviations(
        (0x11, True, [(0x10, 0x17), (0x11, 0x01), (0x25, 0x08)]),
        (0x39, True, [(0x03, 0x08)]),
        (0x2E, False, [(0x03, 0x08), (0x20, 0x0B)]),
        (0x2E, False, [(0x6E, 0x0E), (0x03, 0x08)]),
        (0x2E, True, [(0x11, 0x01), (0x12, 0x06), (0x03, 0x08)]),
        (0x1D, True, [(0x31, 0x13), (0x55, 0x17), (0x58, 0x0B), (0x59, 0x05), (0x57, 0x0B)]),
        (0x0B, True, [(0x11, 0x01), (0x12, 0x06)]),
        (0x1D, False, [(0x31, 0x10), (0x11, 0x01), (0x12, 0x06), (0x58, 0x0B), (0x59, 0x0B)]),
    )
    entries = b"\1" + u32(0, 0) + b"cc\0" + b"\2" + b"space\0"
    shown = 11 + len(entries)
    entries += b"\3" + b"shown<T>\0" + b"\1" + b"\0"
    deep = 11 + len(entries)
    entries += b"\4" + u32(0) + b"x\0"
    entries += b"\5" + u32(16, 48) + b"outer\0"
    entries += b"\6" + u32(shown, 0) + b"\1" + b"\x2c\1" + b"\7"
    entries += b"\7" + u32(20, 20)
    entries += b"\x08" + u32(deep, 24, 4) + b"\2\x09"
    entries += b"\0\0\0"
    # A function that the linker has left out.
    entries += b"\5" + u32(0xFFFFFFFF, 48) + b"gone\0" + b"\x08" + u32(deep, 16, 40) + b"\1\1" + b"\0"
    return {
        ".debug_info": info(4, entries + b"\0"),
        ".debug_abbrev": table,
        ".debug_str": b"_ZN3one4deep17h0123456789abcdefE\0",
        ".debug_ranges": u32(20, 40, 0xFFFFFFFE, 0xFFFFFFFE, 0xFFFFFFFF, 48, 2, 6, 0, 0),
        ".debug_line": unit(4, OLD, PROGRAM),
    }


def new() -> Sections:
    """Version 5, by indexes: the same as in `old`, but that `shown` has a line that its
    abbreviation holds.
    """
    table = abbreviations(
        (0x11, True, [(0x10, 0x17), (0x11, 0x1B), (0x72, 0x17), (0x73, 0x17), (0x74, 0x17)]),
        (0x2E, False, [(0x03, 0x25), (0x27, 0x19)]),
        (0x2E, False, [(0x47, 0x13)]),
        (0x2E, True, [(0x11, 0x1B), (0x12, 0x06)]),
        (0x1D, True, [(0x31, 0x13), (0x55, 0x23), (0x58, 0x0B), (0x59, 0x0F)]),
        (0x1D, False, [(0x31, 0x13), (0x11, 0x29), (0x12, 0x0F), (0x58, 0x0B), (0x59, 0x0B), (0x02, 0x18)]),
    )
    entries = b"\1" + u32(0) + b"\0" + u32(8, 8, 12)
    shown = 12 + len(entries)
    entries += b"\2\0"
    deep = 12 + len(entries)
    entries += b"\2\1"
    specified = 12 + len(entries)
    entries += b"\3" + u32(deep)
    entries += b"\4" + b"\1" + u32(48)
    entries += b"\5" + u32(shown) + b"\0" + b"\0" + uleb(300)
    entries += b"\6" + u32(specified) + b"\2" + b"\4" + b"\1\x09" + b"\3abc"
    entries += b"\0\0\0"
    lists = u32(4) + b"\5" + u32(10) + b"\4\x0a\x1e" + b"\3\3\4" + b"\0"
    return {
        ".debug_info": info(5, entries),
        ".debug_abbrev": table,
        ".debug_str": b"space::shown\0one::deep\0",
        ".debug_str_offsets": bytes(8) + u32(0, 13),
        ".debug_addr": bytes(8) + u32(0, 16, 24, 50),
        ".debug_rnglists": bytes(12) + lists,
        ".debug_line": unit(5, NEW, b"\4\0" + PROGRAM.replace(b"\4\2", b"\4\1")),
        ".debug_line_str": LINE_STR,
    }


REGIONS = [(20, 1), (24, 2), (28, 1), (40, 0), (50, 1), (54, 0)]


def test_version_4() -> None:
    calls = [Call(0, "space::shown", "src/lib.rs", 300), Call(1, "one::deep", "main.rs", 9)]
    assert read_inlined(old()) == Inlined(calls, REGIONS)


def test_version_5() -> None:
    calls = [Call(0, "space::shown", "src/lib.rs", 300), Call(1, "one::deep", "comp/main.rs", 9)]
    assert read_inlined(new()) == Inlined(calls, REGIONS)


def test_no_information() -> None:
    assert read_inlined({}) == Inlined([], [])


@pytest.mark.parametrize("sections", [old(), new()])
def test_mutated_sections_raise_nothing_else(sections: Sections) -> None:
    """Whatever a file holds, reading it ends, with calls that lead outwards or with an error of
    one's own.
    """
    chance = random.Random(1)
    for _ in range(5000):
        changed = {name: bytearray(data) for name, data in sections.items()}
        for _ in range(chance.randint(1, 4)):
            data = changed[chance.choice([".debug_info", ".debug_abbrev", *changed])]
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            found = read_inlined({name: bytes(data) for name, data in changed.items()})
        except (ValueError, IndexError):
            continue
        assert all(call.parent < number for number, call in enumerate(found.calls, 1))
        assert all(call <= len(found.calls) for _, call in found.regions)
        assert all(before <= after for (before, _), (after, _) in pairwise(found.regions))


def many_units(table: bytes, count: int) -> Sections:
    """Units of nothing but a header, each with a table that begins one entry later."""
    units = b"".join(u32(7) + b"\4\0" + u32(5 * number) + b"\4" for number in range(count))
    return {".debug_info": units, ".debug_abbrev": table}


def many_ranges(count: int) -> Sections:
    """Inlined calls that have one long list of ranges together."""
    table = abbreviations((0x11, True, []), (0x1D, False, [(0x55, 0x17)]))
    ranges = u32(*range(1, 2 * count + 1)) + u32(0, 0)
    return {
        ".debug_info": info(4, b"\1" + (b"\2" + u32(0)) * count),
        ".debug_abbrev": table,
        ".debug_ranges": ranges,
    }


def many_names(count: int) -> Sections:
    """Functions whose names are one long text."""
    table = abbreviations((0x11, True, []), (0x2E, False, [(0x03, 0x0E)]), (0x1D, False, [(0x31, 0x13)]))
    entries = b"\1" + b"".join(b"\2" + u32(0) + b"\3" + u32(12 + 10 * number) for number in range(count))
    return {".debug_info": info(4, entries), ".debug_abbrev": table, ".debug_str": b"x" * 4000 + b"\0"}


@pytest.mark.parametrize(
    "sections",
    [
        many_units(b"\1\x34\0\0\0" * 20_000 + b"\0", 2_000),
        many_ranges(5_000),
        many_names(30_000),
        {".debug_info": info(4, b"\1" * 1000), ".debug_abbrev": abbreviations((0x11, True, []))},
        {".debug_info": bytes(5 << 20)},
    ],
    ids=["units", "ranges", "names", "depth", "size"],
)
def test_a_small_file_cannot_ask_for_much(sections: Sections) -> None:
    """Each part is read once, but may be referred to from everywhere."""
    with pytest.raises(ValueError, match="too "):
        read_inlined(sections)
