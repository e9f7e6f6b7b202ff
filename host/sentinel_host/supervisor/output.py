"""Standard output, shared by several processes, none of which waits for its reader.

Rule 1: `Output.write` never waits. A thread writes. While the reader stalls, lines are kept up to a
        bound; lines beyond it are dropped and counted.
Rule 2: Lines whose write fails are dropped and counted. The next write is tried all the same: a
        full disk may have room again.
Rule 3: Once writing works again, one line tells how many were dropped. The reason of a failed write
        goes to stderr.
Rule 4: A piece that one process writes is not interleaved with those of others, which pipe(7)
        allows beyond PIPE_BUF. The lock is a POSIX record lock: it ends with its process, however
        that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from sentinel_host.errors import SentinelError
from sentinel_host.shared_memory import create_sealed

LOCK: Final = "output-lock"
"""The name under which workers inherit the lock."""

# Bytes that wait for a reader: one second of an access log at 20,000 requests a second.
CAPACITY: Final = 8 << 20
# Seconds that the end of the process waits for a reader. A pipe's content is read in less, and a
# stalled reader must not delay the end beyond grace + 1 s.
FLUSH_TIME: Final = 0.25
# Seconds between two lines about dropped lines.
_SAY_AGAIN_AFTER: Final = 1.0

# The lock's byte: whether the last write of any process ended within a line.
_WHOLE: Final = b"\0"
_TORN: Final = b"\1"

_STDERR: Final = 2

Tell = Callable[[int, str], bytes]
"""Makes the log's line that says how many lines were dropped, and why."""


def create_lock() -> int:
    """A lock's descriptor. Raises `OSError`."""
    return create_sealed(LOCK, 1)


class Output:
    """Writes whole lines to the descriptor ``fd``; ``lock`` is a descriptor that all writers
    inherited.

    ``dropped`` counts lines. Raises `SentinelError` if its thread cannot be started.
    """

    def __init__(self, fd: int, lock: int, tell: Tell, capacity: int = CAPACITY, name: str = "standard output") -> None:
        self.dropped = 0
        self._fd = fd
        self._lock = lock
        self._tell = tell
        self._name = name
        self._capacity = capacity
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        # Bytes in `_pieces` and of what is being written.
        self._size = 0
        # How many of `dropped` are not reported yet, and when the next report is due.
        self._unsaid = 0
        self._reason = ""
        self._say_at = 0.0
        self._fails = False
        self._is_closing = False
        # A daemon: while it waits for a stalled reader it must not delay the end of the process.
        self._thread = threading.Thread(target=self._run, name="sentinel-log", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise SentinelError(f"the log: {error}") from None

    def write(self, data: bytes) -> None:
        """Write these lines in one piece, or drop them. May be called from any thread."""
        with self._changed:
            if self._is_closing or (self._size and self._size + len(data) > self._capacity):
                self._count(data.count(b"\n"), f"{self._name} is not read fast enough")
                return
            self._pieces.append(data)
            self._size += len(data)
            self._changed.notify()

    def drop(self, lines: int, reason: str) -> None:
        """Count lines that were lost before they came here."""
        with self._changed:
            self._count(lines, reason)
            self._changed.notify()

    def close(self, seconds: float = FLUSH_TIME) -> None:
        """Write the lines that wait, for at most ``seconds``. Later lines are dropped."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(seconds)

    def _count(self, lines: int, reason: str) -> None:
        self.dropped += lines
        self._unsaid += lines
        self._reason = reason

    def _run(self) -> None:
        while (data := self._take()) is not None:
            if data:
                self._lose(*self._put(data))
                with self._changed:
                    self._size -= len(data)
            self._say()
        self._say_at = 0.0
        self._say()

    def _take(self) -> bytes | None:
        """All bytes that wait; none when a report is due; ``None`` at the end."""
        with self._changed:
            while not self._pieces:
                if self._is_closing:
                    return None
                wait = self._say_at - time.monotonic() if self._unsaid else None
                if wait is not None and wait <= 0:
                    return b""
                self._changed.wait(wait)
            data = b"".join(self._pieces)
            self._pieces.clear()
            return data

    def _say(self) -> None:
        """Report dropped lines. If that fails, try again later."""
        with self._changed:
            now, unsaid, reason = time.monotonic(), self._unsaid, self._reason
            if not unsaid or now < self._say_at:
                return
            self._say_at = now + _SAY_AGAIN_AFTER
        _, failure = self._put(self._tell(unsaid, reason))
        with self._changed:
            if not failure:
                self._unsaid -= unsaid
        self._lose(0, failure)

    def _lose(self, lines: int, reason: str) -> None:
        """Note the outcome of a write: lines lost for a reason, or none without a reason."""
        with self._changed:
            began, self._fails = bool(reason) and not self._fails, bool(reason)
            if reason:
                self._count(lines, reason)
                self._say_at = time.monotonic() + _SAY_AGAIN_AFTER
        if began:
            say_on_stderr(f"{reason}: lines of the log are dropped")

    def _put(self, data: bytes) -> tuple[int, str]:
        """Write, however long it takes. Returns how many lines were not written, and why."""
        written = torn = 0
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX)
            try:
                torn = int(os.pread(self._lock, 1, 0) == _TORN)
                # End a line that any process has broken off, so that it does not spoil the next
                # one.
                piece = memoryview(b"\n" * torn + data)
                os.pwrite(self._lock, _TORN, 0)
                try:
                    while written < len(piece):
                        written += self._write_some(piece[written:])
                finally:
                    ended = piece[written - 1] == ord("\n") if written else not torn
                    os.pwrite(self._lock, _WHOLE if ended else _TORN, 0)
            finally:
                fcntl.lockf(self._lock, fcntl.LOCK_UN)
        except Exception as error:
            # Any error: if this thread ended, nothing would be logged any more.
            why = error.strerror if isinstance(error, OSError) else error
            return data.count(b"\n", max(0, written - torn)), f"{self._name}: {why}"
        return 0, ""

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            # Another process has made the pipe non-blocking for all. Wait here instead.
            writable = select.poll()
            writable.register(self._fd, select.POLLOUT)
            writable.poll()
            return 0


def say_on_stderr(line: str) -> None:
    """Write a line to stderr, unless that would block."""
    writable = select.poll()
    writable.register(_STDERR, select.POLLOUT)
    with contextlib.suppress(OSError):
        if writable.poll(0):
            os.write(_STDERR, f"sentinel: {line}\n".encode())
