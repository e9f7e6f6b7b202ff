"""A low-priority queue for the input of throttled connections.

Rule 1: Throttled connections take turns of some frames, in slices of 0.1 ms.
Rule 2: Together they get at most a fifth of the loop's time, however many they are: after a slice,
        four times as much time passes before the next one. So a flood does not slow down other
        clients.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Final

# Seconds of a slice. A request takes several turns of the loop, and may meet a slice in each.
_TURN: Final = 0.0001
_REST: Final = 4
# uvloop's timers count whole milliseconds, and it takes less than half of one for none at all.
_LEAST_REST: Final = 0.001


class DeferredInput:
    """The connections of one worker whose input waits; ``clock`` tells seconds."""

    __slots__ = ("_clock", "_due", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()
        self._due = False

    def wait(self, go_on: Callable[[], None]) -> None:
        """Have ``go_on`` called in its turn; a small portion of work, after which it may wait
        again.
        """
        self._waiting.append(go_on)
        if not self._due:
            self._due = True
            self._loop.call_later(_LEAST_REST, self._take_turns)

    def _take_turns(self) -> None:
        begun = now = self._clock()
        try:
            while self._waiting and now - begun < _TURN:
                self._waiting.popleft()()
                now = self._clock()
        finally:
            # Whatever one does in its turn, the others have theirs.
            if self._waiting:
                self._loop.call_later(max(_LEAST_REST, _REST * (now - begun)), self._take_turns)
            else:
                self._due = False
