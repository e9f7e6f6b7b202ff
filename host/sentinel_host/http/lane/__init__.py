"""The HTTP/1.1 lane: an `asyncio.Protocol` over llhttp that enters an ASGI 3 application and nothing else."""

from __future__ import annotations

from sentinel_host.http.lane.connections import Application, Connections, HandOver, Listener
from sentinel_host.http.lane.limits import Limits
from sentinel_host.http.lane.protocol import LaneProtocol

__all__ = ["Application", "Connections", "HandOver", "LaneProtocol", "Limits", "Listener"]
