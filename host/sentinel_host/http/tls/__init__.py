"""TLS of our own over `ssl.MemoryBIO`, for connections to upstreams and from clients."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

from sentinel_host.http.tls.certificates import Certificate, CertificateSelector, ServerSslObject, Serves, pair_fault
from sentinel_host.http.tls.connection import TlsConnection

__all__ = [
    "Certificate",
    "CertificateSelector",
    "ServerSslObject",
    "Serves",
    "TlsConnection",
    "TlsServer",
    "connect_tls",
    "pair_fault",
]


async def connect_tls(
    loop: asyncio.AbstractEventLoop,
    context: ssl.SSLContext,
    server_name: str,
    protocol: object,
    sock: socket.socket,
) -> None:
    """Connect ``protocol`` over a connected socket to a server whose certificate is for
    ``server_name``, sent as SNI.

    Raises OSError, of which ssl.SSLError is one, as the event loop's own ``create_connection``
    does.
    """
    connection = TlsConnection(loop, context, protocol, server_name=server_name)
    await loop.create_connection(lambda: cast(Any, connection), sock=sock)
    try:
        await connection.ready
    except BaseException:
        connection.abort()
        raise


class TlsServer:
    """A factory for ``create_server``: ``factory``'s protocols over TLS, with so many seconds for a
    handshake. ``context`` is called for each connection.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: Callable[[], ssl.SSLContext],
        handshake_time: float,
        factory: Callable[[], asyncio.Protocol],
    ) -> None:
        self._loop = loop
        self._context = context
        self._handshake_time = handshake_time
        self._factory = factory
        self._handshakes: set[TlsConnection] = set()

    def __call__(self) -> asyncio.Protocol:
        connection = TlsConnection(self._loop, self._context(), self._factory(), server_side=True)
        connection.limit_handshake(self._handshake_time, self._handshakes)
        return cast(asyncio.Protocol, connection)

    def abort_handshakes(self) -> None:
        """Close the connections whose handshake is not complete; no protocol has heard of them."""
        for connection in list(self._handshakes):
            connection.abort()
