"""The ways to ask an endpoint whether it is well: for a path, for a connection, or for gRPC's
health service.
"""

from __future__ import annotations

import asyncio
import ssl

from sentinel_host.config.upstreams import CheckConfig
from sentinel_host.http.client import HttpVersion, Timeouts, UpstreamRequest, make_pool
from sentinel_host.net import Names
from sentinel_host.upstream.discovery import Location
from sentinel_host.upstream.grpc_probe import GrpcProbe
from sentinel_host.upstream.probe import Probe, Unwell, dial


def make_probe(
    check: CheckConfig,
    protocol: HttpVersion | None,
    location: Location,
    names: Names,
    context: ssl.SSLContext | None,
    proxy_header: bytes = b"",
) -> Probe:
    """The probe that a configuration asks for; ``protocol`` is the upstream's, and its connections
    begin with ``proxy_header``.
    """
    if check.type == "tcp":
        return TcpProbe(location, proxy_header)
    if check.type == "grpc":
        return GrpcProbe(location, check.service, names, context, proxy_header)
    return HttpProbe(check, protocol, location, names, context, proxy_header)


class TcpProbe:
    """Connects, and says nothing but the PROXY header."""

    def __init__(self, location: Location, proxy_header: bytes) -> None:
        self._location = location
        self._proxy_header = proxy_header

    async def ask(self) -> None:
        """Part of `Probe`."""
        with await dial(self._location) as sock:
            if self._proxy_header:
                await asyncio.get_running_loop().sock_sendall(sock, self._proxy_header)

    async def close(self) -> None:
        """Part of `Probe`."""


class HttpProbe:
    """Asks for a path with GET, on a connection that is kept."""

    def __init__(
        self,
        check: CheckConfig,
        protocol: HttpVersion | None,
        location: Location,
        names: Names,
        context: ssl.SSLContext | None,
        proxy_header: bytes,
    ) -> None:
        self._statuses = frozenset(check.statuses)
        times = Timeouts(connect=check.timeout, response=check.timeout, idle=check.timeout)
        self._pool = make_pool(
            protocol,
            location.target,
            timeouts=times,
            max_connections=1,
            ssl_context=context,
            names=names,
            fixed=location.addresses,
            proxy_header=proxy_header,
        )
        host = check.host.encode("ascii") if check.host is not None else self._pool.authority
        self._request = UpstreamRequest(
            b"GET", check.path.encode("ascii"), [(b"user-agent", b"sentinel-check"), (b"accept", b"*/*")], host
        )

    async def ask(self) -> None:
        """Part of `Probe`."""
        response = await self._pool.send(self._request)
        try:
            while await response.read():
                pass
        finally:
            response.abort()
        if response.status not in self._statuses:
            raise Unwell(f"was answered with {response.status}")

    async def close(self) -> None:
        """Part of `Probe`."""
        await self._pool.close()
