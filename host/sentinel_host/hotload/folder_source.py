"""The guests' folder as a `GuestSource`: loads files and reports changes of them.

Guests that the folder does not have may be standard ones. The package that brings these is not
watched.

Rule 1: no file is looked at or read on the event loop: see `sentinel_host.hotload.aside`.
Rule 2: changes are kept until `changes` returns them.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from sentinel_host.config import Config
from sentinel_host.config.files import named_files
from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.cache import Cache, cache_directory
from sentinel_host.hotload.compiler import Compiler
from sentinel_host.hotload.folder import Folder
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.hotload.loader import Loader
from sentinel_host.hotload.rollbacks import RollbackRecords
from sentinel_host.hotload.signature import verifier_of
from sentinel_host.hotload.standard_guests import StandardGuests
from sentinel_host.hotload.store import RolloutStore
from sentinel_host.hotload.versions import Versions
from sentinel_host.hotload.watch import Watch
from sentinel_host.hotload.watch_sources import Authorities, GuestFiles, OneFile, Source

_log = logging.getLogger("sentinel.hotload")


class FolderSource:
    """A `GuestSource`. Of ``config`` the folder, the cache and the file's name count. To be used
    from one event loop.

    Versions that were rolled back before are restored with ``store``; without one, what is in the
    folder counts, and nothing is watched.
    """

    def __init__(self, config: Config, store: RolloutStore | None = None) -> None:
        file = Path(config.file)
        self._folder = Folder(file.parent / config.guests.directory, config.guests.max_bytes)
        # Not Path.exists: it raises for a directory without search permission.
        self._is_file = os.path.exists(file)
        # Opened even if the configuration has no guests: a later one may have some.
        self._cache = Cache.open(cache_directory(config)) if self._is_file else None
        self._compiler = Compiler(math.ceil(config.guests.compile_time))
        private = self._cache.directory if self._cache is not None else None
        self._verifier = verifier_of(config, private)
        self._standard = StandardGuests(config.guests.max_bytes)
        self._loader = Loader(
            self._folder,
            self._standard,
            self._cache,
            self._verifier,
            self._compiler,
            trust_standard=config.guests.trust_standard,
        )
        self._records = RollbackRecords(private, self._folder.path, self._loader.restore)
        self._store = store
        self._has_guests = bool(config.named_guests())
        self._file = file
        self._guests = GuestFiles(self._folder)
        # Guests that could not be loaded, perhaps because of the configuration, such as a missing
        # key.
        self._unloaded: set[str] = set()
        self._changed: dict[str | None, None] = {}
        self._has_changed = asyncio.Event()
        self._watch: Watch | None = None
        if store is not None and config.guests.watch and self._is_file:
            try:
                self._watch = Watch([self._guests, OneFile(file)], self._on_changed)
            except RuntimeError as error:
                _log.error("files are not watched, and SIGHUP looks for changes: %s", error)

    @property
    def records(self) -> RollbackRecords:
        """Rollbacks of the folder's guests."""
        return self._records

    @property
    def versions(self) -> Versions | None:
        """The numbers of signed versions that have served; ``None`` where signatures are not
        required.
        """
        return self._verifier.versions if self._verifier is not None else None

    async def obtain(
        self, names: Iterable[str], serving: Collection[str] = ()
    ) -> tuple[dict[str, GuestVersion], dict[str, str]]:
        """Part of `GuestSource`. Guests in ``serving`` are not restored: the controller knows what
        was rolled back.
        """
        if self._watch is not None:
            await self._watch.start()
        wanted = sorted(names)
        results = await asyncio.gather(*(self._loader.obtain(name) for name in wanted), return_exceptions=True)
        found: dict[str, GuestVersion] = {}
        faults: dict[str, str] = {}
        for name, result in zip(wanted, results, strict=True):
            if isinstance(result, GuestVersion):
                found[name] = result
            elif isinstance(result, GuestLoadError):
                self._unloaded.add(name)
                faults[name] = str(result)
            else:
                raise result
        if self._store is not None:
            for name, version in found.items():
                if name not in serving:
                    found[name] = await self._store.restore(version, self._records)
        return found, faults

    async def load(self, name: str) -> GuestVersion:
        """Load the current file of a guest. Raises `GuestLoadError`."""
        try:
            version = await self._loader.obtain(name)
        except GuestLoadError:
            self._unloaded.add(name)
            raise
        self._unloaded.discard(name)
        return version

    async def names(self) -> set[str]:
        """The guests that are in the folder, and the standard guests."""
        return await aside(lambda: self._folder.names() | self._standard.names())

    async def changes(self) -> list[str | None]:
        """Wait for changes: guests whose files changed, and ``None`` for the configuration or files
        that it names.
        """
        await self._has_changed.wait()
        self._has_changed.clear()
        names, self._changed = list(self._changed), {}
        return names

    def look(self) -> None:
        """Treat the configuration file as changed."""
        if self._is_file:
            self.note_change(None)

    def note_change(self, name: str | None) -> None:
        """Let `changes` report this name."""
        self._changed[name] = None
        self._has_changed.set()

    def prepare(self) -> None:
        """The gateway has started: keep a compiling process ready where changes may come, else
        none.
        """
        if self._watch is None:
            self._compiler.rest()
        elif self._has_guests:
            self._compiler.keep_ready()

    async def follow(self, config: Config) -> None:
        """Part of `GuestSource`."""
        if self._watch is not None:
            await self._watch.follow(await aside(lambda: self._sources(config)))

    def renew(self, config: Config) -> Callable[[], None]:
        """Part of `GuestSource`: the keys that guests must be signed by. Raises `ConfigError`."""
        verifier = self._verifier
        if verifier is None:
            return lambda: None
        # As in `verifier_of`.
        from sentinel_host.hotload.keys import configured_keys

        keys = {key.id: key for key in configured_keys(config)}

        def count() -> None:
            if keys.keys() != verifier.keys.keys():
                _log.info("%s: guests.verify_keys: the files hold other keys, which count from now on", config.file)
                verifier.keys = keys
                for name in self._unloaded:
                    self.note_change(name)

        return count

    async def close(self) -> None:
        """Stop watching and compiling. Loads under way must have been cancelled before."""
        if self._watch is not None:
            self._watch.close()
        self._compiler.close()
        if self._cache is not None:
            self._cache.close()

    def _sources(self, config: Config) -> list[Source]:
        sources: list[Source] = [self._guests, OneFile(self._file)]
        for path in dict.fromkeys(Path(path) for _, path in named_files(config)):
            sources.append(OneFile(path, go_together=True))
            if path.is_dir():
                sources.append(Authorities(path))
        return sources

    def _on_changed(self, source: Source, name: str) -> None:
        self.note_change(name if source is self._guests else None)
