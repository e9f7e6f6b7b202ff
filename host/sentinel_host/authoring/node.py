from __future__ import annotations

import re
import shutil
from pathlib import Path

from sentinel_host.authoring import stamps
from sentinel_host.authoring.processes import capture, note, run
from sentinel_host.errors import ToolchainError

# The oldest release line that jco-transpile supports.
_OLDEST_NODE = 20


_ADVICE = f"install Node.js {_OLDEST_NODE} or newer with npm, from https://nodejs.org or your distribution"


def check() -> str:
    """Node's version, such as ``v20.20.2``.

    Raises ToolchainError if node or npm is missing or node is too old.
    """
    try:
        version = capture(("node", "--version"))
    except ToolchainError as error:
        raise ToolchainError(f"{error}; {_ADVICE}") from None
    # Asked for by its name: to start it takes longer than all that is done without it.
    if shutil.which("npm") is None:
        raise ToolchainError(f"npm is not installed; {_ADVICE}")
    if is_too_old(version):
        raise ToolchainError(f"node is {version}; {_ADVICE}")
    return version


def is_too_old(version: str) -> bool:
    major = re.match(r"v(\d+)\.", version)
    return major is None or int(major[1]) < _OLDEST_NODE


def install(package: Path) -> None:
    """Install what the lock file of ``package`` says, unless its node_modules already is that.

    Raises ToolchainError.
    """
    version = check()
    modules = package / "node_modules"
    stamp = modules / ".sentinel-installed"
    inputs = stamps.tree_digest([package / "package.json", package / "package-lock.json"], salt=version)
    if stamps.recorded(stamp, inputs) is not None:
        return
    note(f"npm install in {package}")
    # Not `npm ci`: it refuses every lock file of jco-transpile's dependencies, three of which name
    # builds for other platforms that were never published in that version. This one reads the lock
    # file too, and leaves it as it is.
    command = ("npm", "install", "--no-save", "--no-audit", "--no-fund")
    run(command, f"npm install in {package}", cwd=package)
    stamps.record(stamp, inputs, {})
