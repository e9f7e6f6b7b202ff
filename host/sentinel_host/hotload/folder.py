"""The guests' folder. Its content is not trusted: anyone with write access can put anything there.

Rule 1: No path is opened twice. A file is opened relative to the folder's descriptor and read once;
        this one buffer is hashed, checked, verified and compiled.
Rule 2: Only a regular file with a single name is read. Opening a file never follows a link and
        never blocks, so that a FIFO does not stop the gateway, a device is not read, and a link
        does not show a file outside of the folder.
Rule 3: Symbolic links are followed step by step, if every step is relative and stays in the folder.
        Kubernetes mounts volumes like this: ``a.wasm -> ..data/a.wasm``,
        ``..data -> ..2026_03_01``.
Rule 4: A file that changed while it was read is refused.
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
    """The attributes of a file that differ once it has changed."""

    device: int
    inode: int
    size: int
    mtime: int
    ctime: int

    @classmethod
    def of(cls, found: os.stat_result) -> FileState:
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class GuestAbsent(GuestLoadError):
    """The folder has no file of this name."""


class GuestUnstable(GuestLoadError):
    """The file changed while it was read."""


class Folder:
    """The folder at ``path``, which may be missing. Files larger than ``max_bytes`` are refused
    unread.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes

    def path_of(self, name: str) -> str:
        """A guest's file, as messages name it."""
        return str(self.path / (name + SUFFIX))

    def names(self) -> set[str]:
        """The names of the guests in the folder; none if the folder is missing."""
        try:
            return {entry.removesuffix(SUFFIX) for entry in os.listdir(self.path) if entry.endswith(SUFFIX)}
        except OSError:
            return set()

    def state(self, name: str) -> FileState | None:
        """The state of a guest's file, of whatever kind it is; ``None`` if there is none."""
        try:
            return FileState.of(os.stat(self.path / (name + SUFFIX)))
        except OSError:
            # A dangling link counts as a file: reading it gives an error that says what is wrong.
            with contextlib.suppress(OSError):
                return FileState.of(os.lstat(self.path / (name + SUFFIX)))
        return None

    def read(self, name: str) -> bytes:
        """A guest's file, whole.

        Raises `GuestLoadError`: `GuestUnstable` if it is being written, `GuestAbsent` if there is
        none.
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
            # A dangling link is no absent file.
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
            # The other name may be in a folder that others can write to.
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
                    # Not a link. O_NOFOLLOW refuses one that takes its place before it is opened.
                    if not steps:
                        yield kept(os.open(step, _FILE, dir_fd=at))
                        return
                    at = kept(os.open(step, _DIRECTORY | os.O_NOFOLLOW, dir_fd=at))
                    continue
                more = [part for part in target.split("/") if part not in ("", ".")]
                links += 1
                if target.startswith("/") or ".." in more or not more or links > _LINKS:
                    raise OSError(errno.ELOOP, "is a link that leads out of the folder")
                # A link is relative to the directory that it is in, which ``at`` is.
                steps[:0] = more
