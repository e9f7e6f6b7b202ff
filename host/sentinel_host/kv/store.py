"""The store in memory that all workers share; ``host/native/kv/src/kv.h`` has its rules.

It is made before workers start, by the process that starts them, and lives as long as one process
maps it.
"""

from __future__ import annotations

import mmap
import os
import secrets

from sentinel_host.errors import GuestLoadError, SentinelError
from sentinel_host.kv._store import ffi, lib
from sentinel_host.shared_memory import create_sealed

DEFAULT_BYTES = 8 << 20
"""Eight guests with the default quota."""


class SharedStore:
    """Keys and values of every guest, shared between processes."""

    __slots__ = ("_memory", "_pointer", "_store", "address", "fd")

    def __init__(self, fd: int, size: int | None) -> None:
        """Use `create` or `attach`."""
        self.fd = fd
        mapped = os.fstat(fd).st_size
        self._memory = mmap.mmap(fd, mapped)
        self._pointer = ffi.from_buffer(self._memory)
        if size is not None:
            self._store = lib.snt_kv_make(self._pointer, size, [secrets.randbits(64), secrets.randbits(64)])
        else:
            self._store = lib.snt_kv_open(self._pointer, mapped)
        if self._store == ffi.NULL:
            self._unmap()
            raise SentinelError("the shared memory is not a store of this version")
        self.address = int(ffi.cast("uintptr_t", self._store))

    @classmethod
    def create(cls, size: int = DEFAULT_BYTES) -> SharedStore:
        """Make a store for ``size`` bytes of entries, all allocated now.

        Raises `ValueError` for a bad size, and `OSError` when there is no memory for it.
        """
        mapped = lib.snt_kv_size(size) if size > 0 else 0
        if mapped == 0:
            raise ValueError(f"a store cannot have {size} bytes")
        fd = create_sealed("sentinel-kv", mapped)
        try:
            return cls(fd, size)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def attach(cls, fd: int) -> SharedStore:
        """Map a store that another process created; takes over ``fd``. Raises `SentinelError` if it
        is no store.
        """
        return cls(fd, None)

    def space(self, name: str) -> int:
        """The number of a guest's own space, which is made if need be.

        Raises `GuestLoadError` if there are too many, or a stopped process holds the store's lock.
        """
        number = lib.snt_kv_space(self._store, name.encode())
        if number == lib.SNT_KV_FULL:
            raise GuestLoadError(f"guest {name}: kv: {lib.SNT_KV_SPACES} guests have keys already")
        if number < 0:
            raise GuestLoadError(f"guest {name}: kv: its name is too long, or the store is held up")
        return number

    def put(self, space: int, quota: int, key: bytes, value: bytes, now: int) -> None:
        """Store a value that stays in a guest's space of ``quota`` bytes; ``now`` is milliseconds
        of its clock.

        Raises `SentinelError` when there is no room, or key or value are too large.
        """
        if error := lib.snt_kv_set(self._store, space, quota, key, len(key), value, len(value), 0, now):
            raise SentinelError(f"kv: a key of {len(key)} and a value of {len(value)} bytes: error {error}")

    def used(self, space: int) -> int:
        """Bytes of a guest's entries, including expired ones that were not removed yet."""
        return lib.snt_kv_used(self._store, space)

    @property
    def capacity(self) -> int:
        """Bytes that all entries may take."""
        return lib.snt_kv_capacity(self._store)

    @property
    def recoveries(self) -> int:
        """How often a process died during a change and its lock was recovered."""
        return lib.snt_kv_recoveries(self._store)

    def close(self) -> None:
        """Unmap the store and close its descriptor; no guest that uses it may be called any
        more.
        """
        self._store = ffi.NULL
        self._unmap()
        os.close(self.fd)

    def _unmap(self) -> None:
        ffi.release(self._pointer)
        self._memory.close()
