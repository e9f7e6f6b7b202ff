"""Running a request through the guests of its route. Knows a small `Middleware` protocol, and
nothing of Wasm.
"""

from __future__ import annotations

from sentinel_host.pipeline.chain import Chain
from sentinel_host.pipeline.filters import BodyFilterChain, LocalReply
from sentinel_host.pipeline.middleware import BodyHook, Middleware
from sentinel_host.pipeline.run import ChainRun

__all__ = ["BodyFilterChain", "BodyHook", "Chain", "ChainRun", "LocalReply", "Middleware"]
