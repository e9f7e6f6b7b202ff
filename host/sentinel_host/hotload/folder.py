"""The guests' folder, read as what it is: a place where anybody who may write to it can put anything.

Rule 1: no path is opened twice. The folder is opened, a file in it by its descriptor, and one read gives the one buffer
        that is hashed, checked, verified and compiled.
Rule 2: only a regular file with one name is read. Opening never follows a link by itself and never waits, so that a
        FIFO does not stop us, a device is not read, and a link cannot show what lies outside.
Rule 3: a symbolic link inside the folder is followed by us, step by step, if every step is relative and stays in the
        folder. Kubernetes mounts a volume so: ``a.wasm -> ..data/a.wasm``, and ``..data -> ..2026_03_01``.
Rule 4: what changed while it was read was not read.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from sentinel_host.errors import GuestLoadError

SUFFIX: Final = ".wasm"

_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Kubernetes takes two; Linux itself gives up after 40.
_LINKS: Final = 8


class FileState(NamedTuple):
    """What tells two moments of a file apart."""

    device: int
    inode: int
    size: int
    mtime: int
    ctime: int

    @classmethod
    def of(cls, found: os.stat_result) -> FileState:
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class GuestAbsent(GuestLoadError):
    """There is nothing under this name."""


class GuestUnstable(GuestLoadError):
    """The file changed while it was read."""


class Folder:
    """The folder at ``path``, which need not be there; a file of more than ``max_bytes`` is refused unread."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes

    def path_of(self, name: str) -> str:
        """A guest's file, as messages name it."""
        return str(self.path / (name + SUFFIX))

    def names(self) -> set[str]:
        """The guests for which there is anything; none when there is no folder."""
        try:
            return {entry.removesuffix(SUFFIX) for entry in os.listdir(self.path) if entry.endswith(SUFFIX)}
        except OSError:
            return set()

    def state(self, name: str) -> FileState | None:
        """The state of what is there, whatever it is; ``None`` for nothing."""
        try:
            return FileState.of(os.stat(self.path / (name + SUFFIX)))
        except OSError:
            # A link that leads nowhere is something, too: reading it says what is wrong.
            with contextlib.suppress(OSError):
                return FileState.of(os.lstat(self.path / (name + SUFFIX)))
        return None

    def read(self, name: str) -> bytes:
        """A guest's file, whole.

        Raises `GuestLoadError`: `GuestUnstable` for one that is being written, `GuestAbsent` where there is nothing.
        """
        where = self.path_of(name)
        try:
            with self._opened(name + SUFFIX) as descriptor:
                before = os.fstat(descriptor)
                self._check(where, before)
                with open(descriptor, "rb", closefd=False) as file:
                    data = file.read(before.st_size + 1)
                after = os.fstat(descriptor)
        except FileNotFoundError:
            # A link that leads nowhere is something.
            fault = GuestLoadError if os.path.lexists(where) else GuestAbsent
            raise fault(f"{where}: no such file") from None
        except OSError as error:
            raise GuestLoadError(f"{where}: cannot be read: {error.strerror}") from None
        if FileState.of(before) != FileState.of(after) or len(data) != after.st_size:
            raise GuestUnstable(f"{where}: changed while it was read")
        return data

    def _check(self, where: str, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise GuestLoadError(f"{where}: is not a regular file")
        if found.st_nlink != 1:
            # The other name may be outside, where somebody else can write.
            raise GuestLoadError(f"{where}: has {found.st_nlink} names (hard links); copy it instead")
        if found.st_size > self._max_bytes:
            raise GuestLoadError(f"{where}: is larger than {self._max_bytes} bytes")

    @contextlib.contextmanager
    def _opened(self, file: str) -> Iterator[int]:
        with contextlib.ExitStack() as stack:

            def kept(descriptor: int) -> int:
                stack.callback(os.close, descriptor)
                return descriptor

            at = kept(os.open(self.path, _DIRECTORY))
            steps, links = [file], 0
            while True:
                step = steps.pop(0)
                try:
                    target = os.readlink(step, dir_fd=at)
                except OSError as error:
                    if error.errno != errno.EINVAL:
                        raise
                    # Not a link: and if it has become one since, it is not followed.
                    if not steps:
                        yield kept(os.open(step, _FILE, dir_fd=at))
                        return
                    at = kept(os.open(step, _DIRECTORY | os.O_NOFOLLOW, dir_fd=at))
                    continue
                more = [part for part in target.split("/") if part not in ("", ".")]
                links += 1
                if target.startswith("/") or ".." in more or not more or links > _LINKS:
                    raise OSError(errno.ELOOP, "is a link that leads out of the folder")
                # A link is relative to the directory that it is in, which is the one that we are at.
                steps[:0] = more
