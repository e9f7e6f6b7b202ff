"""The reference of the contract: the interfaces of ``wit/`` with their comments."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from sitebuild.places import ROOT

_INTRODUCTION: Final = """\
# WIT

The contract between gateway and guests, as it stands in `wit/`. [The ABI](../../wit/ABI.md) says
how it looks in bytes, and [Guests](guests.md) what hooks and grants are for.
"""
_PACKAGE: Final = re.compile(r"\A\s*package [^;]+;\s*")


def page() -> str:
    """The page's Markdown: each file of the contract."""
    parts = [_INTRODUCTION]
    for path in sorted((ROOT / "wit").glob("*.wit")):
        parts += [f"## {path.stem}", "", "```wit", _without_package(path), "```", ""]
    return "\n".join(parts).rstrip() + "\n"


def _without_package(path: Path) -> str:
    return _PACKAGE.sub("", path.read_text()).strip()
