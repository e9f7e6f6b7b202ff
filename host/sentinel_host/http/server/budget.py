"""What a peer may spend on frames that make work and carry nothing (CVE-2019-9512 to 9518,
CVE-2023-44487).
"""

from __future__ import annotations

from typing import Final

# Browsers and gRPC clients spend less at once, unless they give up a page or call with all its
# requests.
_BURST: Final = 64


class Budget:
    """A bucket of ``size`` tokens that fills by ``rate`` a second."""

    __slots__ = ("_least", "_rate", "_seen", "_size", "_tokens")

    def __init__(self, size: int, rate: float, now: float) -> None:
        self._size = size
        self._rate = rate
        self._tokens = float(size)
        self._least = float(size - _BURST)
        self._seen = now

    def spend(self, now: float) -> bool:
        """Take one; false when there is none."""
        self._tokens = min(self._size, self._tokens + (now - self._seen) * self._rate) - 1
        self._seen = now
        return self._tokens >= 0

    def throttled(self, now: float) -> bool:
        """Whether more was spent lately than a burst: what comes next can wait."""
        if not self.is_low():
            return False
        self._tokens = min(self._size, self._tokens + (now - self._seen) * self._rate)
        self._seen = now
        return self.is_low()

    def is_low(self) -> bool:
        """Whether it was throttled when something was last spent; if not, it is not either by
        now.
        """
        return self._tokens < self._least
