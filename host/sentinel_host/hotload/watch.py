"""When a file has changed for good.

Rule 1: what is renamed into place was whole before, and is reported at once; but for files that go together, such as a
        certificate and its key, which are reported once they have held still.
Rule 2: what is written in place is reported once its size and times have held still for a while and nobody who wrote to
        it still has it open. A prefix of a module can be a module, so that checking what is there is no substitute.
Rule 3: events only say where to look. What counts is a file's state, compared with what was reported last; a look at
        everything once in a while finds what no event told, for example where a network file system sends none.
Rule 4: a directory may be absent, replaced, or come back: its path is what is watched.
Rule 5: a look may take seconds, on a network file system or a disk that is busy. All of them are taken by one thread,
        which alone has the state; the event loop hears of changes, and waits for nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import monotonic
from typing import Final, Protocol

from sentinel_host.config.files import IS_HASHED
from sentinel_host.hotload import inotify
from sentinel_host.hotload.folder import SUFFIX, FileState, Folder

_log = logging.getLogger("sentinel.hotload")

# Seconds that a file has to hold still. Compilers and copies pause for less between two writes.
HELD_STILL: Final = 0.1
# The same for a file that somebody has written to and has not closed: he may have forgotten it.
HELD_OPEN: Final = 10.0
# A change that no event tells is served within a second, as others are.
_LOOK_EVERY: Final = 0.75
# Where there are no events, or no directory.
_LOOK_OFTEN: Final = 0.1


class Source(Protocol):
    """Some files of one directory, by names of their own."""

    @property
    def directory(self) -> Path:
        """Where they are."""

    @property
    def go_together(self) -> bool:
        """Whether one of them may be of no use before another has changed too."""

    def names(self) -> Iterable[str]:
        """Those that are there."""

    def name_of(self, entry: str) -> str | None:
        """Whether an entry of the directory is one of them."""

    def state(self, name: str) -> FileState | None:
        """What it is now; ``None`` when it is not there."""


class GuestFiles:
    """The guests of a folder."""

    go_together = False

    def __init__(self, folder: Folder) -> None:
        self.directory = folder.path
        self.names = folder.names
        self.state = folder.state

    def name_of(self, entry: str) -> str | None:
        """Part of `Source`."""
        return entry.removesuffix(SUFFIX) if entry.endswith(SUFFIX) else None


class OneFile:
    """A single file, under its own name."""

    def __init__(self, path: Path, *, go_together: bool = False) -> None:
        self.directory = path.parent
        self.go_together = go_together
        self._path = path

    def names(self) -> Iterable[str]:
        """Part of `Source`."""
        return (self._path.name,)

    def name_of(self, entry: str) -> str | None:
        """Part of `Source`."""
        return entry if entry == self._path.name else None

    def state(self, name: str) -> FileState | None:
        """Part of `Source`."""
        return _state(self._path)


class Authorities:
    """The hashed certificates of a directory."""

    go_together = True

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def names(self) -> Iterable[str]:
        """Part of `Source`."""
        try:
            return [entry for entry in os.listdir(self.directory) if IS_HASHED(entry)]
        except OSError:
            return []

    def name_of(self, entry: str) -> str | None:
        """Part of `Source`."""
        return entry if IS_HASHED(entry) else None

    def state(self, name: str) -> FileState | None:
        """Part of `Source`."""
        return _state(self.directory / name)


def _state(path: Path) -> FileState | None:
    try:
        return FileState.of(os.stat(path))
    except OSError:
        return None


class Watch:
    """Calls ``changed(source, name)`` on the event loop; to be used from one."""

    def __init__(self, sources: Sequence[Source], changed: Callable[[Source, str], None]) -> None:
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._orders: deque[tuple[Sequence[Source], asyncio.Future[None]]] = deque()
        self._known = self._order(sources)
        # The thread's alone.
        self._directories: list[_Directory] = []
        self._inotify: inotify.Inotify | None = None
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    async def start(self) -> None:
        """Returns once what is there is known: what changes from then on is reported."""
        await self._known

    async def follow(self, sources: Sequence[Source]) -> None:
        """Watch these from now on, those among them that are watched already as before; returns as `start` does."""
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
                self._inotify = inotify.Inotify()
                stack.callback(self._inotify.close)
                poll.register(self._inotify.fileno(), select.POLLIN)
            except OSError as error:
                _log.warning(
                    "no events of the file system (%s): files are looked at ten times a second", error.strerror
                )
            look_at = 0.0
            while True:
                timeout = look_at - monotonic()
                if any(directory.pending for directory in self._directories):
                    timeout = min(timeout, HELD_STILL / 4)
                ready = [descriptor for descriptor, _ in poll.poll(max(0.0, timeout) * 1000)]
                if self._woken in ready and not self._take_orders():
                    return
                try:
                    self._read()
                    self._settle()
                    if monotonic() >= look_at:
                        self._look()
                        often = self._inotify is None or any(directory.watch < 0 for directory in self._directories)
                        look_at = monotonic() + (_LOOK_OFTEN if often else _LOOK_EVERY)
                except Exception:
                    # A fault of ours, for the log; the next change is looked at all the same.
                    _log.exception("watching files")
                    look_at = monotonic() + _LOOK_EVERY

    def _take_orders(self) -> bool:
        """Whether to go on."""
        try:
            while data := os.read(self._woken, 64):
                pass
        except BlockingIOError:
            data = b"\0"
        while data and self._orders:
            sources, done = self._orders.popleft()
            self._replace(sources)
            self._on_loop(lambda done=done: done.done() or done.set_result(None))
        return bool(data)

    def _replace(self, sources: Sequence[Source]) -> None:
        known = {directory.key: directory for directory in self._directories}
        before, self._directories = self._directories, []
        for source in sources:
            directory = _Directory(source)
            if directory.key in known:
                self._directories.append(known[directory.key])
                continue
            self._directories.append(directory)
            self._attach(directory)
            for name in source.names():
                directory.seen[name] = source.state(name)
        for directory in before:
            self._detach(directory.watch)

    def _attach(self, directory: _Directory) -> None:
        """Have the events of the directory that is at its path now, if there is one."""
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

    def _take(self, directory: _Directory, event: inotify.Event) -> None:
        source = directory.source
        if event.mask & (inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.IGNORED | inotify.UNMOUNT):
            self._attach(directory)
            self._scan(directory)
        elif event.name.startswith(".."):
            # Kubernetes puts a new version of all files into place by renaming the link that leads to them.
            if event.mask & inotify.MOVED_TO:
                for each in directory.all_names():
                    self._report(directory, each)
        elif (name := source.name_of(event.name)) is not None:
            if event.mask & inotify.MOVED_TO and not source.go_together:
                self._report(directory, name)
            else:
                directory.touch(name, monotonic(), event.mask)

    def _report(self, directory: _Directory, name: str) -> None:
        directory.pending.pop(name, None)
        state = directory.source.state(name)
        if state != directory.seen.get(name):
            directory.seen[name] = state
            self._on_loop(self._tell, directory.source, name)

    def _scan(self, directory: _Directory) -> None:
        for name in directory.all_names():
            if name not in directory.pending and directory.source.state(name) != directory.seen.get(name):
                directory.touch(name, monotonic(), 0)

    def _look(self) -> None:
        for directory in self._directories:
            if not directory.is_attached():
                self._attach(directory)
            self._scan(directory)

    def _settle(self) -> None:
        for directory in self._directories:
            for name in directory.settled(monotonic()):
                self._report(directory, name)


class _Pending:
    """A file that is being changed: its state ``since`` then, and whether somebody may still write to it."""

    __slots__ = ("is_open", "since", "state")

    def __init__(self, state: FileState | None, since: float, is_open: bool) -> None:
        self.state = state
        self.since = since
        self.is_open = is_open


class _Directory:
    """One source's directory: ``seen`` is what was reported, ``watch`` the number of its events or -1."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.seen: dict[str, FileState | None] = {}
        self.pending: dict[str, _Pending] = {}
        self.watch = -1
        self._identity: tuple[int, int] | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from the directories of other sources."""
        source = self.source
        return type(source), source.directory, tuple(source.names()) if isinstance(source, OneFile) else ()

    def attach(self, events: inotify.Inotify) -> None:
        """Have the events of the directory that is at its path now, if there is one."""
        try:
            self.watch = events.add(self.source.directory)
            self._identity = self._found()
        except OSError:
            # Absent, or not for us: looked for again.
            self.watch = -1

    def is_attached(self) -> bool:
        """Whether the directory is the one whose events we have."""
        return self.watch >= 0 and self._found() == self._identity

    def all_names(self) -> set[str]:
        """Those that are there, were there, or were reported."""
        return {*self.source.names(), *(name for name, state in self.seen.items() if state is not None), *self.pending}

    def touch(self, name: str, now: float, mask: int) -> None:
        """Something happened to it."""
        pending = self.pending.get(name)
        is_open = pending is not None and pending.is_open
        if mask & inotify.MODIFY:
            is_open = True
        elif mask & (inotify.CLOSE_WRITE | inotify.DELETE | inotify.MOVED_FROM):
            is_open = False
        self.pending[name] = _Pending(self.source.state(name), now, is_open)

    def settled(self, now: float) -> list[str]:
        """Those that have held still for long enough."""
        found = []
        for name, pending in self.pending.items():
            state = self.source.state(name)
            if state != pending.state:
                pending.state, pending.since = state, now
            elif now - pending.since >= (HELD_OPEN if pending.is_open else HELD_STILL):
                found.append(name)
        return found

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.source.directory)
        except OSError:
            return None
        return found.st_dev, found.st_ino
