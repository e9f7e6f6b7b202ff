"""The table of endpoints in memory that all workers share: the health of each, and how busy it is.

Rule 1: the table is made before workers start, by the process that starts them, and lives as long
        as one process maps it.
Rule 2: each process that sends requests has a cell of its own in every row, by its number. The
        process that reaps another one clears its cells (`clear_worker`). Until then, its requests
        count as under way.
Rule 3: an endpoint is known by a key, made of its upstream and its address. So it keeps its health
        over a reload, and over the restart of a worker.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import secrets
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from sentinel_host.errors import SentinelError
from sentinel_host.shared_memory import create_sealed
from sentinel_host.upstream._endpoints import Table, table_size

DEFAULT_ROWS: Final = 1024
"""Endpoints of all upstreams together: 64 KiB, and as much for each process."""

DRAINING: Final = 1
DOWN: Final = 2

# Seconds. Workers that take over from others refer to the same endpoints long before the second.
_SWEEP_INTERVAL: Final = 60.0
_SWEEPS: Final = 2
# Keys below it mean that a row is free, or is being freed.
_LEAST_KEY: Final = 2
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class EndpointState:
    """What is known of one endpoint. Times are in milliseconds, ``latency`` in microseconds."""

    draining: bool
    down: bool
    ejected_for: int
    """How long it is still ejected; 0: it is not."""
    ejections: int
    """How often in a row it was ejected."""
    active: int
    """Requests under way, of all workers."""
    requests: int
    failures: int
    latency: int
    """Of the head of an answer, on average."""
    in_service_for: int | None
    """How long it has been in service, or back; None: since the first worker knew it."""

    @property
    def serves(self) -> bool:
        """Whether it gets requests because it is well."""
        return not (self.draining or self.down or self.ejected_for)


def key_of(upstream: str, url: str, address: str) -> int:
    """The key of an endpoint: the same in every process, and for no other endpoint of any
    upstream.
    """
    digest = blake2b(f"{upstream}\0{url}\0{address}".encode(), digest_size=8).digest()
    return max(int.from_bytes(digest, "little"), _LEAST_KEY)


class EndpointTable:
    """The rows of all endpoints; ``cells`` processes may use it."""

    __slots__ = ("_memory", "cells", "fd", "native", "secret")

    def __init__(self, fd: int, rows: int, cells: int, secret: bytes) -> None:
        """Use `create` or `attach`."""
        self.fd = fd
        self.cells = cells
        self._memory = mmap.mmap(fd, os.fstat(fd).st_size)
        try:
            self.native = Table(self._memory, rows, cells, secret)
        except ValueError as error:
            self._memory.close()
            raise SentinelError(f"the shared memory is no table of endpoints: {error}") from None
        # What all workers sign cookies with.
        self.secret = self.native.secret()

    @classmethod
    def create(cls, cells: int, rows: int = DEFAULT_ROWS) -> EndpointTable:
        """Make a table for processes numbered from 0 to ``cells - 1``, all memory allocated now.

        Raises `ValueError` for a bad number, and `OSError` when there is no memory for it.
        """
        fd = create_sealed("sentinel-endpoints", table_size(rows, cells))
        try:
            return cls(fd, rows, cells, secrets.token_bytes(_SECRET_BYTES))
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def attach(cls, fd: int) -> EndpointTable:
        """Map a table that another process created; takes over ``fd``. Raises `SentinelError` when
        it is none.
        """
        return cls(fd, 0, 0, b"")

    def state(self, key: int) -> EndpointState:
        """Raises `LookupError` when no process uses the endpoint."""
        flags, ejected_for, ejections, active, requests, failures, latency, since = self.native.view(key)
        return EndpointState(
            draining=bool(flags & DRAINING),
            down=bool(flags & DOWN),
            ejected_for=ejected_for,
            ejections=ejections,
            active=active,
            requests=requests,
            failures=failures,
            latency=latency,
            in_service_for=since,
        )

    def drain(self, key: int, draining: bool) -> None:
        """Give the endpoint no new requests, or again some. Raises `LookupError` when no process
        uses it.
        """
        self.native.flag(key, DRAINING if draining else 0, 0 if draining else DRAINING)

    def checked(self, key: int, healthy: bool) -> None:
        """Active checks have come to this. Raises `LookupError` when no process uses the endpoint.

        One that was down and is well again is no longer ejected either. One that was not down stays
        ejected: its check may be well while its answers to requests are not.
        """
        before = self.native.flag(key, 0 if healthy else DOWN, DOWN if healthy else 0)
        if healthy and before & DOWN:
            self.native.readmit(key)

    def clear_worker(self, cell: int) -> None:
        """The process of this number is gone, with all that it had under way."""
        self.native.clear_worker(cell)

    def sweep(self, sweeps: int) -> None:
        """Free rows that were unused during the last ``sweeps`` calls. Only one process calls
        this.
        """
        self.native.sweep(sweeps)


async def keep_swept(table: EndpointTable) -> None:
    """Free the rows of endpoints that are not used any more, again and again; for the process that
    made the table.
    """
    while True:
        await asyncio.sleep(_SWEEP_INTERVAL)
        table.sweep(_SWEEPS)
