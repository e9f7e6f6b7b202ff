"""Private files that begin with the digest of the rest, in a directory that only this user can
enter.

Rule 1: A file is read once. What was read is checked and then used.
Rule 2: A file is written whole or not at all. Of two concurrent writers, the last one wins.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final

_DIGEST: Final = hashlib.sha256().digest_size
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def read_sealed(file: str | Path, magic: bytes, directory: int | None = None) -> memoryview:
    """What `write_sealed` wrote there with the same ``magic``; ``file`` is relative to the
    descriptor ``directory``.

    Raises `OSError`, and `ValueError` for a file that is damaged or of another kind.
    """
    descriptor = os.open(file, _READ, dir_fd=directory)
    with open(descriptor, "rb") as opened:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise ValueError("is not a file of this user alone")
        data = opened.read()
    start = len(magic) + _DIGEST
    rest = memoryview(data)[start:]
    if data[:start] != magic + hashlib.sha256(rest).digest():
        raise ValueError("is corrupted")
    return rest


def write_sealed(file: str | Path, magic: bytes, body: bytes, directory: int | None = None) -> None:
    """Put a file into place, for its owner alone. Raises `OSError`."""
    temporary = f"{file}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, _CREATE, 0o600, dir_fd=directory)
    try:
        with open(descriptor, "wb") as opened:
            opened.write(magic)
            opened.write(hashlib.sha256(body).digest())
            opened.write(body)
        os.rename(temporary, file, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
