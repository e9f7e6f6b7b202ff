"""What the protocols towards clients share: the connections of a worker, their limits, and fair turns."""

from __future__ import annotations

from sentinel_host.http.server.connections import Application, Connections, HandOver, Listener
from sentinel_host.http.server.limits import Limits

__all__ = ["Application", "Connections", "HandOver", "Limits", "Listener"]
