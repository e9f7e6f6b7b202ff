"""The gateway: a Quart application whose HTTP side is the data plane."""

from __future__ import annotations

from sentinel_host.gateway.app import Gateway, create_app
from sentinel_host.gateway.generation_manager import GenerationManager

__all__ = ["Gateway", "GenerationManager", "create_app"]
