"""The CPythons of this machine that the package supports."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST = (3, 11)

TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"
"""The running interpreter's tag, as in the names of wheels."""

# What an interpreter says of itself: a shim of a version manager may stand where there is none
# behind it.
_QUESTION = (
    "import os, platform, sys, sysconfig; "
    "header = os.path.join(sysconfig.get_path('include'), 'Python.h'); "
    "print(platform.python_implementation(), platform.python_version(), os.path.isfile(header), "
    "os.path.realpath(sys.executable))"
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """``version`` as ``3.13.0``, ``tag`` as ``cp313``, ``path`` absolute."""

    version: str
    tag: str
    path: str


def installed() -> list[Interpreter]:
    """One CPython with headers for each minor version from `OLDEST` on, the lowest first.

    Looks on PATH and in pyenv's folder. A minor version found twice is taken from where it was
    found first.
    """
    found: dict[tuple[int, int], Interpreter] = {}
    for candidate in _candidates():
        answer = subprocess.run((candidate, "-c", _QUESTION), capture_output=True, text=True, check=False)
        words = answer.stdout.split(maxsplit=3)
        if answer.returncode != 0 or len(words) != 4 or words[0] != "CPython" or words[2] != "True":
            continue
        major, minor = map(int, words[1].split(".")[:2])
        if (major, minor) >= OLDEST:
            path = words[3].strip()
            found.setdefault((major, minor), Interpreter(words[1], f"cp{major}{minor}", path))
    return [found[key] for key in sorted(found)]


def _candidates() -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    folders = [*map(Path, os.environ.get("PATH", "").split(os.pathsep)), *sorted(pyenv.glob("*/bin"), reverse=True)]
    yield Path(sys.executable)
    for folder in folders:
        yield from sorted(path for path in folder.glob("python3.*") if path.name.removeprefix("python3.").isdigit())
