"""What this process has open.

How many they are says little: what other tests of the process have left may be closed at any time,
with the garbage.
"""

from __future__ import annotations

import contextlib
import os


def descriptors(of: str = "") -> frozenset[tuple[str, str, int]]:
    """Each descriptor's number, what it is, and its inode; only those whose text has ``of`` in it.

    Those that are not in an earlier answer are new.
    """
    found = set()
    for number in os.listdir("/proc/self/fd"):
        path = f"/proc/self/fd/{number}"
        # The one that read the folder is gone by now.
        with contextlib.suppress(FileNotFoundError):
            what = os.readlink(path)
            if of in what:
                found.add((number, what, os.stat(path).st_ino))
    return frozenset(found)
