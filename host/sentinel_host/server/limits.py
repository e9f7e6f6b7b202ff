"""The HTTP server's limits, as a configuration sets them."""

from __future__ import annotations

import msgspec

from sentinel_host.config import Config
from sentinel_host.http.server import ServerLimits


def server_limits(config: Config) -> ServerLimits:
    """The limits of ``[server.limits]``; what the configuration leaves out has the default."""
    configured = msgspec.structs.asdict(config.server.limits)
    return ServerLimits(**{key: value for key, value in configured.items() if value is not None})
