"""Watches files, and reports changes once they are complete (`sentinel_host.hotload.changes`).

Rule 1: A periodic scan finds changes for which no event came, for example on a network file system.
Rule 2: A directory is watched by its path. It may be absent, be replaced, or come back.
Rule 3: A scan may take seconds on a network file system or a busy disk. One thread does all scans
        and owns their state; the event loop only receives changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from sentinel_host.hotload import inotify
from sentinel_host.hotload.changes import StillTimes, WatchedDirectory
from sentinel_host.hotload.watch_sources import Source

_log = logging.getLogger("sentinel.hotload")

# Seconds between scans. A change without an event is served within a second, like any other.
_LOOK_EVERY: Final = 0.75
# Seconds between scans where there are no events, or no directory.
_LOOK_OFTEN: Final = 0.1


class Watch:
    """Calls ``changed(source, name)`` on the event loop; to be used from one.

    ``clock`` tells seconds. ``open_events`` opens the events of the file system; it raises
    `OSError` if there are none.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        changed: Callable[[Source, str], None],
        *,
        clock: Callable[[], float] = monotonic,
        open_events: Callable[[], inotify.Inotify] = inotify.Inotify,
    ) -> None:
        self._clock = clock
        self._open_events = open_events
        self._still = StillTimes()
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._orders: deque[tuple[Sequence[Source], asyncio.Future[None]]] = deque()
        self._known = self._order(sources)
        # The thread's alone.
        self._directories: list[WatchedDirectory] = []
        self._inotify: inotify.Inotify | None = None
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    async def start(self) -> None:
        """Take the first scan. Changes after it are reported."""
        await self._known

    async def follow(self, sources: Sequence[Source]) -> None:
        """Watch these sources from now on; returns as `start` does. Known sources keep their
        state.
        """
        if not self._closed:
            await self._order(sources)

    def close(self) -> None:
        """Report nothing more."""
        if not self._closed:
            self._closed = True
            os.close(self._wake)

    def _order(self, sources: Sequence[Source]) -> asyncio.Future[None]:
        done: asyncio.Future[None] = self._loop.create_future()
        self._orders.append((sources, done))
        os.write(self._wake, b"\0")
        return done

    def _tell(self, source: Source, name: str) -> None:
        if not self._closed:
            self._changed(source, name)

    def _on_loop(self, callback: Callable[..., object], *arguments: object) -> None:
        # The loop may be gone by now.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *arguments)

    # The thread

    def _run(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, self._woken)
            poll = select.poll()
            poll.register(self._woken, select.POLLIN)
            try:
                self._inotify = self._open_events()
                stack.callback(self._inotify.close)
                poll.register(self._inotify.fileno(), select.POLLIN)
            except OSError as error:
                _log.warning(
                    "no events of the file system (%s): files are looked at ten times a second", error.strerror
                )
            look_at = 0.0
            while True:
                timeout = look_at - self._clock()
                if any(directory.pending for directory in self._directories):
                    timeout = min(timeout, self._still.closed / 4)
                ready = [descriptor for descriptor, _ in poll.poll(max(0.0, timeout) * 1000)]
                if self._woken in ready and not self._take_orders():
                    return
                try:
                    self._read()
                    self._report_still()
                    if self._clock() >= look_at:
                        self._look()
                        often = self._inotify is None or any(directory.watch < 0 for directory in self._directories)
                        look_at = self._clock() + (_LOOK_OFTEN if often else _LOOK_EVERY)
                except Exception:
                    # A bug. Log it, and go on watching.
                    _log.exception("watching files")
                    look_at = self._clock() + _LOOK_EVERY

    def _take_orders(self) -> bool:
        """Whether to go on."""
        try:
            while data := os.read(self._woken, 64):
                pass
        except BlockingIOError:
            data = b"\0"
        # Orders that arrive meanwhile wait for the next turn: they may depend on these.
        for _ in range(len(self._orders) if data else 0):
            sources, done = self._orders.popleft()
            self._replace(sources)
            self._on_loop(lambda done=done: done.done() or done.set_result(None))
        return bool(data)

    def _replace(self, sources: Sequence[Source]) -> None:
        known = {directory.key: directory for directory in self._directories}
        before, self._directories = self._directories, []
        for source in sources:
            directory = WatchedDirectory(source, self._still)
            if directory.key in known:
                self._directories.append(known[directory.key])
                continue
            self._directories.append(directory)
            self._attach(directory)
            for name in source.names():
                directory.seen[name] = source.state(name)
        for directory in before:
            self._detach(directory.watch)

    def _attach(self, directory: WatchedDirectory) -> None:
        """Subscribe to the directory that is at its path now, if there is one."""
        if self._inotify is not None:
            before = directory.watch
            directory.attach(self._inotify)
            self._detach(before)

    def _detach(self, watch: int) -> None:
        """Sources of the same directory have the same events."""
        if watch >= 0 and self._inotify is not None and all(each.watch != watch for each in self._directories):
            self._inotify.remove(watch)

    def _read(self) -> None:
        if self._inotify is None:
            return
        for event in self._inotify.read():
            for directory in self._directories:
                if event.mask & inotify.OVERFLOW:
                    self._scan(directory)
                elif event.watch == directory.watch:
                    self._take(directory, event)

    def _take(self, directory: WatchedDirectory, event: inotify.Event) -> None:
        source = directory.source
        if event.mask & (inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.IGNORED | inotify.UNMOUNT):
            self._attach(directory)
            self._scan(directory)
        elif event.name.startswith(".."):
            # Kubernetes puts a new version of all files into place by renaming the link that leads
            # to them.
            if event.mask & inotify.MOVED_TO:
                for each in directory.all_names():
                    self._report(directory, each)
        elif (name := source.name_of(event.name)) is not None:
            if event.mask & inotify.MOVED_TO and not source.go_together:
                self._report(directory, name)
            else:
                directory.touch(name, self._clock(), event.mask)

    def _report(self, directory: WatchedDirectory, name: str) -> None:
        directory.pending.pop(name, None)
        state = directory.source.state(name)
        if state != directory.seen.get(name):
            directory.seen[name] = state
            self._on_loop(self._tell, directory.source, name)

    def _scan(self, directory: WatchedDirectory) -> None:
        for name in directory.all_names():
            if name not in directory.pending and directory.source.state(name) != directory.seen.get(name):
                directory.touch(name, self._clock(), 0)

    def _look(self) -> None:
        for directory in self._directories:
            if not directory.is_attached():
                self._attach(directory)
            self._scan(directory)

    def _report_still(self) -> None:
        for directory in self._directories:
            for name in directory.still(self._clock()):
                self._report(directory, name)
