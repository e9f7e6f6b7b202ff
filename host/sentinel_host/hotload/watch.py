"""When a file has changed for good.

Rule 1: what is renamed into place was whole before, and is reported at once.
Rule 2: what is written in place is reported once its size and times have held still for a while and nobody who wrote to
        it still has it open. A prefix of a module can be a module, so that checking what is there is no substitute.
Rule 3: events only say where to look. What counts is a file's state, compared with what was reported last; a look at
        everything every second finds what no event told, for example where a network file system sends none.
Rule 4: a directory may be absent, replaced, or come back: its path is what is watched.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

from sentinel_host.hotload import inotify
from sentinel_host.hotload.folder import SUFFIX, FileState, Folder

_log = logging.getLogger("sentinel.hotload")

# Seconds that a file has to hold still. Compilers and copies pause for less between two writes.
HELD_STILL: Final = 0.1
# The same for a file that somebody has written to and has not closed: he may have forgotten it.
HELD_OPEN: Final = 10.0
_LOOK_EVERY: Final = 1.0
# Where there are no events, or no directory.
_LOOK_OFTEN: Final = 0.1


class Source(Protocol):
    """Some files of one directory, by names of their own."""

    @property
    def directory(self) -> Path:
        """Where they are."""

    def names(self) -> Iterable[str]:
        """Those that are there."""

    def name_of(self, entry: str) -> str | None:
        """Whether an entry of the directory is one of them."""

    def state(self, name: str) -> FileState | None:
        """What it is now; ``None`` when it is not there."""


class GuestFiles:
    """The guests of a folder."""

    def __init__(self, folder: Folder) -> None:
        self.directory = folder.path
        self.names = folder.names
        self.state = folder.state

    def name_of(self, entry: str) -> str | None:
        """Part of `Source`."""
        return entry.removesuffix(SUFFIX) if entry.endswith(SUFFIX) else None


class OneFile:
    """A single file, under its own name."""

    def __init__(self, path: Path) -> None:
        self.directory = path.parent
        self._path = path

    def names(self) -> Iterable[str]:
        """Part of `Source`."""
        return (self._path.name,)

    def name_of(self, entry: str) -> str | None:
        """Part of `Source`."""
        return entry if entry == self._path.name else None

    def state(self, name: str) -> FileState | None:
        """Part of `Source`."""
        try:
            return FileState.of(os.stat(self._path))
        except OSError:
            return None


class Watch:
    """Calls ``changed(source, name)`` on the event loop; to be used from one."""

    def __init__(self, sources: Sequence[Source], changed: Callable[[Source, str], None]) -> None:
        self._directories = [_Directory(source) for source in sources]
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._inotify: inotify.Inotify | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Take what is there now as known."""
        try:
            self._inotify = inotify.Inotify()
            self._loop.add_reader(self._inotify.fileno(), self._read)
        except OSError as error:
            _log.warning("no events of the file system (%s): files are looked at ten times a second", error.strerror)
        for directory in self._directories:
            directory.attach(self._inotify)
            for name in directory.source.names():
                directory.seen[name] = directory.source.state(name)
        self._look_again()

    def close(self) -> None:
        """Report nothing more."""
        for timer in (self._timer, self._look):
            if timer is not None:
                timer.cancel()
        if self._inotify is not None:
            self._loop.remove_reader(self._inotify.fileno())
            self._inotify.close()
            self._inotify = None

    def _read(self) -> None:
        assert self._inotify is not None
        for event in self._inotify.read():
            for directory in self._directories:
                if event.mask & inotify.OVERFLOW:
                    self._scan(directory)
                elif event.watch == directory.watch:
                    self._take(directory, event)
        self._schedule()

    def _take(self, directory: _Directory, event: inotify.Event) -> None:
        if event.mask & (inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.IGNORED | inotify.UNMOUNT):
            directory.attach(self._inotify)
            self._scan(directory)
        elif event.name.startswith(".."):
            # Kubernetes puts a new version of all files into place by renaming the link that leads to them.
            if event.mask & inotify.MOVED_TO:
                for each in directory.all_names():
                    self._report(directory, each)
        elif (name := directory.source.name_of(event.name)) is not None:
            if event.mask & inotify.MOVED_TO:
                self._report(directory, name)
            else:
                directory.touch(name, self._loop.time(), event.mask)

    def _report(self, directory: _Directory, name: str) -> None:
        directory.pending.pop(name, None)
        state = directory.source.state(name)
        if state != directory.seen.get(name):
            directory.seen[name] = state
            self._changed(directory.source, name)

    def _scan(self, directory: _Directory) -> None:
        for name in directory.all_names():
            if name not in directory.pending and directory.source.state(name) != directory.seen.get(name):
                directory.touch(name, self._loop.time(), 0)

    def _look_again(self) -> None:
        for directory in self._directories:
            if not directory.is_attached():
                directory.attach(self._inotify)
            self._scan(directory)
        self._schedule()
        often = self._inotify is None or any(directory.watch < 0 for directory in self._directories)
        self._look = self._loop.call_later(_LOOK_OFTEN if often else _LOOK_EVERY, self._look_again)

    def _schedule(self) -> None:
        if self._timer is None and any(directory.pending for directory in self._directories):
            self._timer = self._loop.call_later(HELD_STILL / 4, self._settle)

    def _settle(self) -> None:
        self._timer = None
        now = self._loop.time()
        for directory in self._directories:
            for name in directory.settled(now):
                self._report(directory, name)
        self._schedule()


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

    def attach(self, events: inotify.Inotify | None) -> None:
        """Have the events of the directory that is at its path now, if there is one."""
        if events is None:
            return
        if self.watch >= 0:
            events.remove(self.watch)
        self.watch = -1
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
