"""Running a request through the guests of its route. Knows a small `Middleware` protocol, and nothing of Wasm."""

from __future__ import annotations

from sentinel_host.pipeline.bodies import Instead, Transform
from sentinel_host.pipeline.chain import Chain, Passage
from sentinel_host.pipeline.middleware import BodyHook, Middleware

__all__ = ["BodyHook", "Chain", "Instead", "Middleware", "Passage", "Transform"]
