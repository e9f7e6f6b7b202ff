"""Addresses of a target's name, remembered for a while."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from sentinel_host.http.upstream.target import Target


class Resolver:
    """Resolves one target's name with the event loop's getaddrinfo.

    getaddrinfo tells no time to live, so answers are believed for ``ttl`` seconds, or until ``forget``. Callers that
    come while a look-up runs share it.
    """

    __slots__ = ("_addresses", "_expires", "_literal", "_lookup", "_target", "_ttl")

    def __init__(self, target: Target, ttl: float) -> None:
        self._target = target
        self._ttl = ttl
        self._addresses: list[str] = []
        self._expires = 0.0
        self._lookup: asyncio.Task[list[str]] | None = None
        try:
            self._literal = [str(ipaddress.ip_address(target.host))]
        except ValueError:
            self._literal = []

    async def addresses(self) -> list[str]:
        """The addresses in the resolver's order, each once. Raises OSError (socket.gaierror)."""
        if self._literal:
            return self._literal
        loop = asyncio.get_running_loop()
        if self._addresses and loop.time() < self._expires:
            return self._addresses
        if self._lookup is None:
            self._lookup = loop.create_task(self._resolve(loop))
            self._lookup.add_done_callback(self._looked_up)
        return await asyncio.shield(self._lookup)

    def forget(self) -> None:
        """The next call resolves again: none of the addresses could be reached."""
        self._addresses = []

    def close(self) -> None:
        if self._lookup is not None:
            self._lookup.cancel()

    async def _resolve(self, loop: asyncio.AbstractEventLoop) -> list[str]:
        target = self._target
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        self._addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        self._expires = loop.time() + self._ttl
        return self._addresses

    def _looked_up(self, lookup: asyncio.Task[list[str]]) -> None:
        self._lookup = None
        if not lookup.cancelled():
            lookup.exception()  # every caller may have given up: nobody else would look at it
