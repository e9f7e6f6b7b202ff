"""Sharing connections out between workers that accept from one queue.

One socket per address, shared by all workers, and not one per worker with SO_REUSEPORT: a connection that waits to be
accepted belongs to no worker, so that none is lost with a worker that dies, and none waits for one that hangs or that
takes long to come back. What the shared queue lacks is fairness: the first worker that wakes up takes a whole burst
before another is scheduled, and with connections that are kept it stays at that (64 of 64 were seen). So workers show
each other how many connections they have, and one that has clearly more than another pauses after each that it
accepts, for long enough that an idle one wakes up: the queue woke that one, too. That evens shares out as connections
come, and promises nothing of a single burst: on a busy machine it may be over before the last worker has run at all,
and a longer pause would let the whole gateway wait for one that hangs.
"""

from __future__ import annotations

import mmap
import os
from time import sleep
from typing import Final

from sentinel_host.http.server import Connections, ServerLimits

COUNTS: Final = "connection-counts"
"""The name, among the shared memory that workers are given, of their numbers of open connections."""

# Bytes: 1,024 numbers of four.
_SIZE: Final = 4096
# Seconds. Linux rounds it up by its timer slack, 50 µs; an idle processor wakes up sooner than that.
_PAUSE: Final = 50e-6
# What may come of chance, and of requests that are short: a share of what is open, and a few.
_TOLERATED: Final = 4
_TOLERATED_SHARE: Final = 8


def create_counts() -> int:
    """The descriptor of shared memory for as many workers as can be configured."""
    fd = os.memfd_create(COUNTS)
    os.ftruncate(fd, _SIZE)
    return fd


class SharedConnections(Connections):
    """The connections of worker ``number`` out of ``workers``, whose counts are in the shared memory ``fd``."""

    def __init__(self, limits: ServerLimits, fd: int, number: int, workers: int) -> None:
        super().__init__(limits)
        self._counts = memoryview(mmap.mmap(fd, _SIZE)).cast("I")
        self._number = number
        self._all = slice(0, workers)
        self._publish()

    def admit(self, client: str | None) -> str | None:
        """As in `Connections`; pauses when others have clearly less to do."""
        exceeded = super().admit(client)
        self._publish()
        surplus = self.open - min(self._counts[self._all])
        if surplus > _TOLERATED + self.open // _TOLERATED_SHARE and not self.closing:
            sleep(_PAUSE)
        return exceeded

    def release(self, client: str | None) -> None:
        """As in `Connections`."""
        super().release(client)
        self._publish()

    def _publish(self) -> None:
        # One that drains has a successor with its number.
        if not self.closing:
            self._counts[self._number] = self.open
