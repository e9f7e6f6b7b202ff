"""What the processes of a gateway want of their log."""

from __future__ import annotations

from typing import Protocol

from sentinel_host.control import Snapshot
from sentinel_host.sandbox import GuestLines


class Log(Protocol):
    """The log of one process. Writing to it never waits."""

    @property
    def dropped(self) -> int:
        """How many lines could not be written."""

    def write_guest_lines(self, lines: GuestLines, dropped: int) -> None:
        """A `sentinel_host.sandbox.Sink`."""

    def write(self, data: bytes) -> None:
        """Write whole lines of somebody else's, in one piece."""

    def reopen(self) -> None:
        """Open the file anew that it goes to, if it does."""

    def take_lines(self) -> list[bytes]:
        """The lines since the last time, each as JSON, where they are to be sent to a collector."""

    def close(self) -> None:
        """Write what waits, within a fraction of a second; what comes later is dropped."""


def log_counts(log: Log) -> Snapshot:
    """What a process has counted of its log."""
    return Snapshot(counters={"sentinel_log_lines_dropped": {(): log.dropped}})
