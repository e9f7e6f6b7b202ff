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
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"no {what}"
        time.sleep(0.005)
