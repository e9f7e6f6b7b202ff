"""From a guest's name to its compiled form: read, verify, hash, look into the cache, else compile."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final

import msgspec

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.cache import Cache
from sentinel_host.hotload.compiler import Compiler
from sentinel_host.hotload.folder import Folder, GuestUnsettled
from sentinel_host.hotload.signature import Statement, Verifier
from sentinel_host.hotload.watch import HELD_STILL
from sentinel_host.sandbox import CompiledGuest

# A file that never holds still is somebody's log, and no guest.
_ATTEMPTS: Final = 5


class Offer(msgspec.Struct, frozen=True):
    """A version of a guest that may go into service.

    ``path`` is where it was read; ``version`` and ``key`` are what it is signed with, where that is asked for. ``data``
    is the whole file, where it was read: workers are offered guests without.
    """

    name: str
    path: str
    guest: CompiledGuest
    version: int | None = None
    key: str = ""
    data: bytes = b""


class Loader:
    """Loads the guests of one folder; ``cache`` and ``verifier`` are ``None`` where there are none."""

    def __init__(self, folder: Folder, cache: Cache | None, verifier: Verifier | None, compiler: Compiler) -> None:
        self._folder = folder
        self._cache = cache
        self._verifier = verifier
        self._compiler = compiler

    async def obtain(self, name: str) -> Offer:
        """What is in the folder under this name now.

        Raises `GuestLoadError`.
        """
        for _ in range(_ATTEMPTS):
            try:
                data = await aside(lambda: self._folder.read(name))
                break
            except GuestUnsettled as error:
                unsettled = error
                await asyncio.sleep(HELD_STILL)
        else:
            raise unsettled
        return await self._offer(name, self._folder.path_of(name), data, on_purpose=False)

    async def restore(self, name: str, data: bytes) -> Offer:
        """The version whose file held ``data``, which is to serve in place of a newer one, on purpose.

        Raises `GuestLoadError`.
        """
        # For messages: it is not what is there now.
        return await self._offer(name, f"{self._folder.path_of(name)} (the version before)", data, on_purpose=True)

    async def _offer(self, name: str, path: str, data: bytes, *, on_purpose: bool) -> Offer:
        sha256, signed, kept = await aside(lambda: self._examine(name, path, data, on_purpose=on_purpose))
        if kept is None:
            kept = await self._compiler.compile(data, path)
            if kept.sha256 != sha256:
                raise GuestLoadError(f"{path}: compiling it failed: the process answered for another file")
            if (cache := self._cache) is not None:
                compiled = kept
                await aside(lambda: cache.put(compiled))
        if signed is None:
            return Offer(name, path, kept, data=data)
        return Offer(name, path, kept, signed.version, signed.key_id, data)

    def _examine(
        self, name: str, path: str, data: bytes, *, on_purpose: bool
    ) -> tuple[str, Statement | None, CompiledGuest | None]:
        """In a thread, as a file may be large and a disk slow; digests and signatures are C that lets Python run."""
        signed = None
        if self._verifier is not None:
            signed = self._verifier.verify(data, name, path, on_purpose=on_purpose)
        sha256 = hashlib.sha256(data).hexdigest()
        return sha256, signed, self._cache.get(sha256) if self._cache is not None else None
