"""What the rest of the server knows of HTTP/3, also if the extra that serves it is not
installed.
"""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sentinel_host.errors import ConfigError
from sentinel_host.http.server import Application
from sentinel_host.http.server.connections import WHOLE
from sentinel_host.server.certificates import ListenerTls
from sentinel_host.server.sockets import address_of
from sentinel_host.server.steering import ConnectionIds, make_key, make_secret, steer

# Seconds for which a client may remember where HTTP/3 is served; nginx's examples have a day.
_REMEMBERED = 86400


@dataclass(frozen=True, slots=True)
class QuicEndpoint:
    """A bound datagram socket, the listener's name that applications see, its certificate, and the
    ids of its connections.
    """

    name: str
    socket: socket.socket
    certificates: ListenerTls
    ids: ConnectionIds

    @property
    def port(self) -> int:
        """The actual one."""
        port: int = self.socket.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class QuicGroup:
    """The datagram sockets of one address, in the order in which they were bound. Each is for one
    process at a time.
    """

    sockets: Sequence[socket.socket]
    key: int = field(default_factory=make_key)
    secret: bytes = field(default_factory=make_secret)

    def endpoint(self, number: int, certificates: ListenerTls) -> QuicEndpoint:
        """What `serve` takes, for the process that has the socket of this number."""
        return QuicEndpoint("public", self.sockets[number], certificates, ConnectionIds(number, self.key, self.secret))

    def steer(self, accepting: Sequence[int], alive: Sequence[int]) -> None:
        """Have the first get new connections, and the others keep theirs, as in
        `steering.steer`.
        """
        steer(self.sockets, self.key, accepting, alive)

    def __str__(self) -> str:
        return f"quic on https://{address_of(self.sockets[0])}"


def open_quic(sockets: Sequence[socket.socket]) -> QuicGroup:
    """Serve HTTP/3 on bound sockets.

    Raises `ConfigError` when the extra is missing, or when the system cannot tell the datagrams of
    several sockets apart.
    """
    if importlib.util.find_spec("aioquic") is None:
        raise ConfigError("server.quic_bind: HTTP/3 needs aioquic; install the extra: sentinel-host[h3]")
    group = QuicGroup(sockets)
    if len(sockets) > 1:
        try:
            group.steer((), ())
        except OSError as error:
            raise ConfigError(
                f"server.quic_bind: server.workers must be 1, because this system cannot steer datagrams to workers: "
                f"{error.strerror or error}"
            ) from None
    return group


def advertising(app: Application, port: int) -> Application:
    """``app`` with an Alt-Svc field (RFC 7838) in its responses, in place of an upstream's own."""
    field = (b"alt-svc", b'h3=":%d"; ma=%d' % (port, _REMEMBERED))

    async def advertised(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] in ("http.response.start", WHOLE):
                kept = [entry for entry in message.get("headers", ()) if entry[0] != b"alt-svc"]
                message = {**message, "headers": [*kept, field]}
            await send(message)

        await app(scope, receive, sending)

    return advertised
