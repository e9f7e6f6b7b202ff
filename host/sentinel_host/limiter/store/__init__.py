"""Limits that several machines share, through Redis or Valkey. Importing it loads the ``redis``
package.
"""

from __future__ import annotations

from sentinel_host.limiter.store.client import LimitStore
from sentinel_host.limiter.store.deltas import Delta, Deltas

__all__ = ["Delta", "Deltas", "LimitStore"]
