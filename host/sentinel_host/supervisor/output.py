"""Standard output, which several processes share and nobody waits for.

Rule 1: `Output.write` never waits. A thread writes; while the reader stalls, lines wait for it up to a bound, and those
        beyond it are dropped and counted.
Rule 2: what a write fails for is dropped and counted, too, and the next write is tried as if nothing had been: a disk
        gets room again, and nothing here ends for good.
Rule 3: what is dropped is said once, when something could be written again; why a write fails is said on stderr.
Rule 4: what one process writes in one piece stays in one piece. pipe(7): writes beyond PIPE_BUF may be interleaved with
        those of others. The lock belongs to the process (POSIX record lock), and goes with it however it ends.
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
"""The name, among the shared memory that workers are given, of the lock."""

# Bytes that wait for a reader: what an access log writes in a second, at 20,000 requests.
CAPACITY: Final = 4 << 20
# Seconds that the process's end waits for a reader: what a pipe holds is read in less, and a stalled one must not make
# it miss grace + 1 s.
FLUSH_TIME: Final = 0.25
# Seconds between two times that something is said about lines that were dropped.
_SAY_AGAIN_AFTER: Final = 1.0

# The lock's byte: whether the last write of any process ended within a line.
_WHOLE: Final = b"\0"
_TORN: Final = b"\1"

_STDERR: Final = 2
_STALLED: Final = "standard output is not read fast enough"

Tell = Callable[[int, str], bytes]
"""Makes the log's line about so many lines that were dropped for a reason."""


def create_lock() -> int:
    """A lock's descriptor. Raises `OSError`."""
    return create_sealed(LOCK, 1)


class Output:
    """Whole lines of bytes, over the descriptor ``fd``; ``lock`` is a descriptor that all its writers inherited.

    ``dropped`` counts lines. Raises `SentinelError` when there is no thread to be had.
    """

    def __init__(self, fd: int, lock: int, tell: Tell, capacity: int = CAPACITY) -> None:
        self.dropped = 0
        self._fd = fd
        self._lock = lock
        self._tell = tell
        self._capacity = capacity
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        # Bytes in `_pieces` and of what is being written.
        self._size = 0
        # Of `dropped`, what no line has told yet, and when one may.
        self._unsaid = 0
        self._reason = ""
        self._say_at = 0.0
        self._fails = False
        self._is_closing = False
        # A daemon: one that waits for a stalled reader must not hold up the process's end.
        self._thread = threading.Thread(target=self._run, name="sentinel-log", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise SentinelError(f"the log: {error}") from None

    def write(self, data: bytes) -> None:
        """Have these lines written, in one piece, or dropped; from any thread."""
        with self._changed:
            if self._is_closing or (self._size and self._size + len(data) > self._capacity):
                self._count(data.count(b"\n"), _STALLED)
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
        """Write what waits, if that takes no longer than this; what comes later is dropped."""
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
        """What waits, all at once; nothing when there is something to say, and ``None`` at the end."""
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
        """Tell of lines that were dropped; where that fails, later."""
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
        """A write is over: note what it lost, if there is a reason why."""
        with self._changed:
            began, self._fails = bool(reason) and not self._fails, bool(reason)
            if reason:
                self._count(lines, reason)
                self._say_at = time.monotonic() + _SAY_AGAIN_AFTER
        if began:
            say_on_stderr(f"{reason}: lines of the log are dropped")

    def _put(self, data: bytes) -> tuple[int, str]:
        """Write, however long that takes; returns how many lines were not written, and why."""
        written = torn = 0
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX)
            try:
                torn = int(os.pread(self._lock, 1, 0) == _TORN)
                # What was broken off, by whoever, is one bad line and not two.
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
            # Whatever it is: without this thread there would be no more log.
            why = error.strerror if isinstance(error, OSError) else error
            return data.count(b"\n", max(0, written - torn)), f"standard output: {why}"
        return 0, ""

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            # Another process that has this pipe too made it so: for us it is to be waited for.
            writable = select.poll()
            writable.register(self._fd, select.POLLOUT)
            writable.poll()
            return 0


def say_on_stderr(line: str) -> None:
    """Say it there, unless nobody can hear it now."""
    writable = select.poll()
    writable.register(_STDERR, select.POLLOUT)
    with contextlib.suppress(OSError):
        if writable.poll(0):
            os.write(_STDERR, f"sentinel: {line}\n".encode())
