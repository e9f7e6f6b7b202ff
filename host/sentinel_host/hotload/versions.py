"""The highest version of each signed guest that has served, kept over restarts. A lower one is a
downgrade.

Rule 1: A version counts once the guest serves. A version that was refused for another reason must
        not bar the one before.
Rule 2: Several processes may write, under a lock. Versions on disk only grow, except by `allow`.
Rule 3: Without files, versions are kept in memory. A file that cannot be read or written is logged,
        and never fatal.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

_log = logging.getLogger("sentinel.hotload")
_decoder = msgspec.json.Decoder(dict[str, int])


class Versions:
    """The versions in all of ``files``, which are in a directory that only its owner can enter."""

    def __init__(self, *files: Path) -> None:
        self._files = sorted(files)
        self._lock = threading.Lock()
        self._seen: dict[str, int] = self._read()

    def highest(self, name: str) -> int:
        """The highest version that has served; 0 for a guest that never has."""
        return self._seen.get(name, 0)

    def note(self, serving: Mapping[str, int]) -> None:
        """Remember that these versions serve. Waits for the disk."""
        newer = {name: version for name, version in serving.items() if version > self._seen.get(name, -1)}
        if newer:
            self._write(newer, on_purpose=False)

    def allow(self, name: str, version: int) -> None:
        """Remember that this version serves after a rollback from a higher one. Waits for the
        disk.
        """
        self._write({name: version}, on_purpose=True)

    def _read(self) -> dict[str, int]:
        seen: dict[str, int] = {}
        for file in self._files:
            try:
                for name, version in _decoder.decode(file.read_bytes()).items():
                    seen[name] = max(version, seen.get(name, 0))
            except FileNotFoundError:
                pass
            except (OSError, msgspec.DecodeError) as error:
                _log.error(
                    "%s cannot be read, so a downgrade may go unnoticed: %s",
                    file,
                    error,
                )
        return seen

    def _write(self, serving: Mapping[str, int], *, on_purpose: bool) -> None:
        with self._lock, self._locked():
            seen = dict(self._seen)
            for other, version in self._read().items():
                seen[other] = max(version, seen.get(other, 0))
            for name, version in serving.items():
                seen[name] = version if on_purpose else max(version, seen.get(name, 0))
            self._seen = seen
            for file in self._files:
                self._save(file)

    def _save(self, file: Path) -> None:
        fresh = file.with_suffix(".new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as opened:
                opened.write(msgspec.json.encode(self._seen))
            os.replace(fresh, file)
        except OSError as error:
            _log.error("%s cannot be written, so a downgrade may go unnoticed after a restart: %s", file, error)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            # All processes lock the files in the same order.
            for file in self._files:
                try:
                    lock = os.open(
                        file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
                    )
                except OSError as error:
                    _log.error("%s: %s", file, error)
                    continue
                stack.callback(os.close, lock)
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
