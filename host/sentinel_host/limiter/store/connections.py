"""Connections to a store, made after the last failure and to the current address of its name.

After a failover the old server still answers, with READONLY or another error, or does not answer at
all. So after a failure every connection reconnects before its next use, and the name is looked up
again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection, parse_url

from sentinel_host.net import Addresses, Names, connect


class Place:
    """Where the store is. ``failures`` counts failed connections and exchanges."""

    def __init__(self, names: Names) -> None:
        self.failures = 0
        self._names = names
        self._addresses: Addresses | None = None
        self._last = ""

    def leave(self) -> None:
        """Note a failure: connections made before it must not be used again."""
        self.failures += 1
        if self._addresses is not None:
            self._addresses.failed(self._last)
            self._addresses.doubt()

    async def reach(self, host: str, port: int) -> socket.socket:
        """A connected socket. Raises `OSError`."""
        if self._addresses is None:
            self._addresses = Addresses(host, self._names)
        addresses = await self._addresses.find()
        sock, self._last = await connect(addresses, port, self._addresses.failed)
        self._addresses.worked(self._last)
        return sock

    def close(self) -> None:
        """End the look-up."""
        if self._addresses is not None:
            self._addresses.close()


def connection_options(url: str, place: Place) -> dict[str, Any]:
    """What a pool of connections for a URL is made with. Raises `ValueError`."""
    kinds = {"redis": _Plain, "rediss": _Tls, "unix": _Local}
    return {**parse_url(url), "connection_class": kinds[urlsplit(url).scheme], "place": place}


class _Plain(Connection):
    """Over TCP. redis-py connects through the event loop's own look-up; ours is taken in its
    stead.
    """

    def __init__(self, *, place: Place, **options: Any) -> None:
        super().__init__(**options)
        self._place = place
        self._age = _Age(place)
        self._sock: socket.socket | None = None

    async def connect(self) -> None:
        if self._age.is_old:
            await self.disconnect(nowait=True)
        await super().connect()  # type: ignore[no-untyped-call]

    async def _connect(self) -> None:
        self._age.begin()
        async with asyncio.timeout(self.socket_connect_timeout):
            self._sock = await self._place.reach(self.host, self.port)
        try:
            await super()._connect()  # type: ignore[no-untyped-call]
        except BaseException:
            self._sock.close()
            raise

    def _connection_arguments(self) -> Mapping[str, Any]:
        arguments = dict(super()._connection_arguments())
        host = arguments.pop("host")
        del arguments["port"]
        if arguments.get("ssl") is not None:
            arguments["server_hostname"] = host
        return {**arguments, "sock": self._sock}


class _Tls(_Plain, SSLConnection):
    """Over TLS."""


class _Local(UnixDomainSocketConnection):
    """Over a socket of this machine."""

    def __init__(self, *, place: Place, **options: Any) -> None:
        super().__init__(**options)
        self._age = _Age(place)

    async def connect(self) -> None:
        if self._age.is_old:
            await self.disconnect(nowait=True)
        await super().connect()  # type: ignore[no-untyped-call]

    async def _connect(self) -> None:
        self._age.begin()
        await super()._connect()  # type: ignore[no-untyped-call]


class _Age:
    """Whether the store has failed since a connection was made."""

    def __init__(self, place: Place) -> None:
        self._place: Final = place
        self._made = place.failures

    @property
    def is_old(self) -> bool:
        return self._made != self._place.failures

    def begin(self) -> None:
        self._made = self._place.failures
