"""What types do not express: names that must exist, addresses that must parse, routes that must be
reachable.
"""

from __future__ import annotations

from sentinel_host.config.model import Config
from sentinel_host.config.verify.faults import split_address
from sentinel_host.config.verify.guests import verify_guests
from sentinel_host.config.verify.observing import verify_observing
from sentinel_host.config.verify.routes import verify_routes
from sentinel_host.config.verify.server import verify_server
from sentinel_host.config.verify.upstreams import verify_upstreams

__all__ = ["split_address", "verify"]


def verify(config: Config) -> None:
    """Raises `ConfigError`, naming the file and the first key that is wrong."""
    verify_server(config)
    verify_upstreams(config)
    verify_guests(config)
    verify_routes(config)
    verify_observing(config)
