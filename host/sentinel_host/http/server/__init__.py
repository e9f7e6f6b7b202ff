"""What the protocols towards clients share: the connections of a worker, their limits, and deferred
input.
"""

from __future__ import annotations

from sentinel_host.http.server.connections import Application, Connections, Listener, ServerConnection
from sentinel_host.http.server.limits import ServerLimits

__all__ = ["Application", "Connections", "Listener", "ServerConnection", "ServerLimits"]
