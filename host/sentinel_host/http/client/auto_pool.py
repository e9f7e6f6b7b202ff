"""Connections to one https target, of whichever version of HTTP it negotiates.

Rules:
1. HTTP/2 is asked for first. What the target negotiates instead is used for as long as such a
   connection is open.
2. A request that changes the protocol goes over HTTP/1.1, whatever others do.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sentinel_host.errors import NotHttp2, UpstreamError
from sentinel_host.http.client.h2_connection import Http2ClientConnection
from sentinel_host.http.client.h2_pool import Http2Pool
from sentinel_host.http.client.pool import UpstreamPool
from sentinel_host.http.client.request import UpstreamRequest
from sentinel_host.http.client.response import UpstreamResponse
from sentinel_host.http.client.target import Target
from sentinel_host.net import Names


class AutoPool:
    """As `UpstreamPool`; ``options`` are those of both pools."""

    def __init__(
        self,
        target: Target,
        *,
        names: Names | None = None,
        fixed: Sequence[str] = (),
        max_tunnels: int = 1024,
        **options: Any,
    ) -> None:
        self.target = target
        self.authority = target.authority
        self._owned = Names() if names is None else None
        shared = self._owned if names is None else names
        self._http1 = UpstreamPool(target, names=shared, fixed=fixed, max_tunnels=max_tunnels, **options)
        self._http2 = Http2Pool(
            target,
            names=shared,
            fixed=fixed,
            alpn=("h2", "http/1.1"),
            on_other=self._on_other,
            **options,
        )
        self._speaks_http1 = False

    @property
    def open(self) -> int:
        """As `UpstreamPool.open`."""
        return self._http1.open + self._http2.open

    @property
    def idle(self) -> int:
        """As `UpstreamPool.idle`."""
        return self._http1.idle + self._http2.idle

    @property
    def waiting(self) -> int:
        """As `UpstreamPool.waiting`."""
        return self._http1.waiting + self._http2.waiting

    @property
    def tunnels(self) -> int:
        """As `UpstreamPool.tunnels`."""
        return self._http1.tunnels

    @property
    def connects(self) -> int:
        """As `UpstreamPool.connects`."""
        return self._http1.connects + self._http2.connects

    @property
    def reuses(self) -> int:
        """As `UpstreamPool.reuses`."""
        return self._http1.reuses + self._http2.reuses

    @property
    def failures(self) -> int:
        """As `UpstreamPool.failures`."""
        return self._http1.failures + self._http2.failures

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """As `UpstreamPool.send`."""
        if request.upgrade or (self._speaks_http1 and self._http1.open):
            return await self._http1.send(request)
        try:
            return await self._http2.send(request)
        except NotHttp2:
            self._speaks_http1 = True
        return await self._http1.send(request)

    def _on_other(self, connection: Http2ClientConnection) -> None:
        """It is an HTTP/1.1 connection like any other."""
        pool = self._http1
        if pool.open >= pool.max_connections:
            connection.abandon()
            return
        other = pool.make()
        connection.hand_over(other)
        # One that has closed meanwhile is replaced when a request asks for a connection.
        with suppress(UpstreamError):
            pool.adopt(other)

    def learn(self) -> None:
        """As `UpstreamPool.learn`."""
        self._http1.learn()
        self._http2.learn()

    def drain(self) -> None:
        """As `UpstreamPool.drain`."""
        self._http1.drain()
        self._http2.drain()

    async def close(self) -> None:
        """As `UpstreamPool.close`."""
        await self._http1.close()
        await self._http2.close()
        if self._owned is not None:
            self._owned.close()
