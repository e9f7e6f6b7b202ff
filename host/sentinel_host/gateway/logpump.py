"""Passing on what guests logged: a timer instead of work in every request."""

from __future__ import annotations

import asyncio

from sentinel_host.sandbox import GuestLog, Sink

# Seconds. Soon enough for somebody who watches, and rare enough to cost nothing.
_INTERVAL = 0.05


class LogPump:
    """Empties the guests' log into a sink, twenty times a second and once more at the end."""

    def __init__(self, log: GuestLog, sink: Sink | None) -> None:
        self._log = log
        self._sink = sink
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; needs a running loop."""
        # First: a sink that fails once, on which the loop reports, is not the end of the log.
        self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self.start)
        self._log.emit(self._sink)

    def stop(self) -> None:
        """Pass on what is left, and end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._log.emit(self._sink)
