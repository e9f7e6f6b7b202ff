"""Counts of one worker that the store does not know yet: no I/O, no clock.

Rule 1: requests are judged by the local table alone, at once. What was allowed is gathered here,
        and told to the store in batches; the store answers with the total of everybody, which the
        local table learns (`SharedTable.learn`).
Rule 2: what is told is no longer pending, but what is counted while the answer is under way is
        added to the answer. So the local count never falls behind the store's total at the last
        answer plus the worker's own requests since.
Rule 3: a batch without an answer is pending again. If the store had taken it, its requests count
        twice: an error towards refusing, never towards allowing.
Rule 4: a count belongs to the window in which it was made, and dies with it.

The error: while one window lasts, all workers together allow at most ``requests`` plus what every
worker but one allowed since it last told the store and got an answer. For if the worker whose last
answer is the newest still allowed a request, then everything that the store knew at that answer was
below the limit, and what it did not know is what the others gathered since their own last answers.
With an exchange every 100 ms, that is a tenth of a second's worth of requests per worker. Where the
windows of two machines differ, by at most one exchange at their ends, so much again.

Only fixed windows can be told as sums; a leaky bucket is either local or strict.
"""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_host.limiter.limit import Limit

CAPACITY = 65_536
"""Keys that one worker may gather between two exchanges; about 20 MB at worst. More are counted
locally only.
"""


@dataclass(slots=True)
class Delta:
    """``count`` requests of ``key`` that the store does not know, in a window that ends at ``end``
    (ms).
    """

    limit: Limit
    key: bytes
    count: int
    end: int


class Deltas:
    """Gathers counts by limit and key."""

    __slots__ = ("_capacity", "_pending", "dropped")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._pending: dict[tuple[bytes, bytes], Delta] = {}
        self._capacity = capacity
        self.dropped = 0
        """Requests that were counted locally only, because there were too many keys."""

    def __len__(self) -> int:
        return len(self._pending)

    def count(self, limit: Limit, key: bytes, packed: int, now: int) -> None:
        """Note a request that the local table judged at ``now`` (ms); a refused one is not counted
        anywhere.
        """
        if packed < 0:
            return
        delta = self._pending.get((limit.identity, key))
        if delta is not None and now < delta.end:
            delta.count += 1
        elif delta is not None or len(self._pending) < self._capacity:
            self._pending[limit.identity, key] = Delta(limit, key, 1, now + (packed & 0xFFFFFFFF))
        else:
            self.dropped += 1

    def take(self, now: int, most: int) -> list[Delta]:
        """Remove and return up to ``most`` pending counts, oldest first. Windows that ended before
        ``now`` are dropped.
        """
        batch: list[Delta] = []
        while self._pending and len(batch) < most:
            identity = next(iter(self._pending))
            delta = self._pending.pop(identity)
            if now < delta.end:
                batch.append(delta)
        return batch

    def restore(self, batch: list[Delta]) -> None:
        """Make a batch pending again that got no answer."""
        for delta in batch:
            place = (delta.limit.identity, delta.key)
            newer = self._pending.get(place)
            if newer is None:
                self._pending[place] = delta
            elif newer.end <= delta.end:
                newer.count += delta.count

    def pending(self, limit: Limit, key: bytes) -> int:
        """How many requests of a key the store does not know."""
        delta = self._pending.get((limit.identity, key))
        return 0 if delta is None else delta.count
