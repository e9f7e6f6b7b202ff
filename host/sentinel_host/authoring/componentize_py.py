"""componentize-py, which makes components of programs in Python: installed once for this user, in
one version.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sentinel_host.authoring import steady
from sentinel_host.authoring.processes import attempt
from sentinel_host.authoring.pypi_tools import PypiTool
from sentinel_host.errors import ToolchainError

VERSION: Final = "0.25.1"

PYTHON: Final = "3.14"
"""The CPython that it brings."""

_TOOL: Final = PypiTool(
    "componentize-py",
    VERSION,
    (
        "8623cd8cab8453cb0cd8bf03f3c7103420d06f2f3d360186a280a70a1ca5e89f",
        "7b6a87c520358166843af0daa86d2312d7af4cbcbbf1e598951085cf7f2991ca",
        "a556991534cc496207a9d2ca733c4b0f17ed38ef56a8d6b5f1847fdf1225dd1b",
        "65fbc4a94df1de8acf7da50a1f5ed1711230188844e53e6332d99029be4e0afa",
    ),
    "which makes components of programs in Python",
    "50 MB",
)

_COMMAND: Final = "import sys; sys.path.insert(0, sys.argv.pop(1)); from componentize_py import script; script()"


def componentize(wit: Path, world: str, app: str, paths: Sequence[Path], out: Path, seed: str) -> None:
    """Make a component of the module ``app`` and of what it imports from the folders ``paths``,
    which stay as they are. The random numbers that the interpreter draws follow from the ``seed``.

    Raises ToolchainError with what the program said.
    """
    with tempfile.TemporaryDirectory(prefix="sentinel-") as name:
        work = Path(name)
        options = []
        for index, path in enumerate(path for path in paths if path.is_dir()):
            # A copy: the interpreter leaves what it compiled beside its sources, and reads that the
            # next time.
            copy = work / str(index)
            shutil.copytree(path, copy, ignore=shutil.ignore_patterns("__pycache__"), ignore_dangling_symlinks=True)
            options += ["-p", str(copy)]
        # Else it adds what is installed where the build runs, whether or not the guest depends on
        # it.
        environment = work / "environment"
        (environment / "lib" / "site-packages").mkdir(parents=True)
        command = (sys.executable, "-I", "-c", _COMMAND, str(_TOOL.folder()), "--quiet", "-d", str(wit), "-w", world)
        code, output = attempt(
            (*command, "componentize", "--stub-wasi", *options, "-o", str(out), app),
            environment={"VIRTUAL_ENV": str(environment), **steady.environment(seed, files=True)},
        )
    if code != 0:
        raise ToolchainError(output)
