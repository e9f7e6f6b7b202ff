"""Records of rollbacks, kept over restarts: the rolled-back file is not tried again, the version
before it serves.

Rule 1: a record suffices to serve the version before: it holds that version's whole file. Its
        compiled code may be in the cache; another engine compiles it anew. It must be trusted by
        today's configuration.
Rule 2: a record applies to one file, by digest. Another file in its place ends it.
Rule 3: nothing here stops a guest from being loaded. A record that cannot be read or restored is
        reported, and the file in the folder is tried.
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
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.hotload.sealed import read_sealed, write_sealed

_log = logging.getLogger("sentinel.hotload")

_MAGIC: Final = b"sentinel rollback 1\n"
_SUFFIX: Final = ".rollback"


class RollbackRecord(msgspec.Struct, frozen=True):
    """``rolled_back`` is a digest, ``data`` the file of the version before it; ``since`` is seconds
    of the epoch.

    ``is_standard`` says whether that file was a standard guest's.
    """

    folder: str
    name: str
    rolled_back: str
    since: float
    reason: str
    data: bytes
    is_standard: bool = False


_decoder = msgspec.msgpack.Decoder(RollbackRecord)

LoadRecord = Callable[[RollbackRecord], Awaitable[GuestVersion]]
"""Makes the version before of a record. Raises `GuestLoadError`."""


class RollbackRecords:
    """The records for the guests of one ``folder``.

    Only the owner may enter ``directory``; with ``None`` nothing is kept.
    """

    def __init__(self, directory: Path | None, folder: Path, load: LoadRecord) -> None:
        self._directory = directory
        # Unresolved: a deployment that switches a symbolic link is the same folder.
        self._folder = os.path.abspath(folder) if directory is not None else ""
        self._load = load

    async def keep(self, rolled_back: GuestVersion, serving: GuestVersion, reason: str) -> None:
        """A version was rolled back for this reason, and another serves."""
        name = serving.name
        if self._directory is None:
            _log.warning("guest %s: a restart tries %s again: there is no cache", name, rolled_back.short)
            return
        record = RollbackRecord(
            self._folder, name, rolled_back.sha256, time.time(), reason, serving.data, serving.is_standard
        )
        try:
            body = msgspec.msgpack.encode(record)
            file = self._file(self._directory, name)
            await aside(lambda: write_sealed(file, _MAGIC, body))
        except OSError as error:
            _log.error("guest %s: a restart tries %s again: %s", name, rolled_back.short, error)

    async def drop(self, name: str) -> None:
        """Another version of this guest has come, or an operator wants the rolled-back one."""
        if self._directory is not None:
            file = self._file(self._directory, name)
            try:
                await aside(lambda: file.unlink(missing_ok=True))
            except OSError as error:
                # It applies to one file only, which is gone.
                _log.warning("guest %s: the record of its rollback was not removed: %s", name, error)

    async def restore(self, found: GuestVersion) -> GuestVersion | None:
        """The version to serve in place of ``found``; ``None`` when ``found`` may serve."""
        name = found.name
        record = await aside(lambda: self._read(name))
        if record is None:
            return None
        if record.rolled_back != found.sha256:
            await self.drop(name)
            return None
        try:
            serving = await self._load(record)
        except GuestLoadError as error:
            _log.error(
                "guest %s: %s was rolled back and is tried again: the version before cannot be loaded: %s",
                name,
                found.short,
                error,
            )
            return None
        since = datetime.fromtimestamp(record.since, UTC).isoformat(timespec="seconds")
        _log.warning(
            "guest %s: %s was rolled back at %s (%s); it is not tried again until its file changes, and %s serves",
            name,
            found.short,
            since,
            record.reason,
            serving.short,
        )
        return serving

    def _read(self, name: str) -> RollbackRecord | None:
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
                "guest %s: the record of its rollback cannot be read, and its file is tried: %s %s", name, file, why
            )
            return None
        return record

    def _file(self, directory: Path, name: str) -> Path:
        # A hash, because a name may already be as long as a file name can be.
        key = os.fsencode(self._folder) + b"\0" + name.encode()
        return directory / (hashlib.sha256(key).hexdigest() + _SUFFIX)
