"""The table of counters in memory that all workers share.

Rule 1: the table is made before workers start, by the process that starts them, and lives as long
        as one process maps it.
Rule 2: time is CLOCK_MONOTONIC, which all processes of a machine share. The wall clock is never
        read.
Rule 3: no check waits or raises; a process that dies anywhere leaves the table as good as it was
        (src/limiter.h).
"""

from __future__ import annotations

import mmap
import os
import secrets
import time
from typing import Final

from sentinel_host.errors import SentinelError
from sentinel_host.limiter._check import Check
from sentinel_host.limiter._table import ffi, lib
from sentinel_host.limiter.limit import Limit
from sentinel_host.shared_memory import create_sealed

DEFAULT_SLOTS: Final = 262_144
"""4 MiB. Up to two thirds of it, 175,000 keys live at a time, every key finds its slot."""

_check_at = lib.snt_limit_check
_CHECK_NOW: Final = int(ffi.cast("uintptr_t", ffi.addressof(lib, "snt_limit_check_now")))


class SharedTable:
    """Counters for every key of every limit, shared between processes."""

    __slots__ = ("_check", "_memory", "_pointer", "_table", "fd")

    def __init__(self, fd: int, secret: tuple[int, int] | None, slots: int) -> None:
        """Use `create` or `attach`."""
        self.fd = fd
        size = os.fstat(fd).st_size
        self._memory = mmap.mmap(fd, size)
        self._pointer = ffi.from_buffer(self._memory)
        if secret is not None:
            self._table = lib.snt_table_make(self._pointer, slots, list(secret))
        else:
            self._table = lib.snt_table_open(self._pointer, size)
            if self._table == ffi.NULL:
                self._unmap()
                raise SentinelError("the shared memory is not a limiter's table of this version")
        self._check: Check | None = Check(_CHECK_NOW, int(ffi.cast("uintptr_t", self._table)))

    @classmethod
    def create(cls, slots: int = DEFAULT_SLOTS) -> SharedTable:
        """Make a table for at least ``slots`` keys, 16 bytes each, all allocated now.

        Raises `ValueError` for a bad number, and `OSError` when there is no memory for it.
        """
        size = lib.snt_table_size(slots) if slots > 0 else 0
        if size == 0:
            raise ValueError(f"slots must be from 1 to {1 << 28}, not {slots}")
        fd = create_sealed("sentinel-limiter", size)
        try:
            return cls(fd, (secrets.randbits(64), secrets.randbits(64)), slots)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def attach(cls, fd: int) -> SharedTable:
        """Map a table that another process created; takes over ``fd``. Raises `SentinelError` if it
        is no table.
        """
        return cls(fd, None, 0)

    def check(self, limit: Limit, key: bytes) -> int:
        """Count one request of ``key``; negative when it is refused.

        Bits 0 to 31 of the number are milliseconds: until the window ends or the bucket is empty
        or, when refused, until a request may succeed. Bits 32 to 55 are how many requests are left.
        `Overflow` has a bit of its own.
        """
        assert self._check is not None
        return self._check(limit.native_bytes, key)

    def check_and_tell(self, limit: bytes, key: bytes, begun: object) -> object:
        """As `check`, by `Limit.native_bytes`, and with what to tell the client.

        Of a request that is allowed, its ``RateLimit`` field: ``begun``, a tuple of two bytes, the
        field's name and the limit's, with the limit's state behind. Of one that is refused, an
        ``int``: in how many whole seconds a request may succeed.
        """
        assert self._check is not None
        return self._check(limit, key, begun)

    def check_at(self, limit: Limit, key: bytes, now: int) -> int:
        """`check` at a time of the caller's: nanoseconds of one clock that never runs backwards."""
        return _check_at(self._table, limit.native, key, len(key), now)

    def learn(self, limit: Limit, key: bytes, used: int, left_ms: int, now: int | None = None) -> bool:
        """Raise a key's fixed window to at least ``used`` requests, and let it end ``left_ms`` from
        now.

        Returns whether the key has a counter; without one nothing is learnt.
        """
        now = time.monotonic_ns() if now is None else now
        return lib.snt_limit_learn(self._table, limit.native, key, len(key), now, used, left_ms)

    @property
    def slots(self) -> int:
        """How many keys have room at best."""
        return lib.snt_table_slots(self._table)

    def live(self, now: int | None = None) -> int:
        """How many slots are taken: a walk through all, about a millisecond for a million."""
        return lib.snt_table_live(self._table, time.monotonic_ns() if now is None else now)

    @property
    def overflows(self) -> int:
        """How many checks found no slot since the table was made, see `Overflow`."""
        return lib.snt_table_overflows(self._table)

    def close(self) -> None:
        """Unmap the table and close its descriptor; the table may not be used any more."""
        self._check = None
        self._table = ffi.NULL
        self._unmap()
        os.close(self.fd)

    def _unmap(self) -> None:
        ffi.release(self._pointer)
        self._memory.close()
