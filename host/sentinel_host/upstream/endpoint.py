"""One endpoint of an upstream in one worker: its connections, and its cell in the table that
workers share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sentinel_host.http.client import Lease, Pool, UpstreamPool
from sentinel_host.upstream._endpoints import Cell


class UpstreamCounts:
    """What one upstream does in one worker, for its breaker and for metrics."""

    __slots__ = ("active", "hedges", "overloads", "retries", "retries_denied", "unavailable")

    def __init__(self) -> None:
        self.active = 0
        """Tries under way."""
        self.retries = 0
        self.retries_denied = 0
        """Requests that the budget did not let be sent again."""
        self.hedges = 0
        self.overloads = 0
        """Requests that the breaker refused."""
        self.unavailable = 0
        """Requests for which there was no endpoint."""


class Endpoint(Lease):
    """Where a try goes. As a response's lease, it counts the try until the response ends.

    ``users`` are the upstreams that have it: a reload makes a new one, which takes it over.
    ``ejections`` are those by this worker. ``is_doubted``: the last response broke off. Until one
    is whole, a head says nothing of its health. ``paused_until``, in seconds of `monotonic`: it has
    asked for no retries until then, and answered no request well since. ``http1`` is the pool, if
    it is one of HTTP/1.1. ``succeeded`` is the cell's.
    """

    __slots__ = (
        "_end",
        "authority",
        "cell",
        "counts",
        "ejections",
        "http1",
        "is_doubted",
        "key",
        "name",
        "paused_until",
        "pool",
        "succeeded",
        "users",
    )

    def __init__(self, name: str, key: int, pool: Pool, cell: Cell, counts: UpstreamCounts) -> None:
        self.name: Final = name
        self.key: Final = key
        self.pool: Final[Pool] = pool
        # Compiled code calls a class at once; of a protocol it looks each method up by name.
        self.http1: Final = pool if isinstance(pool, UpstreamPool) else None
        self.authority: Final = pool.authority
        self.cell: Final = cell
        # Methods that are looked up for each call take longer.
        self.succeeded: Final[Callable[[int], None]] = cell.succeeded
        self._end: Final[Callable[[], None]] = cell.end
        self.counts: Final = counts
        self.ejections = 0
        self.is_doubted = False
        self.paused_until = 0.0
        self.users = 0

    def end(self, how: int) -> None:
        """A try that began here has ended; part of `Lease`."""
        self.counts.active -= 1
        self._end()
