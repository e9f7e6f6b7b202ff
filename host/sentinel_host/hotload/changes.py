"""When a changed file is complete and can be reported.

Rule 1: A file that is renamed into place is complete, and is reported at once. Files that go
        together, such as a certificate and its key, are reported once they are unchanged for a
        while.
Rule 2: A file that is written in place is reported once its size and times are unchanged for a
        while and no writer has it open. Checking the content is no substitute: a part of a module
        can be a valid module.
Rule 3: Events only say where to look. A file has changed if its state differs from the one that was
        reported last.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from sentinel_host.hotload import inotify
from sentinel_host.hotload.folder import FileState
from sentinel_host.hotload.watch_sources import OneFile, Source

STILL_TIME: Final = 0.1
"""Seconds that a file has to hold still. Compilers and copies pause for less between two writes."""


@dataclass(frozen=True, slots=True)
class StillTimes:
    """Seconds that a file must stay unchanged: one that is ``closed``, and one that a writer still
    has ``open``.

    A writer may have forgotten to close it.
    """

    closed: float = STILL_TIME
    open: float = 10.0


class Change:
    """A file that is being changed: its state ``since`` then, and whether a writer has it open."""

    __slots__ = ("is_open", "since", "state")

    def __init__(self, state: FileState | None, since: float, is_open: bool) -> None:
        self.state = state
        self.since = since
        self.is_open = is_open


class WatchedDirectory:
    """One source's directory: ``seen`` is what was reported, ``pending`` what is being changed.

    ``watch`` is the number of its events, or -1. Times are seconds of any one clock.
    """

    def __init__(self, source: Source, still: StillTimes) -> None:
        self.source = source
        self._still = still
        self.seen: dict[str, FileState | None] = {}
        self.pending: dict[str, Change] = {}
        self.watch = -1
        self._identity: tuple[int, int] | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """Differs between the directories of different sources."""
        source = self.source
        return type(source), source.directory, tuple(source.names()) if isinstance(source, OneFile) else ()

    def attach(self, events: inotify.Inotify) -> None:
        """Have the events of the directory that is at its path now, if there is one."""
        try:
            self.watch = events.add(self.source.directory)
            self._identity = self._found()
        except OSError:
            # Absent or not readable: it is looked for again.
            self.watch = -1

    def is_attached(self) -> bool:
        """Whether the directory is the one whose events we have."""
        return self.watch >= 0 and self._found() == self._identity

    def all_names(self) -> set[str]:
        """The files that are there, were there, or are being changed."""
        return {*self.source.names(), *(name for name, state in self.seen.items() if state is not None), *self.pending}

    def touch(self, name: str, now: float, mask: int) -> None:
        """An event happened to the file; ``mask`` says which."""
        pending = self.pending.get(name)
        is_open = pending is not None and pending.is_open
        if mask & inotify.MODIFY:
            is_open = True
        elif mask & (inotify.CLOSE_WRITE | inotify.DELETE | inotify.MOVED_FROM):
            is_open = False
        self.pending[name] = Change(self.source.state(name), now, is_open)

    def still(self, now: float) -> list[str]:
        """The changed files that have held still for long enough."""
        found = []
        for name, pending in self.pending.items():
            state = self.source.state(name)
            if state != pending.state:
                pending.state, pending.since = state, now
            elif now - pending.since >= (self._still.open if pending.is_open else self._still.closed):
                found.append(name)
        return found

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.source.directory)
        except OSError:
            return None
        return found.st_dev, found.st_ino
