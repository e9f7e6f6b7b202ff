"""Standard output that several processes share: what one writes in one piece stays in one piece."""

from __future__ import annotations

import fcntl
import io
import os
from typing import Final

# pipe(7): writes beyond PIPE_BUF may be interleaved with those of others.
LOCK: Final = "output-lock"


class WholePieces(io.TextIOBase):
    """A text stream over the descriptor ``fd``; ``lock`` is a descriptor that all its writers inherited.

    The lock belongs to the process (POSIX record lock), and goes with it however it ends.
    """

    def __init__(self, fd: int, lock: int) -> None:
        self._fd = fd
        self._lock = lock

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Write everything at once, and wait for whoever is writing."""
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)
        return len(text)
