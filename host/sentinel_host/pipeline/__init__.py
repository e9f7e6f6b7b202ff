"""Running a request through the guests of its route. Knows a small `Middleware` protocol, and nothing of Wasm."""

from __future__ import annotations

from sentinel_host.pipeline.chain import Chain, Passage
from sentinel_host.pipeline.middleware import Middleware

__all__ = ["Chain", "Middleware", "Passage"]
