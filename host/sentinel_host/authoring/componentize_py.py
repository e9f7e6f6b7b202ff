"""componentize-py, which makes components of programs in Python: installed once for this user, in
one version.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sentinel_host.authoring.cache import cache_folder, locked
from sentinel_host.authoring.processes import attempt, note, run
from sentinel_host.errors import ToolchainError

VERSION: Final = "0.25.1"

PYTHON: Final = "3.14"
"""The CPython that it brings."""

# Of its wheels on PyPI, one for each platform.
_HASHES: Final = (
    "8623cd8cab8453cb0cd8bf03f3c7103420d06f2f3d360186a280a70a1ca5e89f",
    "7b6a87c520358166843af0daa86d2312d7af4cbcbbf1e598951085cf7f2991ca",
    "a556991534cc496207a9d2ca733c4b0f17ed38ef56a8d6b5f1847fdf1225dd1b",
    "65fbc4a94df1de8acf7da50a1f5ed1711230188844e53e6332d99029be4e0afa",
)

_COMMAND: Final = "import sys; sys.path.insert(0, sys.argv.pop(1)); from componentize_py import script; script()"


def pip_install(arguments: Sequence[str], folder: Path, what: str) -> None:
    """Install packages into a folder that is made whole or not at all. Raises ToolchainError."""
    fresh = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        command = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
        run((*command, "--only-binary", ":all:", "--target", str(fresh), *arguments), what)
        os.rename(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _installed() -> Path:
    folder = cache_folder("tools") / f"componentize-py-{VERSION}"
    if folder.is_dir():
        return folder
    with locked(folder.parent / "lock"):
        if not folder.is_dir():
            note(f"installing componentize-py {VERSION}, once for this user (some 50 MB)")
            hashes = " ".join(f"--hash=sha256:{each}" for each in _HASHES)
            with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
                wanted.write(f"componentize-py=={VERSION} {hashes}\n")
                wanted.flush()
                arguments = ("--no-deps", "--require-hashes", "-r", wanted.name)
                pip_install(arguments, folder, "installing componentize-py with pip, which needs PyPI")
    return folder


def componentize(wit: Path, world: str, app: str, paths: Sequence[Path], out: Path) -> None:
    """Make a component of the module ``app`` and of what it imports from the folders ``paths``.

    Raises ToolchainError with what the program said.
    """
    options = [option for path in paths for option in ("-p", str(path))]
    command = (sys.executable, "-I", "-c", _COMMAND, str(_installed()), "--quiet", "-d", str(wit), "-w", world)
    code, output = attempt((*command, "componentize", "--stub-wasi", *options, "-o", str(out), app))
    if code != 0:
        raise ToolchainError(output)
