"""How long tests wait."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 100.0
"""Seconds for what will come: a test that reaches it fails. Only a hang does, also with a tenth of
a core.
"""


class Clock:
    """A clock that moves only when its test moves it; ``now`` is in seconds."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that a thread or a process brings about."""
    watch(condition, f"no {what}", PATIENCE)


def watch(condition: Callable[[], bool], failure: str, seconds: float) -> None:
    """Look until something is true. Raises `AssertionError` with the failure's text once so many
    seconds have passed.
    """
    looked = time.monotonic()
    end = looked + seconds
    while not condition():
        now = time.monotonic()
        assert now < end, failure
        # A look may be a request to a gateway with many workers: most of the time belongs to what
        # is waited for.
        time.sleep(min(max(0.005, 4 * (now - looked)), 0.2))
        looked = time.monotonic()
