"""Memory that processes share by inheriting its descriptor.

Rule 1: what is shared is made before the processes are that share it, and lives as long as one of
        them maps it. They get its descriptor through ``pass_fds``; no other child inherits it.
Rule 2: its size never changes, and is sealed: a mapping that loses its pages would kill its
        process.
"""

from __future__ import annotations

import fcntl
import os

# linux/fcntl.h; in Python's fcntl since 3.13 only.
_F_ADD_SEALS = 1033
_SEALS = 0x0001 | 0x0002 | 0x0004  # no more seals, no shrinking, no growing


def create_sealed(name: str, size: int) -> int:
    """The descriptor of ``size`` zeroed bytes, all allocated now. Raises `OSError` when there is no
    memory for it.
    """
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.posix_fallocate(fd, 0, size)
        fcntl.fcntl(fd, _F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(fd)
        raise
    return fd
