"""From a guest's name to its compiled form: read, verify, hash, look into the cache, else compile."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.cache import Cache
from sentinel_host.hotload.changes import STILL_TIME
from sentinel_host.hotload.compiler import Compiler
from sentinel_host.hotload.folder import Folder, GuestUnstable
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.hotload.signature import Statement, Verifier
from sentinel_host.sandbox import CompiledGuest

# A file that changes during every attempt is not a finished guest.
_ATTEMPTS: Final = 5


class Loader:
    """Loads the guests of one folder; ``cache`` and ``verifier`` are optional."""

    def __init__(self, folder: Folder, cache: Cache | None, verifier: Verifier | None, compiler: Compiler) -> None:
        self._folder = folder
        self._cache = cache
        self._verifier = verifier
        self._compiler = compiler

    async def obtain(self, name: str) -> GuestVersion:
        """The version that is in the folder under this name now.

        Raises `GuestLoadError`.
        """
        for _ in range(_ATTEMPTS):
            try:
                data = await aside(lambda: self._folder.read(name))
                break
            except GuestUnstable as error:
                unstable = error
                await asyncio.sleep(STILL_TIME)
        else:
            raise unstable
        return await self._version_of(name, self._folder.path_of(name), data, on_purpose=False)

    async def restore(self, name: str, data: bytes) -> GuestVersion:
        """The version whose file held ``data``. It may be older than the highest that served: a rollback is no attack.

        Raises `GuestLoadError`.
        """
        # The path appears in messages; the folder holds another file now.
        return await self._version_of(name, f"{self._folder.path_of(name)} (the version before)", data, on_purpose=True)

    async def _version_of(self, name: str, path: str, data: bytes, *, on_purpose: bool) -> GuestVersion:
        sha256, signed, kept = await aside(lambda: self._examine(name, path, data, on_purpose=on_purpose))
        if kept is None:
            kept = await self._compiler.compile(data, path)
            if kept.sha256 != sha256:
                raise GuestLoadError(f"{path}: compiling it failed: the process answered for another file")
            if (cache := self._cache) is not None:
                compiled = kept
                await aside(lambda: cache.put(compiled))
        if signed is None:
            return GuestVersion(name, path, kept, data=data)
        return GuestVersion(name, path, kept, signed.version, signed.key_id, data)

    def _examine(
        self, name: str, path: str, data: bytes, *, on_purpose: bool
    ) -> tuple[str, Statement | None, CompiledGuest | None]:
        """In a thread, as a file may be large and a disk slow; digests and signatures are C that lets Python run."""
        signed = None
        if self._verifier is not None:
            signed = self._verifier.verify(data, name, path, on_purpose=on_purpose)
        sha256 = hashlib.sha256(data).hexdigest()
        return sha256, signed, self._cache.get(sha256) if self._cache is not None else None
