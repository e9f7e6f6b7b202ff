"""The highest version of each signed guest that has served, kept over restarts: an older file is a downgrade.

Rule 1: a version counts once the guest serves. One that was refused for another reason must not bar the one before.
Rule 2: several processes may write: under a lock, and what is on disk only grows, except on purpose (`allow`).
Rule 3: without a directory it is kept in memory. A file that cannot be read or written is reported, never fatal.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

_NAME: Final = "versions.json"
_log = logging.getLogger("sentinel.hotload")
_decoder = msgspec.json.Decoder(dict[str, int])


class Versions:
    """See the module; ``directory`` is one that only its owner can enter."""

    def __init__(self, directory: Path | None = None) -> None:
        self._file = directory / _NAME if directory is not None else None
        self._seen: dict[str, int] = self._read()

    def highest(self, name: str) -> int:
        """Below this a version is a downgrade."""
        return self._seen.get(name, 0)

    def note(self, name: str, version: int) -> None:
        """This version serves."""
        if version > self._seen.get(name, -1):
            self._write(name, version, on_purpose=False)

    def allow(self, name: str, version: int) -> None:
        """This version serves, and a higher one was left on purpose."""
        self._write(name, version, on_purpose=True)

    def _read(self) -> dict[str, int]:
        if self._file is None:
            return {}
        try:
            return _decoder.decode(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            _log.error("%s cannot be read, and downgrades from before cannot be told: %s", self._file, error)
            return {}

    def _write(self, name: str, version: int, *, on_purpose: bool) -> None:
        with self._locked():
            for other, seen in self._read().items():
                self._seen[other] = max(seen, self._seen.get(other, 0))
            self._seen[name] = version if on_purpose else max(version, self._seen.get(name, 0))
            self._save()

    def _save(self) -> None:
        if self._file is None:
            return
        fresh = self._file.with_suffix(".new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(msgspec.json.encode(self._seen))
            os.replace(fresh, self._file)
        except OSError as error:
            _log.error("%s cannot be written, and a restart would not tell downgrades: %s", self._file, error)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._file is None:
            yield
            return
        try:
            lock = os.open(
                self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            _log.error("%s: %s", self._file, error)
            yield
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
