"""Keys and values that all workers of a machine share. Needs the grant ``kv``.

Each function raises `KvError`. Keys and values are bytes; text is taken as UTF-8.
"""

from __future__ import annotations

from sentinel_sdk._host import host
from sentinel_sdk._text import encoded


def get(key: str | bytes) -> bytes | None:
    """The value at a key; None when there is none, or its time is up."""
    return host().kv_get(encoded(key))


def set(key: str | bytes, value: str | bytes, ttl: int = 0) -> None:
    """Put a value at a key for ``ttl`` milliseconds, or for ever when that is 0."""
    host().kv_set(encoded(key), encoded(value), ttl)


def delete(key: str | bytes) -> bool:
    """Remove a key; tells whether there was one."""
    return host().kv_delete(encoded(key))


def add(key: str | bytes, delta: int = 1, ttl: int = 0) -> int:
    """Add to the number at a key, in one step, and tell the sum.

    An absent one is 0 and lasts for ``ttl`` milliseconds, or for ever when that is 0.
    """
    return host().kv_add(encoded(key), delta, ttl)
