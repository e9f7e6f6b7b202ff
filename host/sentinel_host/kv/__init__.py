"""The keys and values of guests, in memory that all workers share; guests' calls of it are C, in
`native`.
"""

from __future__ import annotations

from sentinel_host.kv.store import SharedStore

__all__ = ["SharedStore"]
