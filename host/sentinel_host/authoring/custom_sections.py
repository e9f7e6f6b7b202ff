"""Custom sections of a core module: what an author's files add to it, and what only debuggers
want.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_CUSTOM: Final = 0
_PREAMBLE: Final = 8

FILES: Final = {"self-test.json": "sentinel:self-test", "config-schema.json": "sentinel:config-schema"}
"""The files of a project that become sections."""


def of_project(folder: Path) -> dict[str, bytes]:
    """The sections that a project's files ask for, by name."""
    return {name: (folder / file).read_bytes() for file, name in FILES.items() if (folder / file).is_file()}


def extended(module: bytes, sections: Mapping[str, bytes]) -> bytes:
    """The module with these sections at its end."""
    return module + b"".join(_section(name.encode(), content) for name, content in sections.items())


def stripped(module: bytes) -> bytes:
    """The module without DWARF; the names of functions stay, for backtraces."""
    kept = [module[:_PREAMBLE]]
    for begin, end, name in _sections(module):
        if name is None or not name.startswith(b".debug_"):
            kept.append(module[begin:end])
    return b"".join(kept)


def _sections(module: bytes) -> Iterator[tuple[int, int, bytes | None]]:
    """Where each section begins and ends, and the name of a custom one."""
    at = _PREAMBLE
    while at < len(module):
        begin, kind = at, module[at]
        size, at = _number(module, at + 1)
        name = None
        if kind == _CUSTOM:
            length, first = _number(module, at)
            name = module[first : first + length]
        at += size
        yield begin, at, name


def _number(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and where the next byte is."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _section(name: bytes, content: bytes) -> bytes:
    body = _encoded(len(name)) + name + content
    return bytes([_CUSTOM]) + _encoded(len(body)) + body


def _encoded(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
