"""The exchange with Redis or Valkey: in the background for most limits, within the request for
strict ones.

While the store is unreachable, local limits go on. That is reported once. Counts of windows that
are still open are sent when the store is back.

Every error counts as a failure of the store, also one that the server answers: READONLY, LOADING,
MOVED or NOAUTH come from a server that is no longer the store. After a failure no connection is
used again (`sentinel_host.limiter.store.connections`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript

from sentinel_host.limiter.limit import Algorithm, Limit
from sentinel_host.limiter.store.connections import Place, connection_options
from sentinel_host.limiter.store.deltas import Deltas
from sentinel_host.limiter.store.scripts import ADD, FIXED_WINDOW, LEAKY_BUCKET, store_key
from sentinel_host.limiter.table import SharedTable
from sentinel_host.net import Names

INTERVAL = 0.1
"""Seconds between exchanges: how stale shared counts may be."""
TIMEOUT = 0.5
"""Seconds that one exchange may take; a strict check falls back to the local table then."""
PAUSE = 1.0
"""Seconds after a failure during which strict checks do not try again: a dead store must not slow
every request.
"""
CONNECTIONS = 32
"""Of one worker, for strict checks that wait at the same time."""
BATCH = 100
"""Keys per script: 0.1 ms of the store's thread, and 1.5 ms of ours, since redis-py packs each word
in Python.
"""

_REFUSED = -(1 << 63)

Report = Callable[[str | None], None]
"""Called with the reason when the store goes away, and with ``None`` when it is back."""


class LimitStore:
    """One worker's side of a shared store. `run` exchanges until it is cancelled."""

    def __init__(
        self,
        url: str,
        table: SharedTable,
        report: Report,
        names: Names,
        *,
        interval: float = INTERVAL,
        timeout: float = TIMEOUT,
        pause: float = PAUSE,
        prefix: str = "sentinel:",
    ) -> None:
        """``url`` as in ``redis://host:port/0``, ``rediss://`` for TLS, or ``unix://path``. Raises
        `ValueError`.
        """
        self._place = Place(names)
        # Retrying is ours: a request must not wait for several attempts.
        defaults: dict[str, Any] = {
            "max_connections": CONNECTIONS,
            "timeout": timeout,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "retry": Retry(NoBackoff(), 0),
        }
        pool = BlockingConnectionPool(**(defaults | connection_options(url, self._place)))
        self._redis = Redis.from_pool(pool)
        self._add = self._redis.register_script(ADD)
        self._strict = {
            Algorithm.FIXED_WINDOW: self._redis.register_script(FIXED_WINDOW),
            Algorithm.LEAKY_BUCKET: self._redis.register_script(LEAKY_BUCKET),
        }
        self._table = table
        self._report = report
        self._interval = interval
        self._timeout = timeout
        self._pause = pause
        self._prefix = prefix
        self.deltas = Deltas()
        self.available = True
        self._quiet_until = 0.0

    def count(self, limit: Limit, key: bytes, packed: int) -> None:
        """Note the local table's result for a fixed window, for the next exchange. Never waits."""
        self.deltas.count(limit, key, packed, time.monotonic_ns() // 1_000_000)

    async def check(self, limit: Limit, key: bytes) -> int:
        """`SharedTable.check` with the store's count, in one round trip; with the local one while
        the store is away.
        """
        if time.monotonic() < self._quiet_until:
            return self._table.check(limit, key)
        name = store_key(self._prefix + "strict:", limit, key)
        script = self._strict[limit.algorithm]
        era = self._place.failures
        try:
            allowed, remaining, reset = await self._ask(script, [name], [limit.requests, limit.window_ms])
        except Exception as failure:
            self._failed(failure, era)
            return self._table.check(limit, key)
        return (remaining << 32 | reset) + (0 if allowed else _REFUSED)

    async def run(self) -> None:
        """Exchange every interval."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.exchange()
            except Exception as failure:
                # An unexpected answer. The next exchange may succeed.
                self._note(f"{type(failure).__name__}: {failure}")

    async def exchange(self) -> None:
        """Send pending counts in batches, and learn the totals. Stops at the first failure."""
        for _ in range(len(self.deltas) // BATCH + 1):
            now = time.monotonic_ns() // 1_000_000
            batch = self.deltas.take(now, BATCH)
            if not batch:
                return
            keys = [store_key(self._prefix, delta.limit, delta.key) for delta in batch]
            numbers = [number for delta in batch for number in (delta.count, delta.end - now)]
            era = self._place.failures
            try:
                answers = await self._ask(self._add, keys, numbers)
            except BaseException as failure:
                self.deltas.restore(batch)
                if not isinstance(failure, Exception):
                    raise
                self._failed(failure, era)
                return
            for delta, total, left in zip(batch, answers[::2], answers[1::2], strict=True):
                used = total + self.deltas.pending(delta.limit, delta.key)
                self._table.learn(delta.limit, delta.key, min(used, 0xFFFFFFFF), left)

    async def _ask(self, script: AsyncScript, keys: list[str], numbers: list[int]) -> list[int]:
        """Run a script. Whatever exception comes out is a failure of the store."""
        task = asyncio.current_task()
        assert task is not None
        cancelled = task.cancelling()
        async with asyncio.timeout(self._timeout):
            answer: list[int] = await script(keys=keys, args=numbers)
        # redis-py writes under asyncio.wait_for, which before Python 3.12 may swallow a
        # cancellation.
        if task.cancelling() > cancelled:
            raise asyncio.CancelledError
        self._quiet_until = 0.0
        self._note(None)
        return answer

    def _failed(self, failure: Exception, era: int) -> None:
        """Note that the store is unreachable, unless the exchange began before the last failure."""
        if era == self._place.failures:
            self._place.leave()
            self._quiet_until = time.monotonic() + self._pause
            self._note(str(failure) or type(failure).__name__)

    def _note(self, reason: str | None) -> None:
        available = reason is None
        if available is not self.available:
            self.available = available
            self._report(reason)

    async def close(self) -> None:
        """Send pending counts for the other workers and machines, and close the connections."""
        await self.exchange()
        await self._redis.aclose()
        self._place.close()
