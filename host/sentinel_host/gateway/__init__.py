"""The gateway: a Quart application whose HTTP side is the data plane."""

from __future__ import annotations

from sentinel_host.gateway.app import Gateway, Supply, create_app
from sentinel_host.gateway.live import Live

__all__ = ["Gateway", "Live", "Supply", "create_app"]
