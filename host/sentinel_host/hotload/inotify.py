"""inotify(7): what happens in a directory, as it happens. Linux only, as the rest of this
gateway.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import Final, NamedTuple

MODIFY: Final = 0x2
ATTRIB: Final = 0x4
CLOSE_WRITE: Final = 0x8
MOVED_FROM: Final = 0x40
MOVED_TO: Final = 0x80
CREATE: Final = 0x100
DELETE: Final = 0x200
DELETE_SELF: Final = 0x400
MOVE_SELF: Final = 0x800
UNMOUNT: Final = 0x2000
OVERFLOW: Final = 0x4000
IGNORED: Final = 0x8000
_ONLYDIR: Final = 0x01000000

_WATCHED: Final = (
    MODIFY | ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF | _ONLYDIR
)
_HEADER: Final = struct.Struct("iIII")
# A name has 255 bytes at most: this holds a hundred events and more.
_BUFFER: Final = 32768


class Event(NamedTuple):
    """``watch`` is which directory's, -1 for `OVERFLOW`; ``name`` the entry, empty for the
    directory itself.
    """

    watch: int
    mask: int
    name: str


class Inotify:
    """One instance. Raises `OSError` where there is none, or where this user has too many."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._check(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        """Readable when there are events."""
        return self._descriptor

    def add(self, directory: Path) -> int:
        """Watch a directory; the number is its events'. Raises `OSError`."""
        return self._check(self._libc.inotify_add_watch(self._descriptor, os.fsencode(directory), _WATCHED))

    def remove(self, watch: int) -> None:
        """Watch it no more; it may be gone already."""
        self._libc.inotify_rm_watch(self._descriptor, watch)

    def read(self) -> list[Event]:
        """What has happened; nothing, when nothing has."""
        events: list[Event] = []
        while True:
            try:
                data = os.read(self._descriptor, _BUFFER)
            except BlockingIOError:
                return events
            at = 0
            while at < len(data):
                watch, mask, _, length = _HEADER.unpack_from(data, at)
                at += _HEADER.size
                events.append(Event(watch, mask, os.fsdecode(data[at : at + length].rstrip(b"\0"))))
                at += length

    def close(self) -> None:
        """Watch nothing any more."""
        os.close(self._descriptor)

    def _check(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result
