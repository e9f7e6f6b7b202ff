"""How long to wait before a worker that died is started again."""

from __future__ import annotations

from typing import Final

# Seconds. A worker that dies within this time after it was ready, or before it was, dies young.
_YOUNG: Final = 1.0
# The first two restarts are immediate: a single crash, and one more for the same cause.
_FREE: Final = 2
_FIRST_DELAY: Final = 0.1
# A worker that becomes ready serves some requests even if it dies soon. Restart it within a second.
_LONGEST_DELAY_IF_READY: Final = 0.2
# Unlike systemd's StartLimit we never give up, so that a gateway recovers once its cause is
# removed.
_LONGEST_DELAY: Final = 10.0


class Backoff:
    """One worker's place. Delays double from the third death in a row that came young."""

    def __init__(self) -> None:
        self._young_deaths = 0

    def after_death(self, served: float | None) -> float:
        """Seconds to wait; ``served`` is how long the worker had been ready, None if it never
        was.
        """
        if served is not None and served >= _YOUNG:
            self._young_deaths = 0
            return 0.0
        self._young_deaths += 1
        excess = self._young_deaths - _FREE
        if excess <= 0:
            return 0.0
        longest = _LONGEST_DELAY if served is None else _LONGEST_DELAY_IF_READY
        return min(longest, _FIRST_DELAY * 2.0 ** min(excess - 1, 16))
