"""When a client has stopped taking the response on one stream of HTTP/2 or HTTP/3.

A stream that waits for its window is not late by itself. The bytes that were written before wait in
socket buffers of some megabytes, and other streams may use the window that the client opens. The
client has stalled if neither goes on within `write_stalled`.
"""

from __future__ import annotations

from math import inf

from sentinel_host.http.server.limits import ServerLimits
from sentinel_host.http.server.sink import StreamSink


class WriteClock:
    """``deadline`` is when `has_stalled` is to be asked; infinite while nothing waits."""

    __slots__ = ("_credited", "_due", "_limits", "_seen", "_sink", "deadline")

    def __init__(self, sink: StreamSink, limits: ServerLimits) -> None:
        self._sink = sink
        self._limits = limits
        self.deadline = inf
        # Bytes that the connection had delivered when this was last asked.
        self._seen = 0
        # Bytes that it will have delivered once everything of this stream has arrived.
        self._due: int | None = None
        self._credited = 0

    def start(self) -> bool:
        """The stream waits for its window. Returns whether the clock was not running before."""
        if self.deadline != inf:
            return False
        # The next sweep takes the first look: by then, most waits are over.
        self._due = None
        self._credited = self._sink.credited()
        self.deadline = 0.0
        return True

    def stop(self) -> None:
        """The stream waits no longer."""
        self.deadline = inf

    def forget(self) -> None:
        """Let `still_delivered` begin anew: something was written."""
        self._due = None

    def has_stalled(self, now: float) -> bool:
        """Whether nothing went on in time. Sets the next deadline, or stops the clock."""
        first = self._due is None
        turn = self._had_its_turn()
        if self.still_delivered(now) or first or turn or self._sink.blocked():
            self.deadline = now + self._limits.write_stalled
            return False
        self.deadline = inf
        return True

    def still_delivered(self, now: float) -> bool:
        """Whether bytes of this stream may still be on their way, and the client goes on to take
        them.
        """
        delivered, due = self._sink.delivery(now)
        if self._due is None:
            self._due, self._seen = due, delivered
            return due > delivered
        goes_on = self._seen < self._due and delivered - self._seen >= self._limits.body_progress
        self._seen = delivered
        return goes_on

    def _had_its_turn(self) -> bool:
        """Whether other streams used the connection's window while this one waited for it."""
        sink = self._sink
        credited = sink.credited() - self._credited
        self._credited += credited
        return sink.waits_for_others() and credited >= self._limits.body_progress
