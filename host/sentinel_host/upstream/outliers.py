"""Whether an endpoint fails far more often than the others: also one that now and then answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

INTERVAL: Final = 10.0
"""Seconds over which requests are compared."""
LEAST: Final = 20
"""Requests below which a share says nothing."""
_RATIO: Final = 2.0


class ShareWatch:
    """Compares the endpoints of one upstream; ``share`` is the part that fails, from 0 to 1."""

    __slots__ = ("_before", "_began", "_share")

    def __init__(self, share: float, counts: Sequence[tuple[int, int]], now: float) -> None:
        self._share = share
        self._before = list(counts)
        self._began = now

    def stands_out(self, index: int, counts: Sequence[tuple[int, int]], now: float) -> bool:
        """Whether an endpoint's share of failures is that high, and twice that of all others
        together.

        ``counts`` are the requests and failures of each endpoint so far.
        """
        since = [
            (requests - before[0], failures - before[1])
            for (requests, failures), before in zip(counts, self._before, strict=True)
        ]
        if now - self._began >= INTERVAL:
            self._before, self._began = list(counts), now
        requests, failures = since[index]
        others = sum(each[0] for each in since) - requests
        their_failures = sum(each[1] for each in since) - failures
        if requests < LEAST or failures < self._share * requests or not others:
            return False
        return failures / requests >= _RATIO * their_failures / others
