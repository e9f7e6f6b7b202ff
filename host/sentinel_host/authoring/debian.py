"""Packages of the operating system, installed where that is possible and asked for by name where it
is not.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Sequence

from sentinel_host.authoring.processes import note, run
from sentinel_host.errors import ToolchainError

_APT = ("apt-get", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3")
_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


def provide(*packages: str, commands: Sequence[str] = ()) -> None:
    """Make sure that the packages are there.

    Nothing is done when every one of ``commands`` (at least one) is on PATH, wherever it came from,
    or when dpkg knows all packages as installed. Root on a Debian gets them installed; everybody
    else gets a ToolchainError that spells the command out.
    """
    if commands and all(shutil.which(command) for command in commands):
        return
    missing = [package for package in packages if not is_installed(package)]
    if not missing:
        return
    if not can_install():
        raise ToolchainError(f"{_wanted(missing, commands)} missing; as root: {install_command(*missing)}")
    note(f"installing {' '.join(missing)} with apt-get")
    _update()
    run((*_APT, "install", "-y", "--no-install-recommends", *missing), install_command(*missing), environment=_QUIET)


def install_command(*packages: str) -> str:
    return f"apt-get install -y --no-install-recommends {' '.join(packages)}"


def can_install() -> bool:
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def is_installed(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    query = subprocess.run(
        ("dpkg-query", "-W", "-f", "${db:Status-Status}", package), capture_output=True, text=True, check=False
    )
    return query.returncode == 0 and query.stdout == "installed"


def _wanted(packages: Sequence[str], commands: Sequence[str]) -> str:
    absent = [command for command in commands if not shutil.which(command)] or packages
    return f"{', '.join(absent)} {'is' if len(absent) == 1 else 'are'}"


@functools.cache
def _update() -> None:
    """Once a process: a machine's package lists may be absent or name versions that the archive has
    dropped.
    """
    run((*_APT, "update"), "apt-get update", environment=_QUIET)
