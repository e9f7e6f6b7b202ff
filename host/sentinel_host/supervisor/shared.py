"""What workers are given of shared memory, by name."""

from __future__ import annotations

from typing import Final

KEYS: Final = "keys"
"""The store of guests' keys."""

LIMITS: Final = "limits"
"""The limits' table."""

ENDPOINTS: Final = "endpoints"
"""The table of endpoints."""
