"""Spreading connections over workers that accept from one queue.

All workers share one socket for each address. With a socket per worker (SO_REUSEPORT), connections
that wait in the queue of a worker are lost when it dies, and wait while it hangs or restarts.

A shared queue is not fair: the first worker that wakes up accepts a whole burst before another one
is scheduled, and keeps it while its clients keep their connections (64 of 64 were seen). So workers
publish how many connections they have. A worker with clearly more connections than another one
pauses after each accept, long enough for an idle worker to wake up.

This evens out the shares over time. It promises nothing for a single burst: on a busy machine a
burst may be over before the last worker runs. A longer pause would make the whole gateway wait for
a worker that hangs.
"""

from __future__ import annotations

import mmap
import os
from time import sleep
from typing import Final

from sentinel_host.http.server import Connections, ServerLimits

COUNTS: Final = "connection-counts"
"""The name under which workers inherit the shared memory with their numbers of open connections."""

# Bytes: 1,024 numbers of four.
_SIZE: Final = 4096
# Seconds. Linux adds its timer slack, 50 µs. An idle processor wakes up sooner than that.
_PAUSE: Final = 50e-6
# Differences that chance and short requests explain: a few connections, and a share of the open
# ones.
_TOLERATED: Final = 4
_TOLERATED_SHARE: Final = 8


def create_counts() -> int:
    """The descriptor of shared memory that is large enough for any configured number of workers."""
    fd = os.memfd_create(COUNTS)
    os.ftruncate(fd, _SIZE)
    return fd


class SharedConnections(Connections):
    """The connections of worker ``number`` out of ``workers``, whose counts are in the shared
    memory ``fd``.
    """

    def __init__(self, limits: ServerLimits, fd: int, number: int, workers: int) -> None:
        super().__init__(limits)
        self._counts = memoryview(mmap.mmap(fd, _SIZE)).cast("I")
        self._number = number
        self._all = slice(0, workers)
        self._publish()

    def admit(self, client: str | None) -> str | None:
        """As in `Connections`; pauses if another worker has clearly fewer connections."""
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
        # The number of a draining worker belongs to its successor.
        if not self.closing:
            self._counts[self._number] = self.open
