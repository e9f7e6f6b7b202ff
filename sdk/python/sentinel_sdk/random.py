"""Random numbers from the host. Needs the grant ``random``; `secrets` and `random` then work
too.
"""

from __future__ import annotations

import builtins

from sentinel_sdk._host import host


def bytes(count: int) -> builtins.bytes:
    """So many random bytes, at most 65,536, fit for keys."""
    return host().random_bytes(count)


def number() -> int:
    """A random number of 64 bits."""
    return host().random_number()
