"""Compiled guests on disk, so that a restart or a known file needs no compilation.

Rule 1: Entries are run as machine code. The directory and its entries are used only if this user
        owns them and nobody else can write to them. The guests' folder is never the cache.
Rule 2: An entry begins with the digest of the rest (`sentinel_host.hotload.sealed`).
Rule 3: A damaged entry is removed and compiled anew. No fault of the cache keeps a guest from being
        loaded.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import Final

import msgspec

from sentinel_host.config import Config
from sentinel_host.hotload.sealed import read_sealed, write_sealed
from sentinel_host.sandbox import CompiledGuest, fingerprint

_log = logging.getLogger("sentinel.hotload")

# The format is part of an entry's name: after an upgrade, entries of the older gateway are ignored
# without a warning.
_FORMAT: Final = 4
_MAGIC: Final = b"sentinel guest %d\n" % _FORMAT
_SUFFIX: Final = ".guest"
# A compiled guest has up to ten times the size of its file; one with an interpreter has some 50
# MiB.
MAX_BYTES: Final = 1 << 30

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW

_decoder = msgspec.msgpack.Decoder(CompiledGuest)


def default_directory() -> Path | None:
    """``$XDG_CACHE_HOME/sentinel`` or ``~/.cache/sentinel``; ``None`` for a user without a home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # A relative one is invalid, and to be ignored (XDG Base Directory Specification).
    if os.path.isabs(base):
        return Path(base) / "sentinel"
    with contextlib.suppress(RuntimeError):
        return Path.home() / ".cache" / "sentinel"
    return None


def cache_directory(config: Config) -> Path | None:
    """The directory that a configuration asks for; by default the user's, ``None`` for a user
    without a home.
    """
    if config.guests.cache is None:
        return default_directory()
    return Path(config.file).parent / config.guests.cache


class Cache:
    """The cache in ``directory``, made by `open`. Beyond ``max_bytes`` the least recently used
    entries are removed.
    """

    def __init__(self, directory: Path, descriptor: int, max_bytes: int = MAX_BYTES) -> None:
        self.directory = directory
        self._descriptor = descriptor
        self._max_bytes = max_bytes
        self._engine = fingerprint()

    @classmethod
    def open(cls, directory: Path | None, max_bytes: int = MAX_BYTES) -> Cache | None:
        """``None``, with a warning in the log, if the directory cannot be made or others may write
        to it.
        """
        if directory is None:
            _log.warning("guests are compiled at every start: this user has no home for a cache")
            return None
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(directory, _DIRECTORY)
        except OSError as error:
            _log.warning("guests are compiled at every start: cache %s: %s", directory, error.strerror)
            return None
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() or found.st_mode & 0o077 or not os.access(directory, os.W_OK | os.X_OK):
            os.close(descriptor)
            _log.warning(
                "guests are compiled at every start: cache %s is not a directory of this user alone (mode 0700)",
                directory,
            )
            return None
        return cls(directory, descriptor, max_bytes)

    def close(self) -> None:
        """Give back the directory's descriptor."""
        os.close(self._descriptor)

    def get(self, sha256: str) -> CompiledGuest | None:
        """The compiled form of the file with this digest, for this engine and processor."""
        entry = self._entry(sha256)
        try:
            compiled = _decoder.decode(read_sealed(entry, _MAGIC, self._descriptor))
            if compiled.sha256 != sha256:
                raise ValueError("is another guest's")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            # msgspec's errors are ValueErrors.
            _log.warning("cache %s: %s %s; it is made anew", self.directory, entry, error)
            self._remove(entry)
            return None
        # The time of its last use, for `_make_room`.
        with contextlib.suppress(OSError):
            os.utime(entry, dir_fd=self._descriptor, follow_symlinks=False)
        return compiled

    def put(self, compiled: CompiledGuest) -> None:
        """Write an entry. A failure is logged as a warning."""
        body = msgspec.msgpack.encode(compiled)
        entry = self._entry(compiled.sha256)
        try:
            self._make_room(len(body))
            write_sealed(entry, _MAGIC, body, self._descriptor)
        except OSError as error:
            _log.warning("cache %s: %s was not kept: %s", self.directory, entry, error.strerror)

    def _entry(self, sha256: str) -> str:
        return f"{sha256}-{self._engine}-{_FORMAT}{_SUFFIX}"

    def _make_room(self, size: int) -> None:
        entries = []
        for name in os.listdir(self._descriptor):
            # Temporary files too: their writer may have died.
            if _SUFFIX in name:
                with contextlib.suppress(OSError):
                    found = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
                    entries.append((found.st_mtime_ns, found.st_size, name))
        excess = sum(size for _, size, _ in entries) + size - self._max_bytes
        for _, freed, name in sorted(entries):
            if excess <= 0:
                return
            self._remove(name)
            excess -= freed

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self._descriptor)
