"""Connections from load balancers, which say in a PROXY header who connected to them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

from sentinel_host.http.proxy_header import ProxyHeader, ProxyHeaderError
from sentinel_host.http.rules.peers import TrustedPeers
from sentinel_host.http.server import Connections

_log = logging.getLogger(__name__)

# The name under which refused connections are counted.
_REFUSED = "proxy_header"


class ProxiedServer:
    """A factory for ``create_server``: ``factory``'s protocols for connections that begin with a
    PROXY header, from peers in ``networks``. Others are refused.

    The header has as long to arrive as a request's head.
    """

    def __init__(
        self, connections: Connections, networks: Sequence[str], factory: Callable[[], asyncio.Protocol]
    ) -> None:
        self._connections = connections
        self._peers = TrustedPeers(networks)
        self._factory = factory
        self._waiting: set[_ProxiedConnection] = set()

    def __call__(self) -> asyncio.Protocol:
        return _ProxiedConnection(self)

    def begin(self, connection: _ProxiedConnection, peer: Any) -> asyncio.TimerHandle | None:
        """Wait for the header of a connection from ``peer``: its deadline; None if it is
        refused.
        """
        if type(peer) is not tuple or peer[0] not in self._peers:
            self.refuse(f"{peer}: it is not in server.bind's proxy_protocol")
            return None
        self._waiting.add(connection)
        loop = self._connections.loop
        return loop.call_later(self._connections.limits.head_time, connection.expire)

    def end(self, connection: _ProxiedConnection) -> None:
        """The wait is over."""
        self._waiting.discard(connection)

    def make(self) -> asyncio.Protocol:
        """The protocol of a connection whose header is there."""
        return self._factory()

    def refuse(self, reason: str) -> None:
        """Count a connection that is not served."""
        self._connections.hit(_REFUSED)
        _log.debug("PROXY header: %s", reason)

    def abort_waiting(self) -> None:
        """Close the connections whose header has not come; no protocol has heard of them."""
        for connection in list(self._waiting):
            connection.abort()


class _ProxiedConnection(asyncio.Protocol):
    """Reads the header, and hands the transport over to the protocol behind it."""

    def __init__(self, server: ProxiedServer) -> None:
        self._server = server
        self._header = ProxyHeader()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: Any = None
        self._has_begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._timer = self._server.begin(self, transport.get_extra_info("peername"))
        if self._timer is None:
            self.abort()

    def data_received(self, data: bytes) -> None:
        header = self._header
        self._has_begun = True
        if self._transport.is_closing():
            return
        try:
            if not header.feed(data):
                return
        except ProxyHeaderError as error:
            self._server.refuse(str(error))
            self.abort()
            return
        self._over()
        protocol = self._server.make()
        raw = self._transport
        raw.set_protocol(protocol)
        transport = raw if header.client is None else _ProxiedTransport(raw, header.client, header.own)
        protocol.connection_made(cast(asyncio.BaseTransport, transport))
        if header.rest:
            protocol.data_received(header.rest)

    def eof_received(self) -> bool:
        """A header that is cut off; load balancers also connect only to see whether they can."""
        if self._has_begun:
            self._server.refuse("the connection ended within it")
        self.abort()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._over()

    def expire(self) -> None:
        """The header took too long."""
        self._server.refuse("it did not come in time")
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._server.end(self)


class _ProxiedTransport:
    """A transport whose addresses are those that the header told of. All else is the transport's
    own, with nothing between.
    """

    def __init__(self, raw: Any, client: tuple[str, int], own: tuple[str, int] | None) -> None:
        self._raw = raw
        self._told = {"peername": client, "sockname": own}
        for name in _METHODS:
            setattr(self, name, getattr(raw, name))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As `asyncio.BaseTransport.get_extra_info`."""
        return self._told[name] if name in self._told else self._raw.get_extra_info(name, default)


_METHODS = (
    "abort",
    "can_write_eof",
    "close",
    "get_write_buffer_limits",
    "get_write_buffer_size",
    "is_closing",
    "is_reading",
    "pause_reading",
    "resume_reading",
    "set_protocol",
    "set_write_buffer_limits",
    "write",
    "write_eof",
    "writelines",
)
