"""A user who may do nothing beyond his own folder, and whose PATH has no compiler, Rust or Node."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534
# capabilities(7)
_DAC_READ_SEARCH = 2


class User:
    """Commands of this user run in ``folder``, which nobody else writes to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"HOME": str(folder), "PATH": str(folder / "environment" / "bin"), "LANG": "C.UTF-8"}

    def command(self, *command: str | Path) -> list[str]:
        """A command that runs as the user: as root's, it gives up all rights but that to read."""
        if os.geteuid() != 0:
            return [str(part) for part in command]
        identity = (f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--no-new-privs")
        # This interpreter may lie where only root may read. Not every root has the right that this
        # takes.
        kept = "-all,+dac_read_search" if _may_read_everything() else "-all"
        rights = [f"--{kind}={kept}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
        return [str(shutil.which("setpriv")), *identity, *rights, "--", *map(str, command)]

    def run(self, *command: str | Path) -> str:
        """What a command prints; it must succeed."""
        done = subprocess.run(
            self.command(*command), cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


def _may_read_everything() -> bool:
    status = Path("/proc/self/status").read_text()
    permitted = next(line.split()[1] for line in status.splitlines() if line.startswith("CapPrm:"))
    return bool(int(permitted, 16) >> _DAC_READ_SEARCH & 1)


@contextmanager
def a_user() -> Iterator[User]:
    """A new user's empty folder, beside those of pytest, which only root may enter."""
    with tempfile.TemporaryDirectory(prefix="sentinel-user-") as folder:
        if os.geteuid() == 0:
            os.chown(folder, _NOBODY, _NOBODY)
        yield User(Path(folder))
