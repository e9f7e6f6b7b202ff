from __future__ import annotations

from tests.support.fixtures import origin, shared_upstream

__all__ = ["origin", "shared_upstream"]
