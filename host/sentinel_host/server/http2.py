"""HTTP/2 on connections that began on the lane."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from sentinel_host.http.h1 import Http1Protocol
from sentinel_host.http.h2 import Http2Protocol
from sentinel_host.http.server import Application, Connections, Listener


class Http2Connections:
    """Takes connections over from the lane, for one listener."""

    def __init__(self, name: str, app: Application, state: dict[str, Any], connections: Connections) -> None:
        self._listener = Listener(name, app, state)
        self._extensions = self._listener.extensions()
        self._connections = connections

    def hand_over(self, lane: Http1Protocol, data: bytes) -> None:
        """Serve ``lane``'s transport from now on; ``data`` is what was read of it."""
        protocol = Http2Protocol(self._listener, self._extensions, self._connections)
        lane.transport.set_protocol(cast(asyncio.BaseProtocol, protocol))
        protocol.connection_made(lane.transport)
        if data:
            protocol.data_received(data)
