"""Go: that of this machine if it is new enough, else one release from the Go proxy, installed once for this user."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import shutil
import sys
import urllib.request
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentinel_host.authoring.cache import cache_directory, locked
from sentinel_host.authoring.processes import attempt, capture, note
from sentinel_host.errors import ToolchainError

LANGUAGE: Final = "1.24"
"""The oldest version that exports functions from WebAssembly, which modules ask for."""

_OLDEST: Final = (1, 24)
_RELEASE: Final = "1.26.8"
# SHA-256 of the proxy's archives.
_DIGESTS: Final = {
    "linux-amd64": "30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7",
    "linux-arm64": "02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99",
}
_PROXY: Final = "https://proxy.golang.org"
_MACHINES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Where the command is, and what it calls its version, such as ``go1.26.8``."""

    command: Path
    version: str

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """The exit code and output of a go command in a folder."""
        # Not the toolchain that go.mod asks for: go would fetch it. No workspace and no flags of the user's.
        own = {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
        return attempt((str(self.command), *arguments), cwd=folder, environment=own | dict(environment or {}))


def find() -> Toolchain:
    """Raises ToolchainError if there is none, and none can be installed."""
    found = shutil.which("go")
    if found is not None:
        version = _version(found)
        if not is_too_old(version):
            return Toolchain(Path(found), version)
    return _installed()


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


def _installed() -> Toolchain:
    name = f"{sys.platform}-{_MACHINES.get(platform.machine(), platform.machine())}"
    cache = cache_directory() / "tools"
    folder = cache / f"go-{_RELEASE}"
    command = folder / "bin" / "go"
    if not command.is_file():
        if name not in _DIGESTS:
            raise ToolchainError(f"go is not installed: install Go {LANGUAGE} or newer, from https://go.dev/dl")
        with locked(cache / "lock"):
            if not command.is_file():
                _install(folder, name)
    return Toolchain(command, f"go{_RELEASE}")


def _install(folder: Path, name: str) -> None:
    note(f"installing Go {_RELEASE}, once for this user (70 MB)")
    proxy = os.environ.get("GOPROXY", "").split(",")[0]
    proxy = proxy if proxy.startswith("https://") else _PROXY
    url = f"{proxy}/golang.org/toolchain/@v/v0.0.1-go{_RELEASE}.{name}.zip"
    fresh = folder.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    archive = fresh / "go.zip"
    advice = f"install Go {LANGUAGE} or newer, from https://go.dev/dl"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer, archive.open("wb") as out:
            shutil.copyfileobj(answer, out)
    except OSError as error:
        raise ToolchainError(f"{url}: {error}; {advice}") from None
    with archive.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != _DIGESTS[name]:
            raise ToolchainError(f"{url}: is not what it was when this version of the gateway was made; {advice}")
    _unpack(archive, fresh)
    archive.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(fresh, folder)


def _unpack(archive: Path, folder: Path) -> None:
    """A module's files are below its name and version, and have no modes."""
    with zipfile.ZipFile(archive) as content:
        for entry in content.infolist():
            inner = entry.filename.partition("@")[2].partition("/")[2]
            target = folder / inner
            if not inner or entry.is_dir() or not target.resolve().is_relative_to(folder.resolve()):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with content.open(entry) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out)
            if inner.startswith(("bin/", "pkg/tool/")):
                target.chmod(0o755)
