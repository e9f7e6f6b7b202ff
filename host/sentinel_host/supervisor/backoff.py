"""How long to wait before a worker that died is started again."""

from __future__ import annotations

from typing import Final

# Seconds. A worker that died sooner after it was ready, or before, died young.
_YOUNG: Final = 1.0
# The first two times nobody waits: one unlucky death, and one that had the same cause.
_FREE: Final = 2
_FIRST_DELAY: Final = 0.1
# A worker that gets ready is of use however soon it dies: the next one is there within a second all the same.
_LONGEST_DELAY_IF_READY: Final = 0.2
# systemd's StartLimit gives up in the end; we never do, so that a gateway comes back with what it was missing.
_LONGEST_DELAY: Final = 10.0


class Backoff:
    """One worker's place. Delays double from the third death in a row that came young."""

    def __init__(self) -> None:
        self._young_deaths = 0

    def after_death(self, served: float | None) -> float:
        """Seconds to wait; ``served`` is how long the worker had been ready, None if it never was."""
        if served is not None and served >= _YOUNG:
            self._young_deaths = 0
            return 0.0
        self._young_deaths += 1
        excess = self._young_deaths - _FREE
        if excess <= 0:
            return 0.0
        longest = _LONGEST_DELAY if served is None else _LONGEST_DELAY_IF_READY
        return min(longest, _FIRST_DELAY * 2.0 ** min(excess - 1, 16))
