"""Brings what changes in a folder of guests and in the configuration to a `RolloutController`.

Rule 1: at most one load of a guest is under way; what changes meanwhile is loaded after it, once.
Rule 2: guests do not wait for each other: one that takes a minute to compile delays no other.
Rule 3: no content of the folder or of a file ends the watching.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.background import Background
from sentinel_host.hotload.folder_source import FolderSource
from sentinel_host.hotload.rollout import RolloutController

_log = logging.getLogger("sentinel.hotload")


class HotReloader:
    """Loads changes of ``source`` from `start` to `close`; changes since ``source`` was made are
    not lost.
    """

    def __init__(self, source: FolderSource, controller: RolloutController) -> None:
        self._source = source
        self._controller = controller
        self._tasks: dict[str | None, asyncio.Task[None]] = {}
        self._again: set[str | None] = set()
        self._background = Background(_log, "watching files")

    def start(self) -> None:
        """Load what has changed since the source was made, and what changes from now on."""
        self._source.prepare()
        self._background.begin(self._follow_changes())

    def reload(self) -> None:
        """Look at everything now: the configuration file, then every guest that it names."""
        self._source.look()
        self._background.begin(self._load_all())

    async def close(self) -> None:
        """Cancel what is under way, and close the source."""
        await self._background.close()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._source.close()

    async def _follow_changes(self) -> None:
        while True:
            for name in await self._source.changes():
                self._begin(name)

    async def _load_all(self) -> None:
        for name in await self._source.names():
            self._source.note_change(name)

    def _begin(self, name: str | None) -> None:
        """Load a guest, or with ``None`` the configuration file."""
        if name is not None and not self._controller.wants(name):
            return
        if name in self._tasks:
            self._again.add(name)
            return
        task = self._tasks[name] = asyncio.create_task(self._guarded(name))
        task.add_done_callback(lambda _: self._done(name))

    def _done(self, name: str | None) -> None:
        del self._tasks[name]
        if name in self._again:
            self._again.discard(name)
            self._begin(name)

    async def _guarded(self, name: str | None) -> None:
        work: Coroutine[Any, Any, None] = self._controller.reconfigure() if name is None else self._load(name)
        try:
            await work
        except Exception:
            # Unexpected: log it; the next change is loaded all the same.
            _log.exception("loading %s failed", name or "the configuration")

    async def _load(self, name: str) -> None:
        try:
            version = await self._source.load(name)
        except GuestLoadError as error:
            self._controller.load_failed(name, str(error))
        else:
            await self._controller.load(version)
