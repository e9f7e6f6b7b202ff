"""Outputs that are files, which are moved away and made anew while they are written."""

from __future__ import annotations

import os
from typing import Final

from sentinel_host.supervisor.output import Output, Tell, create_lock, say_on_stderr

# What the owner writes and the group reads: lines tell who asked for what.
_MODE: Final = 0o640


class FileOutput:
    """Appends to the file at ``path`` through an `Output`.

    Several processes may append to one file: the kernel keeps each piece whole. Raises `OSError`.
    """

    def __init__(self, path: str, tell: Tell) -> None:
        self._path = path
        self._file = _open(path)
        # The lock is of this process alone: what another breaks off is not for this one to mend.
        self._output = Output(self._file, create_lock(), tell, name=path)

    @property
    def dropped(self) -> int:
        """How many lines could not be written."""
        return self._output.dropped

    def write(self, data: bytes) -> None:
        """As `Output.write`."""
        self._output.write(data)

    def drop(self, lines: int, reason: str) -> None:
        """As `Output.drop`."""
        self._output.drop(lines, reason)

    def close(self) -> None:
        """As `Output.close`."""
        self._output.close()

    def reopen(self) -> None:
        """Write to the file that has the name now, or to a new one; to the old one where that
        fails.
        """
        try:
            fresh = _open(self._path)
        except OSError as error:
            say_on_stderr(f"{self._path}: {error.strerror or error}: the file that was open stays")
            return
        os.dup2(fresh, self._file, inheritable=False)
        os.close(fresh)


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
