"""The gateway: a Quart application whose HTTP side is the data plane."""

from __future__ import annotations

from sentinel_host.gateway.app import Gateway, create_app

__all__ = ["Gateway", "create_app"]
