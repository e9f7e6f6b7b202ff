"""HTTP/2 on connections that began as HTTP/1."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from sentinel_host.http.h2 import Http2Protocol
from sentinel_host.http.server import Application, Connections, Listener


class Http2Connections:
    """Takes connections over from HTTP/1, for one listener."""

    def __init__(self, name: str, app: Application, state: dict[str, Any], connections: Connections) -> None:
        self._listener = Listener(name, app, state)
        self._extensions = self._listener.extensions()
        self._connections = connections

    def upgrade_to_http2(self, transport: asyncio.Transport, data: bytes) -> None:
        """Serve ``transport`` from now on; ``data`` is what was read of it."""
        protocol = Http2Protocol(self._listener, self._extensions, self._connections)
        transport.set_protocol(cast(asyncio.BaseProtocol, protocol))
        protocol.connection_made(transport)
        if data:
            protocol.data_received(data)
