"""One gateway's guests, its configuration file and the files that this names, kept up to date while it serves.

Rule 1: at most one load of a guest is under way; what changes meanwhile is loaded after it, once.
Rule 2: guests do not wait for each other: one that takes a minute to compile holds nobody up.
Rule 3: no file is looked at or read on the event loop: see `sentinel_host.hotload.aside`.
Rule 4: nothing that is found in the folder or in the file ends the watching.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from sentinel_host.config import Config
from sentinel_host.config.files import named_files
from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.cache import Cache, cache_directory
from sentinel_host.hotload.compiler import Compiler
from sentinel_host.hotload.folder import Folder
from sentinel_host.hotload.held import Held
from sentinel_host.hotload.loader import Loader, Offer
from sentinel_host.hotload.signature import verifier_of
from sentinel_host.hotload.versions import Versions
from sentinel_host.hotload.watch import Authorities, GuestFiles, OneFile, Source, Watch

_log = logging.getLogger("sentinel.hotload")


class Target(Protocol):
    """Who is to be kept up to date."""

    def wants(self, name: str) -> bool:
        """Whether any route names the guest."""

    async def recall(self, found: Mapping[str, Offer], held: Held) -> dict[str, Offer]:
        """What is to serve of what was found in the folder, if it does not serve already."""

    async def load(self, offer: Offer) -> object:
        """Put this version into service, or say in the log why not."""

    def failed(self, name: str, reason: str) -> None:
        """There is no new version, for this reason; what serves goes on."""

    async def reconfigure(self) -> None:
        """Read the configuration file again, and serve it, or say in the log why not."""


class Hot:
    """For ``config``, of which the folder, the cache and the file's name count; to be used from one event loop.

    Without a ``target`` nothing is watched, and `obtain` is all that it does. ``held`` is what was taken back of the
    folder's guests.
    """

    def __init__(self, config: Config, target: Target | None = None) -> None:
        file = Path(config.file)
        self._folder = Folder(file.parent / config.guests.directory, config.guests.max_bytes)
        # Where it may not be looked for, there is none either, which Path.exists says by an exception.
        self._is_file = os.path.exists(file)
        # A configuration that has no guests yet may be given some.
        self._cache = Cache.open(cache_directory(config)) if self._is_file else None
        self._compiler = Compiler(math.ceil(config.guests.compile_time))
        private = self._cache.directory if self._cache is not None else None
        self._verifier = verifier_of(config, private)
        self._loader = Loader(self._folder, self._cache, self._verifier, self._compiler)
        self.held = Held(private, self._folder.path, self._loader.restore)
        self._has_guests = bool(config.named_guests())
        self._target = target
        self._file = file
        self._guests = GuestFiles(self._folder)
        self._watch: Watch | None = None
        self._tasks: dict[str | None, asyncio.Task[None]] = {}
        self._reloads: set[asyncio.Task[None]] = set()
        self._again: set[str | None] = set()
        # Guests whose files are not loaded, for reasons that the configuration may have.
        self._unloaded: set[str] = set()
        # What changes before `start` is loaded then: whatever has been read by then may be old already.
        self._early: set[str | None] | None = set()
        if target is not None and config.guests.watch and self._is_file:
            try:
                self._watch = Watch([self._guests, OneFile(file)], self._changed)
            except RuntimeError as error:
                _log.error("files are not watched, and SIGHUP looks for changes: %s", error)

    @property
    def versions(self) -> Versions | None:
        """What is known of signed versions, where signatures are asked for."""
        return self._verifier.versions if self._verifier is not None else None

    def start(self) -> None:
        """Load what has changed since this was made, and what changes from now on, if that is configured."""
        if self._watch is None:
            self._compiler.rest()
        elif self._has_guests:
            self._compiler.keep_ready()
        early, self._early = self._early or set(), None
        for name in early:
            self._begin(name)

    async def obtain(self, names: Iterable[str]) -> tuple[dict[str, Offer], dict[str, str]]:
        """What is to serve under these names, and for the others why there is nothing: what is in the folder, unless it
        was taken back."""
        if self._watch is not None:
            await self._watch.start()
        wanted = sorted(names)
        found = await asyncio.gather(*(self._loader.obtain(name) for name in wanted), return_exceptions=True)
        offers: dict[str, Offer] = {}
        faults: dict[str, str] = {}
        for name, offer in zip(wanted, found, strict=True):
            if isinstance(offer, Offer):
                offers[name] = offer
            elif isinstance(offer, GuestLoadError):
                self._unloaded.add(name)
                faults[name] = str(offer)
            else:
                raise offer
        if self._target is not None:
            offers = await self._target.recall(offers, self.held)
        return offers, faults

    def reload(self) -> None:
        """Look at everything now: the configuration file, then every guest that it names."""
        if self._is_file:
            self._begin(None)
        task = asyncio.create_task(self._load_all())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def follow(self, config: Config) -> None:
        """Watch the files that this configuration names, too: it is to be served, and may have to wait for one."""
        if self._watch is not None:
            await self._watch.follow(await aside(lambda: self._sources(config)))

    def renew(self, config: Config) -> Callable[[], None]:
        """The keys that guests must be signed by; returns what has them count. Raises `ConfigError`."""
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
                    self._begin(name)

        return count

    async def close(self) -> None:
        """End what is under way."""
        if self._watch is not None:
            self._watch.close()
        self._compiler.close()
        tasks = [*self._tasks.values(), *self._reloads]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._cache is not None:
            self._cache.close()

    def _sources(self, config: Config) -> list[Source]:
        sources: list[Source] = [self._guests, OneFile(self._file)]
        for path in dict.fromkeys(Path(path) for _, path in named_files(config)):
            sources.append(OneFile(path, go_together=True))
            if path.is_dir():
                sources.append(Authorities(path))
        return sources

    def _changed(self, source: Source, name: str) -> None:
        self._begin(name if source is self._guests else None)

    def _begin(self, name: str | None) -> None:
        """Load a guest, or with ``None`` the configuration file."""
        if self._early is not None:
            self._early.add(name)
            return
        if self._target is None or (name is not None and not self._target.wants(name)):
            return
        if name in self._tasks:
            self._again.add(name)
            return
        task = self._tasks[name] = asyncio.create_task(self._guarded(name, self._target))
        task.add_done_callback(lambda _: self._done(name))

    def _done(self, name: str | None) -> None:
        del self._tasks[name]
        if name in self._again:
            self._again.discard(name)
            self._begin(name)

    async def _guarded(self, name: str | None, target: Target) -> None:
        work: Coroutine[Any, Any, None] = target.reconfigure() if name is None else self._load(name, target)
        try:
            await work
        except Exception:
            # A fault of ours, for the log; the next change is looked at all the same.
            _log.exception("loading %s", name or self._file)

    async def _load_all(self) -> None:
        for name in await aside(self._folder.names):
            self._begin(name)

    async def _load(self, name: str, target: Target) -> None:
        try:
            offer = await self._loader.obtain(name)
        except GuestLoadError as error:
            self._unloaded.add(name)
            target.failed(name, str(error))
        else:
            self._unloaded.discard(name)
            await target.load(offer)
