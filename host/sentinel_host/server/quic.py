"""What the rest of the server knows of HTTP/3, also if the extra that serves it is not
installed.
"""

from __future__ import annotations

import importlib.util
import socket
from dataclasses import dataclass
from typing import Any

from sentinel_host.errors import ConfigError
from sentinel_host.http.server import Application
from sentinel_host.server.certificates import ListenerTls
from sentinel_host.server.sockets import address_of

# Seconds for which a client may remember where HTTP/3 is served; nginx's examples have a day.
_REMEMBERED = 86400


@dataclass(frozen=True, slots=True)
class QuicEndpoint:
    """A bound datagram socket, the listener's name that applications see, and its certificate."""

    name: str
    socket: socket.socket
    certificates: ListenerTls

    @property
    def port(self) -> int:
        """The actual one."""
        port: int = self.socket.getsockname()[1]
        return port

    def __str__(self) -> str:
        return f"quic on https://{address_of(self.socket)}"


def open_quic(name: str, sock: socket.socket, certificates: ListenerTls) -> QuicEndpoint:
    """Serve HTTP/3 on a bound socket. Raises `ConfigError` when the extra is missing."""
    if importlib.util.find_spec("aioquic") is None:
        raise ConfigError("server.quic_bind: HTTP/3 needs aioquic; install the extra: sentinel-host[h3]")
    return QuicEndpoint(name, sock, certificates)


def advertising(app: Application, port: int) -> Application:
    """``app`` with an Alt-Svc field (RFC 7838) in its responses, in place of an upstream's own."""
    field = (b"alt-svc", b'h3=":%d"; ma=%d' % (port, _REMEMBERED))

    async def advertised(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [entry for entry in message.get("headers", ()) if entry[0] != b"alt-svc"]
                message = {**message, "headers": [*kept, field]}
            await send(message)

        await app(scope, receive, sending)

    return advertised
