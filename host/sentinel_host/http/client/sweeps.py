"""When pools look at the times of their connections.

A timer costs the event loop ten times what a look at one connection takes, and with hundreds of
upstreams there would be hundreds of them. So all pools that look equally often share one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

_log: Final = logging.getLogger(__name__)

_SHARE: Final = 20
# Seconds. A worker that has nothing to do hardly wakes.
_LONGEST_INTERVAL: Final = 1.0
_SHORTEST_INTERVAL: Final = 0.005


def interval_of(timeout: float) -> float:
    """How often to look for a timeout. It fires late by a twentieth of itself at most, unless it is
    very short.
    """
    return max(_SHORTEST_INTERVAL, min(_LONGEST_INTERVAL, timeout / _SHARE))


class Swept(Protocol):
    """A pool. Compiled code calls what inherits from this at once, and looks the method of anything
    else up by its name.
    """

    __slots__ = ()

    def sweep(self, now: float) -> float:
        """Look at the times of all connections; ``now`` is the loop's clock. Answers after how many
        seconds to look again; 0 ends it.
        """
        ...


class Sweeps:
    """The sweeps of the pools of one event loop. Intervals are seconds.

    A first sweep may come sooner than its interval says, and none comes later.
    """

    __slots__ = ("_by_interval", "_intervals")

    def __init__(self) -> None:
        # Each of these has a timer.
        self._by_interval: dict[float, set[Swept]] = {}
        self._intervals: dict[Swept, float] = {}

    def every(self, interval: float, swept: Swept) -> None:
        """Have a pool swept from now on, as often as this and no longer as it was before."""
        self.end(swept)
        self._intervals[swept] = interval
        members = self._by_interval.get(interval)
        if members is None:
            members = self._by_interval[interval] = set()
            asyncio.get_running_loop().call_later(interval, self._sweep, interval)
        members.add(swept)

    def end(self, swept: Swept) -> None:
        """Sweep a pool no more; nothing happens if it is not swept."""
        before = self._intervals.pop(swept, None)
        if before is not None:
            self._by_interval[before].discard(swept)

    def _sweep(self, interval: float) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        members = self._by_interval[interval]
        for swept in list(members):
            following = interval
            try:
                following = swept.sweep(now)
            except Exception:
                # The others' deadlines are looked at all the same, and this one's next time.
                _log.exception("a pool of connections could not be swept")
            if not following:
                self.end(swept)
            elif following != interval:
                self.every(following, swept)
        if members:
            loop.call_later(interval, self._sweep, interval)
        else:
            del self._by_interval[interval]
