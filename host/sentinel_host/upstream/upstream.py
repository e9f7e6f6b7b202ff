"""A configured upstream in one worker: its endpoints as they come and go, and the balancer that
uses them.

Rule 1: an endpoint is known by its upstream, target and addresses. One that stays over a reload
        keeps its connections and what is known of its health, whatever else of the upstream
        changes.
Rule 2: one that vanishes drains: its idle connections close, requests under way end as they will.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from sentinel_host.config.upstreams import UpstreamConfig
from sentinel_host.errors import Progress, UpstreamError
from sentinel_host.http.client import Sweeps, Timeouts, UpstreamResponse, make_pool
from sentinel_host.http.proxy_header_writer import ProxyVersion, local_header
from sentinel_host.net import Names
from sentinel_host.upstream._endpoints import Cell
from sentinel_host.upstream.balancer import Balancer
from sentinel_host.upstream.call import UpstreamCall
from sentinel_host.upstream.checkers import CheckedUpstream
from sentinel_host.upstream.discovery import Discovery, Location
from sentinel_host.upstream.endpoint import Endpoint, UpstreamCounts
from sentinel_host.upstream.hashing import hash_key
from sentinel_host.upstream.settings import UpstreamSettings
from sentinel_host.upstream.sticky import StickyCookie
from sentinel_host.upstream.table import EndpointTable, key_of
from sentinel_host.upstream.targets import weighted_targets

_log: Final = logging.getLogger("sentinel.upstream")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all upstreams of a worker share.

    ``worker`` is its number in the table.
    """

    table: EndpointTable
    worker: int
    names: Names
    sweeps: Sweeps = field(default_factory=Sweeps)


class Upstream:
    """Created from its configuration, or from the ``before`` that it replaces; to be used from one
    event loop.
    """

    def __init__(
        self,
        config: UpstreamConfig,
        around: Surroundings,
        context: ssl.SSLContext | None = None,
        before: Upstream | None = None,
    ) -> None:
        self.name: Final = config.name
        self.is_sticky: Final = config.sticky is not None
        # Whether its connections begin with a PROXY header, and of which version.
        self.proxy_version: Final[ProxyVersion | None] = config.proxy_protocol
        self.hash_key: Final = hash_key(config.hash) if config.hash is not None else None
        retry = config.retries
        # Bytes of a request's body that are kept for another try.
        self.kept_body: Final[int] = retry.body if retry is not None else 0
        self.counts: Final[UpstreamCounts] = before.counts if before is not None else UpstreamCounts()
        self._around = around
        self._config = config
        self._context = context
        sticky = config.sticky
        settings = UpstreamSettings.of(config)
        cookie = (
            StickyCookie(
                sticky.cookie, round(sticky.max_age), config.name, (sticky.secret or "").encode() or around.table.secret
            )
            if sticky
            else None
        )
        self.balancer: Final = Balancer(config.name, settings, around.table, self.counts, cookie)
        # Only an endpoint that joins others is warmed up.
        self._is_new = before is None
        self._endpoints: dict[int, Endpoint] = {}
        self._closed = False
        if before is not None and before._pooling == self._pooling and before._context is context:
            self._adopt(before)
        self._discovery = Discovery(
            weighted_targets(config),
            around.names,
            self._place,
            config.dns_ttl,
        )
        if self._discovery.locations:
            self._place()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Those of now."""
        members = self.balancer.members
        return members.endpoints if members is not None else ()

    @property
    def weighted_endpoints(self) -> tuple[tuple[Endpoint, int], ...]:
        """Those of now, with their weights."""
        members = self.balancer.members
        return tuple(zip(members.endpoints, members.weights, strict=True)) if members is not None else ()

    @property
    def checked(self) -> CheckedUpstream:
        """What a checker needs of it."""
        return CheckedUpstream(self._config, self._context)

    @property
    def policy(self) -> str:
        """How requests are shared out, as it is configured."""
        return self._config.balance

    @property
    def slow_start(self) -> float:
        """Seconds in which an endpoint warms up."""
        return float(self._config.slow_start)

    def send(self, call: UpstreamCall) -> Coroutine[Any, Any, UpstreamResponse]:
        """As `Balancer.send`, once the first look-ups of names have ended."""
        # Not a coroutine around another: each costs as much as the choice of an endpoint.
        return self._send_after_first(call) if self.balancer.members is None else self.balancer.send(call)

    def learn(self) -> None:
        """Begin to look names up, if there are any."""
        self._discovery.start()

    async def close(self) -> None:
        """Close every connection that no other upstream has taken over; for good."""
        self._closed = True
        await self._discovery.close()
        endpoints, self._endpoints = self._endpoints, {}
        self.balancer.place(())
        for endpoint in endpoints.values():
            endpoint.users -= 1
            if not endpoint.users:
                await endpoint.pool.close()

    @property
    def _pooling(self) -> tuple[object, ...]:
        """What connections are made by: with another of these, an endpoint needs others."""
        config = self._config
        return (
            config.ca,
            config.cert,
            config.key,
            config.server_name,
            config.protocol,
            config.proxy_protocol,
            config.connect_timeout,
            config.response_timeout,
            config.idle_timeout,
            config.connections,
            config.tunnels,
            config.max_age,
            config.max_requests_per_connection,
        )

    def _adopt(self, before: Upstream) -> None:
        for endpoint in before._endpoints.values():
            endpoint.users += 1
            self._endpoints[endpoint.key] = endpoint

    async def _send_after_first(self, call: UpstreamCall) -> UpstreamResponse:
        await self._first()
        return await self.balancer.send(call)

    async def _first(self) -> None:
        self._discovery.start()
        try:
            async with asyncio.timeout(self._config.connect_timeout):
                await self._discovery.first()
        except TimeoutError:
            pass
        error = self._discovery.error
        if self.balancer.members is None and error is not None:
            raise UpstreamError(f"upstream {self.name}: its name could not be resolved", "name", Progress.UNSENT)

    def _place(self) -> None:
        """Have the balancer use what the targets are now."""
        if self._closed:
            return
        placed: dict[int, tuple[Endpoint, int]] = {}
        for location in self._discovery.locations:
            key = key_of(self.name, str(location.target), ",".join(location.addresses))
            try:
                endpoint = self._endpoints.get(key) or self._open(location, key)
            except MemoryError as error:
                _log.error("upstream %s: %s is not used: %s", self.name, location, error)
                continue
            placed[key] = endpoint, location.weight
        if placed:
            self._is_new = False
        gone = [endpoint for key, endpoint in self._endpoints.items() if key not in placed]
        self._endpoints = {key: endpoint for key, (endpoint, _) in placed.items()}
        self.balancer.place(list(placed.values()))
        for endpoint in gone:
            endpoint.users -= 1
            if not endpoint.users:
                endpoint.pool.drain()

    def _open(self, location: Location, key: int) -> Endpoint:
        config, around = self._config, self._around
        cell = Cell(around.table.native, around.worker, key, self._is_new)
        pool = make_pool(
            config.protocol,
            location.target,
            timeouts=Timeouts(
                connect=config.connect_timeout, response=config.response_timeout, idle=config.idle_timeout
            ),
            max_connections=config.connections,
            max_tunnels=config.tunnels,
            max_age=config.max_age,
            max_requests=config.max_requests_per_connection,
            ssl_context=self._context,
            names=around.names,
            sweeps=around.sweeps,
            fixed=location.addresses,
            proxy_header=local_header(self.proxy_version) if self.proxy_version is not None else b"",
        )
        endpoint = Endpoint(str(location), key, pool, cell, self.counts)
        endpoint.users = 1
        return endpoint
