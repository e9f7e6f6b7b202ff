from __future__ import annotations

import re
from pathlib import Path

from guestbuild import stamps
from guestbuild.errors import ToolchainError
from guestbuild.processes import capture, note, run

# The oldest release line that jco-transpile supports.
_OLDEST_NODE = 20


def check() -> str:
    """Node's version, such as ``v20.20.2``.

    Raises ToolchainError if node or npm is missing or node is too old.
    """
    advice = f"install Node.js {_OLDEST_NODE} or newer with npm, from https://nodejs.org or your distribution"
    try:
        version = capture(("node", "--version"))
        capture(("npm", "--version"))
    except ToolchainError as error:
        raise ToolchainError(f"{error}; {advice}") from None
    if is_too_old(version):
        raise ToolchainError(f"node is {version}; {advice}")
    return version


def is_too_old(version: str) -> bool:
    major = re.match(r"v(\d+)\.", version)
    return major is None or int(major[1]) < _OLDEST_NODE


def install(package: Path) -> None:
    """``npm ci`` in ``package``, unless its node_modules already is what its lock file says.

    Raises ToolchainError.
    """
    version = check()
    modules = package / "node_modules"
    stamp = modules / ".sentinel-installed"
    inputs = stamps.tree_digest([package / "package.json", package / "package-lock.json"], salt=version)
    if stamps.recorded(stamp, inputs) is not None:
        return
    note(f"npm ci in {package}")
    run(("npm", "ci", "--no-audit", "--no-fund"), f"npm ci in {package}", cwd=package)
    stamps.record(stamp, inputs, {})
