"""What the builds of all languages have in common: which sources are there, a file that is written
whole and only when something has changed, and how a failure is told.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from sentinel_host.authoring import stamps
from sentinel_host.authoring.language import Build
from sentinel_host.authoring.processes import shortened
from sentinel_host.errors import ToolchainError


def present(folder: Path, names: Iterable[str]) -> list[Path]:
    """Those of these files and folders that a project has, in the order of their names here."""
    return [folder / name for name in names if (folder / name).exists()]


def build_once(build: Build, inputs: str, make: Callable[[], bytes]) -> None:
    """Write the module that ``make`` returns as the guest's file, unless that was made of the same
    ``inputs``, a digest of all that a build depends on. What ``make`` raises leaves the file alone.
    """
    stamp = build.file.with_name(f".{build.name}.json")
    if stamps.is_current(stamp, inputs, build.file.parent):
        return
    module = make()
    build.file.parent.mkdir(parents=True, exist_ok=True)
    fresh = build.file.with_suffix(f".{os.getpid()}.new")
    fresh.write_bytes(module)
    os.replace(fresh, build.file)
    stamps.record(stamp, inputs, {build.file.name: stamps.file_digest(build.file)})


def failure(name: str, output: str) -> ToolchainError:
    """A guest that its compiler refuses, with what the compiler printed."""
    return ToolchainError(f"{name} does not build:\n{shortened(output.splitlines())}")
