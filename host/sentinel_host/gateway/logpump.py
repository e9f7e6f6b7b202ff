"""Passing on what guests logged: a timer instead of work in every request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from sentinel_host.sandbox import GuestLines, GuestLog, Sink
from sentinel_host.sandbox.logs import log_lines

# Seconds. Soon enough for a person who watches, and rare enough to cost nothing.
_INTERVAL = 0.05
# The same while nothing is said: what a burst writes meanwhile fits into the buffer.
_RESTING_INTERVAL = 0.4
# Rounds without a line until then: a second.
_ROUNDS = 20


class Records(Protocol):
    """The records of requests, which have their guests' lines."""

    def take_lines(self, lines: GuestLines) -> None:
        """Guests have logged these."""

    def publish(self) -> None:
        """Nothing is missing any more of the requests that are over."""


class LogPump:
    """Empties the guests' log into a sink and ``records``, twenty times a second while there are
    lines, and once more at the end. ``lag`` is told how many seconds the loop ran each timer late.
    """

    def __init__(
        self, log: GuestLog, sink: Sink | None, records: Records, lag: Callable[[float], None] | None = None
    ) -> None:
        self._log = log
        self._sink = sink or log_lines
        self._records = records
        self._timer: asyncio.TimerHandle | None = None
        self._silent = 0
        self._lag = lag
        self._due = 0.0

    def start(self) -> None:
        """Begin; needs a running loop."""
        # First: a sink that fails once, on which the loop reports, is not the end of the log.
        interval = _INTERVAL if self._silent < _ROUNDS else _RESTING_INTERVAL
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._lag is not None and self._due:
            self._lag(max(0.0, now - self._due))
        self._due = now + interval
        self._timer = loop.call_later(interval, self.start)
        self._silent += 1
        self._emit()

    def stop(self) -> None:
        """Pass on what is left, and end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._emit()

    def _emit(self) -> None:
        self._log.emit(self._take)
        self._records.publish()

    def _take(self, lines: GuestLines, dropped: int) -> None:
        self._silent = 0
        self._records.take_lines(lines)
        self._sink(lines, dropped)
