"""Where the sources are that guests are written against: inside the installed package, or in a working tree."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_INSTALLED: Final = Path(__file__).parent / "_sdk"
_REPOSITORY: Final = Path(__file__).parents[2]


def sdk_directory(language: str) -> Path:
    """The SDK for ``language``: the workspace of Rust's crates, or the package for AssemblyScript."""
    return _INSTALLED / language if _INSTALLED.is_dir() else _REPOSITORY / "sdk" / language


def contract_directory() -> Path:
    """The contract's WIT files and ``ABI.md``."""
    return (_INSTALLED if _INSTALLED.is_dir() else _REPOSITORY) / "wit"
