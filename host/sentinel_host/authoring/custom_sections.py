"""Custom sections of a core module: what an author's files add to it, and what only debuggers
want.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sentinel_host.authoring.flatten.reader import sections as sections_of
from sentinel_host.sandbox.binary import CORE_HEADER, custom_section

_CUSTOM: Final = 0

FILES: Final = {"self-test.json": "sentinel:self-test", "config-schema.json": "sentinel:config-schema"}
"""The files of a project that become sections."""


def of_project(folder: Path) -> dict[str, bytes]:
    """The sections that a project's files ask for, by name."""
    return {name: (folder / file).read_bytes() for file, name in FILES.items() if (folder / file).is_file()}


def extended(module: bytes, sections: Mapping[str, bytes]) -> bytes:
    """The module with these sections at its end."""
    return module + b"".join(custom_section(name, content) for name, content in sections.items())


def stripped(module: bytes) -> bytes:
    """The module without DWARF; the names of functions stay, for backtraces."""
    kept = [module[: len(CORE_HEADER)]]
    for number, begin, content in sections_of(module):
        if number != _CUSTOM or not content.name().startswith(".debug_"):
            kept.append(module[begin : content.end])
    return b"".join(kept)
