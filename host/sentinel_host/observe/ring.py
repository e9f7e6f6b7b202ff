"""The last records of a worker, in a bounded memory: who reads too late misses some, and learns how
many.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from sentinel_host.observe.record import RequestRecord
from sentinel_host.observe.taken import Taken

CAPACITY: Final = 5 << 20
"""Bytes of records that a worker keeps."""

# Bytes beside a record's own that its place in the ring takes.
_OVERHEAD: Final = 128
_encode: Final = msgspec.msgpack.Encoder().encode


class Ring:
    """Records by a number that grows by one with each, encoded as MessagePack. ``size`` is in
    bytes.
    """

    __slots__ = ("_capacity", "_next", "_records", "size")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._records: deque[bytes] = deque()
        self._next = 0
        self.size = 0

    @property
    def next(self) -> int:
        """The number that the next record gets."""
        return self._next

    def add(self, record: RequestRecord) -> None:
        """Keep a record, and let go of the oldest ones where there is no room; one that is too
        large is left out.
        """
        data = _encode(record)
        self._next += 1
        self._records.append(data)
        self.size += len(data) + _OVERHEAD
        while self.size > self._capacity:
            self.size -= len(self._records.popleft()) + _OVERHEAD

    def after(self, number: int, most: int = CAPACITY) -> Taken:
        """The records from this number on, up to ``most`` bytes, but one at least."""
        first = self._next - len(self._records)
        # A number beyond all is that of a worker that was here before.
        start = first if number > self._next else max(first, number)
        records: list[msgspec.Raw] = []
        for index in range(start - first, len(self._records)):
            data = self._records[index]
            most -= len(data)
            if records and most < 0:
                break
            records.append(msgspec.Raw(data))
        return Taken(records, start + len(records), max(0, start - number) if number <= self._next else 0)
