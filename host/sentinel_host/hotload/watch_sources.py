"""Files that can be watched: the guests of a folder, one file, the certificates of a directory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from sentinel_host.config.files import IS_HASHED
from sentinel_host.hotload.folder import SUFFIX, FileState, Folder


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
