"""Where the SDKs are: inside the installed package, or in the repository for a working tree."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sentinel_host.errors import ToolchainError

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_REPOSITORY: Final = _PACKAGE.parents[1]

LINKS: Final = ".sentinel"
"""The folder of a project that leads to the SDK, wherever that is on this machine."""


def sdk_source(language: str) -> Path:
    """The folder of a language's SDK, which may not be written to. Raises ToolchainError for a
    package without it.
    """
    for folder in (_PACKAGE / "_sdk" / language, _REPOSITORY / "sdk" / language):
        if folder.is_dir():
            return folder
    raise ToolchainError(f"the SDK for {language} is not in this installation: install sentinel-host from a wheel")


def wit_source() -> Path:
    """The folder of the contract's WIT files. Raises ToolchainError for a package without it."""
    for folder in (_PACKAGE / "_sdk" / "wit", _REPOSITORY / "wit"):
        if (folder / "types.wit").is_file():
            return folder
    raise ToolchainError("the contract's WIT files are not in this installation: install sentinel-host from a wheel")


def link(path: Path, target: Path) -> None:
    """Let ``path`` be a symbolic link to ``target``, in place of one that led elsewhere.

    Raises ToolchainError where something else is in its place.
    """
    if path.is_symlink() and path.readlink() == target:
        return
    if path.exists() and not path.is_symlink():
        raise ToolchainError(f"{path} is in the way of a link to the SDK in {target}: remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.symlink_to(target)
    # By a rename: two builds may do this at the same time.
    os.replace(fresh, path)
