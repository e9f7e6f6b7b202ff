"""What outlives a project and a checkout: SDKs and standard libraries that were built once for this
user.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def cache_directory() -> Path:
    """``$XDG_CACHE_HOME/sentinel``, else ``~/.cache/sentinel``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification has relative paths ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "sentinel"


def cache_folder(name: str) -> Path:
    """A folder of the cache, which is made if need be."""
    directory = cache_directory()
    # The gateway keeps compiled guests there too, and takes no directory that others can look into.
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = directory / name
    folder.mkdir(exist_ok=True)
    return folder


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock for the block; another process waits. The file stays: removing it
    would split the lock.
    """
    # As in `cache_folder`: the lock may be the first that the cache has.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
