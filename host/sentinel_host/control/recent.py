"""The latest records of requests of all workers, in a bounded memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

import msgspec

from sentinel_host.control.overview import Overview
from sentinel_host.observe import RequestRecord, Taken

CAPACITY: Final = 5 << 20
"""Bytes of records that are kept."""

# Pages of a worker's ring that are read at once: a megabyte each.
_MOST_PAGES: Final = 8
# Records that one refresh tells of.
_MOST_NEW: Final = 500
# What a record takes beside its own bytes.
_OVERHEAD: Final = 128


class RecentRequests:
    """Asks the workers for what is new, which ``overview`` knows; ``explain`` is told to them."""

    def __init__(self, overview: Overview, explain: Callable[[], str], capacity: int = CAPACITY) -> None:
        self._overview = overview
        self._explain = explain
        self._capacity = capacity
        self._kept: deque[bytes] = deque()
        self._size = 0
        self._next: dict[int, int] = {}
        # Two who ask at once must not both be told of the same records.
        self._lock = asyncio.Lock()

    async def refresh(self, *, watch: bool) -> list[RequestRecord]:
        """The records that are new, oldest first, or the last ones of very many; with ``watch``
        workers make more of them.
        """
        async with self._lock:
            fresh: list[bytes] = []
            for _ in range(_MOST_PAGES):
                before, found = len(fresh), await self._ask(watch=watch)
                for worker, taken in found.items():
                    self._next[worker] = taken.next
                    fresh += map(bytes, taken.records)
                if len(fresh) == before:
                    break
            for data in fresh:
                self._keep(data)
        # Decoding all of a ring would hold up a process that serves.
        return sorted(map(_decode, fresh[-_MOST_NEW:]), key=_started)

    def latest(self, most: int) -> list[RequestRecord]:
        """The last records that are known, newest first."""
        return sorted(map(_decode, islice(reversed(self._kept), most)), key=_started, reverse=True)

    async def _ask(self, *, watch: bool) -> dict[int, Taken]:
        return await self._overview.records(self._next, watch=watch, explain=self._explain())

    def _keep(self, data: bytes) -> None:
        self._kept.append(data)
        self._size += len(data) + _OVERHEAD
        while self._size > self._capacity:
            self._size -= len(self._kept.popleft()) + _OVERHEAD


def _started(record: RequestRecord) -> int:
    return record.started_at


_decode: Final = msgspec.msgpack.Decoder(RequestRecord).decode
