"""Event loops whose clock belongs to the test.

The product takes time from its event loop, so that a test decides what has passed without waiting
for it: it configures times that no machine is slow enough to reach, and moves the clock ahead by as
much.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

MINUTES = 900.0
"""Seconds that pass only where a test says so: to be configured where a `LeapingLoop` moves the
clock.
"""


# Timers run in the turn after the leap, and each task that one of them wakes may wake another in
# the next.
_TURNS = 10


class LeapingLoop(asyncio.SelectorEventLoop):
    """A loop with real sockets and real time, which a test can move ahead."""

    def __init__(self) -> None:
        self._ahead = 0.0
        super().__init__()

    def time(self) -> float:
        return super().time() + self._ahead

    def leap(self, seconds: float) -> None:
        """Move the clock; timers that are due by then run in the next turn, in order. To be called
        on the loop.
        """
        self._ahead += seconds


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop for what waits for timers alone: its clock stands still while it works, and jumps to
    the next one.
    """

    def __init__(self) -> None:
        self._now = 1000.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        """Move the clock, as work does that takes so long."""
        self._now += seconds


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(None if timeout is None else 0)
        if not events and timeout:
            self._loop.jump(timeout)
        return events


def run_leaping(main: Coroutine[Any, Any, None]) -> None:
    """``asyncio.run`` on a `LeapingLoop`."""
    _run(main, LeapingLoop)


def run_jumping(main: Coroutine[Any, Any, None]) -> None:
    """``asyncio.run`` on a `JumpingLoop`."""
    _run(main, JumpingLoop)


async def leap(seconds: float) -> None:
    """Move the running `LeapingLoop`'s clock; afterwards what is due by then has been done, and
    what it woke.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LeapingLoop)
    loop.leap(seconds)
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _run(main: Coroutine[Any, Any, None], factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)
