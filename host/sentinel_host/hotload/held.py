"""What was taken back, kept over restarts: the version in the folder is not tried again, and the one before serves.

Rule 1: what is kept is enough to serve again: the whole file of the version before. Its compiled code may be in the
        cache; another engine compiles it anew, and it must be signed by the keys of today.
Rule 2: it counts for the very file that was taken back, by digest. Another file in its place ends it.
Rule 3: nothing here stops a guest from being loaded: what cannot be read, or not be had again, is reported, and what is
        in the folder is tried.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.loader import Offer
from sentinel_host.hotload.placement import short
from sentinel_host.hotload.sealed import read_sealed, write_sealed

_log = logging.getLogger("sentinel.hotload")

_MAGIC: Final = b"sentinel taken back 1\n"
_SUFFIX: Final = ".held"


class _Record(msgspec.Struct, frozen=True):
    """``taken_back`` is a version's digest, ``data`` the file of the one before; ``since`` is seconds of the epoch."""

    folder: str
    name: str
    taken_back: str
    since: float
    reason: str
    data: bytes


_decoder = msgspec.msgpack.Decoder(_Record)

Restore = Callable[[str, bytes], Awaitable[Offer]]
"""Makes a version from a guest's name and its file. Raises `GuestLoadError`."""


class Held:
    """For the guests of one ``folder``; ``directory`` is one that only its owner can enter, None keeps nothing."""

    def __init__(self, directory: Path | None, folder: Path, restore: Restore) -> None:
        self._directory = directory
        # As it is written: a release that is put into place by changing a link is the same folder.
        self._folder = os.path.abspath(folder) if directory is not None else ""
        self._restore = restore

    async def keep(self, taken_back: Offer, serving: Offer, reason: str) -> None:
        """A version was taken back for this reason, and another serves."""
        name = serving.name
        if self._directory is None:
            _log.warning("guest %s: %s is tried again after a restart: there is no cache", name, short(taken_back))
            return
        record = _Record(self._folder, name, taken_back.guest.sha256, time.time(), reason, serving.data)
        try:
            body = msgspec.msgpack.encode(record)
            file = self._file(self._directory, name)
            await aside(lambda: write_sealed(file, _MAGIC, body))
        except OSError as error:
            _log.error("guest %s: %s is tried again after a restart: %s", name, short(taken_back), error)

    async def drop(self, name: str) -> None:
        """Another version of this guest has come, or somebody wants it all the same."""
        if self._directory is not None:
            file = self._file(self._directory, name)
            try:
                await aside(lambda: file.unlink(missing_ok=True))
            except OSError as error:
                # It counts for one file only, which has gone.
                _log.warning("guest %s: what was taken back is still noted: %s", name, error)

    async def recall(self, found: Offer) -> Offer | None:
        """What is to serve in place of the version that was found in the folder; None for that version itself."""
        name = found.name
        record = await aside(lambda: self._read(name))
        if record is None:
            return None
        if record.taken_back != found.guest.sha256:
            await self.drop(name)
            return None
        try:
            serving = await self._restore(name, record.data)
        except GuestLoadError as error:
            _log.error(
                "guest %s: %s was taken back, and is tried again: there is no version before: %s",
                name,
                short(found),
                error,
            )
            return None
        since = datetime.fromtimestamp(record.since, UTC).isoformat(timespec="seconds")
        _log.warning(
            "guest %s: %s was taken back at %s (%s), and is not tried again until its file changes: %s is to serve",
            name,
            short(found),
            since,
            record.reason,
            short(serving),
        )
        return serving

    def _read(self, name: str) -> _Record | None:
        if self._directory is None:
            return None
        file = self._file(self._directory, name)
        try:
            record = _decoder.decode(read_sealed(file, _MAGIC))
            if (record.folder, record.name) != (self._folder, name):
                raise ValueError("is another guest's")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            # msgspec's errors are ValueErrors, too.
            why = error.strerror if isinstance(error, OSError) else error
            _log.error(
                "guest %s: what was taken back before is not known, and its file is tried: %s %s", name, file, why
            )
            return None
        return record

    def _file(self, directory: Path, name: str) -> Path:
        # A name may be as long as a file's name can be.
        told = os.fsencode(self._folder) + b"\0" + name.encode()
        return directory / (hashlib.sha256(told).hexdigest() + _SUFFIX)
