"""From a guest's name to its compiled form: read, verify, hash, look into the cache, else compile.

With keys, a file serves if one of them signed it. A standard guest that none of them signed serves
if the configuration trusts the package that brings it.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final, NamedTuple

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.cache import Cache
from sentinel_host.hotload.changes import STILL_TIME
from sentinel_host.hotload.compiler import Compiler
from sentinel_host.hotload.folder import Folder, GuestAbsent, GuestUnstable
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.hotload.rollbacks import RollbackRecord
from sentinel_host.hotload.signature import Statement, Verifier
from sentinel_host.hotload.standard_guests import StandardGuests
from sentinel_host.sandbox import CompiledGuest

# A file that changes during every attempt is not a finished guest.
_ATTEMPTS: Final = 5


class _Found(NamedTuple):
    """A guest's file as it was read; ``path`` is for messages."""

    name: str
    path: str
    data: bytes
    is_standard: bool


class Loader:
    """Loads the guests of one folder, and the ``standard`` ones that it does not have.

    ``cache`` and ``verifier`` are optional. ``trust_standard`` is whether standard guests need no
    signature.
    """

    def __init__(
        self,
        folder: Folder,
        standard: StandardGuests,
        cache: Cache | None,
        verifier: Verifier | None,
        compiler: Compiler,
        *,
        trust_standard: bool,
    ) -> None:
        self._folder = folder
        self._standard = standard
        self._cache = cache
        self._verifier = verifier
        self._compiler = compiler
        self._trust_standard = trust_standard

    async def obtain(self, name: str) -> GuestVersion:
        """The version that is in the folder under this name now, else the standard guest of this
        name.

        Raises `GuestLoadError`.
        """
        for _ in range(_ATTEMPTS):
            try:
                found = await aside(lambda: self._read(name))
                break
            except GuestUnstable as error:
                unstable = error
                await asyncio.sleep(STILL_TIME)
        else:
            raise unstable
        return await self._version_of(found, on_purpose=False)

    async def restore(self, record: RollbackRecord) -> GuestVersion:
        """The version before of a record. It may be older than the highest that served: a rollback
        is no attack.

        Raises `GuestLoadError`.
        """
        # The path appears in messages; the folder holds another file now.
        path = f"{self._folder.path_of(record.name)} (the version before)"
        return await self._version_of(_Found(record.name, path, record.data, record.is_standard), on_purpose=True)

    def _read(self, name: str) -> _Found:
        try:
            return _Found(name, self._folder.path_of(name), self._folder.read(name), False)
        except GuestAbsent as missing:
            return _Found(name, *self._standard.read(name, missing), True)

    async def _version_of(self, found: _Found, *, on_purpose: bool) -> GuestVersion:
        name, path, data, is_standard = found
        sha256, signed, kept = await aside(lambda: self._examine(found, on_purpose=on_purpose))
        if kept is None:
            kept = await self._compiler.compile(data, path)
            if kept.sha256 != sha256:
                raise GuestLoadError(f"{path}: compiling it failed: the process answered for another file")
            if (cache := self._cache) is not None:
                compiled = kept
                await aside(lambda: cache.put(compiled))
        if signed is None:
            return GuestVersion(name, path, kept, data=data, is_standard=is_standard)
        return GuestVersion(name, path, kept, signed.version, signed.key_id, data, is_standard)

    def _examine(self, found: _Found, *, on_purpose: bool) -> tuple[str, Statement | None, CompiledGuest | None]:
        """In a thread, as a file may be large and a disk slow; digests and signatures are C that
        lets Python run.
        """
        signed = self._verify(found, on_purpose=on_purpose)
        sha256 = hashlib.sha256(found.data).hexdigest()
        return sha256, signed, self._cache.get(sha256) if self._cache is not None else None

    def _verify(self, found: _Found, *, on_purpose: bool) -> Statement | None:
        if self._verifier is None:
            return None
        try:
            return self._verifier.verify(found.data, found.name, found.path, on_purpose=on_purpose)
        except GuestLoadError as error:
            if not found.is_standard:
                raise
            if self._trust_standard:
                return None
            raise GuestLoadError(f"{error}; it is a standard guest, and guests.trust_standard is false") from None
