"""How many retries an upstream bears.

A failing upstream that gets every request twice fails longer. So retries are at most a share of the
requests of the last ten seconds, and a few a second in any case: a quiet upstream's requests are
worth one too. Requests of the past count, and not those under way: when an endpoint dies, all that
it had under way fails at once, and may be more than a share of the moment's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

WINDOW: Final = 10.0
"""Seconds; as long as Finagle's budget remembers."""
_STEP: Final = 1.0
# A share of a whole number may come out a little below one.
_ROUNDING: Final = 1e-6


class RetryBudget:
    """The budget of one upstream in one worker; ``least`` retries a second are always within it.

    ``requests`` counts up, by one for each request of a client.
    """

    __slots__ = ("_clock", "_least", "_retries", "_share", "_steps", "requests")

    def __init__(self, share: float, least: int, clock: Callable[[], float] = monotonic) -> None:
        self.requests = 0
        self._share = share
        self._least = least
        self._clock = clock
        # When each retry of the window was.
        self._retries: deque[float] = deque()
        # Samples of ``requests`` at retries, at least a second apart.
        self._steps: deque[tuple[float, int]] = deque([(clock(), 0)])

    def take(self) -> bool:
        """Whether one more retry is within the budget; it is counted then."""
        now, steps, retries = self._clock(), self._steps, self._retries
        if now - steps[-1][0] >= _STEP:
            steps.append((now, self.requests))
        while len(steps) > 1 and now - steps[1][0] >= WINDOW:
            steps.popleft()
        while retries and now - retries[0] >= WINDOW:
            retries.popleft()
        since, before = steps[0]
        time = now - since
        # The oldest step may lie further back: then requests are taken to have come evenly.
        portion = WINDOW / time if time > WINDOW else 1.0
        if len(retries) >= max(self._least * WINDOW, int(self._share * portion * (self.requests - before) + _ROUNDING)):
            return False
        retries.append(now)
        return True
