"""What every probe of an endpoint is, and what it begins with."""

from __future__ import annotations

import socket
from typing import Protocol

from sentinel_host.net import connect, connect_unix
from sentinel_host.upstream.discovery import Location


class Unwell(Exception):
    """An endpoint answered, and says or shows that it is not well."""


class Probe(Protocol):
    """Asks one endpoint."""

    async def ask(self) -> None:
        """Ask once. Raises `Unwell`, `OSError` or `SentinelError`; is cancelled when it takes too
        long.
        """

    async def close(self) -> None:
        """Keep no connection."""


async def dial(location: Location) -> socket.socket:
    """A connected, non-blocking socket. Raises `OSError`."""
    if location.target.path:
        return await connect_unix(location.target.path)
    sock, _ = await connect(list(location.addresses), location.target.port)
    return sock
