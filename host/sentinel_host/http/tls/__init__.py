"""TLS of our own over `ssl.MemoryBIO`, for connections to upstreams and from clients."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

from sentinel_host.http.tls.connection import TlsConnection

__all__ = ["TlsConnection", "connect_tls", "tls_server"]


async def connect_tls(
    loop: asyncio.AbstractEventLoop,
    context: ssl.SSLContext,
    server_name: str,
    protocol: object,
    sock: socket.socket,
) -> None:
    """Connect ``protocol`` over a connected socket to a server whose certificate is for ``server_name``, sent as SNI.

    Raises OSError, of which ssl.SSLError is one, as the event loop's own ``create_connection`` does.
    """
    connection = TlsConnection(loop, context, protocol, server_name=server_name)
    await loop.create_connection(lambda: cast(Any, connection), sock=sock)
    try:
        await connection.ready
    except BaseException:
        connection.abort()
        raise


def tls_server(
    loop: asyncio.AbstractEventLoop,
    context: ssl.SSLContext,
    handshake_time: float,
    factory: Callable[[], asyncio.Protocol],
) -> Callable[[], asyncio.Protocol]:
    """A factory for ``create_server``: ``factory``'s protocols over TLS, with so many seconds for a handshake."""
    return lambda: cast(
        asyncio.Protocol,
        TlsConnection(loop, context, factory(), server_side=True, handshake_time=handshake_time),
    )
