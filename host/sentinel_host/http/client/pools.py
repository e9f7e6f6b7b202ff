"""Which pool speaks what a target is to be spoken to."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from sentinel_host.http.client.auto_pool import AutoPool
from sentinel_host.http.client.h2_pool import Http2Pool
from sentinel_host.http.client.pool import UpstreamPool
from sentinel_host.http.client.request import UpstreamRequest
from sentinel_host.http.client.response import UpstreamResponse
from sentinel_host.http.client.target import Target

HttpVersion = Literal["http/1.1", "http/2", "auto"]


class Pool(Protocol):
    """The connections to one target. What each member says is at `UpstreamPool`."""

    authority: bytes

    @property
    def open(self) -> int:
        """Connections."""
        ...

    @property
    def idle(self) -> int:
        """Connections that nothing is under way on."""
        ...

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection or a stream."""
        ...

    @property
    def tunnels(self) -> int:
        """Connections that have changed their protocol."""
        ...

    @property
    def connects(self) -> int:
        """Connections that were opened."""
        ...

    @property
    def reuses(self) -> int:
        """Requests that found a connection."""
        ...

    @property
    def failures(self) -> int:
        """Requests that ended in an `UpstreamError`."""
        ...

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send a request, and wait for the head of its final response."""
        ...

    def learn(self) -> None:
        """Look the target's name up."""
        ...

    def drain(self) -> None:
        """Keep no connection any more."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


def make_pool(
    version: HttpVersion | None, target: Target, *, max_tunnels: int = 1024, proxy_header: bytes = b"", **options: Any
) -> Pool:
    """A pool for a target; ``options`` are those of `UpstreamPool`. None: ``auto`` for https,
    HTTP/1.1 otherwise.

    ``auto`` is HTTP/1.1 where there is no TLS to negotiate it, and with a ``proxy_header``: an
    HTTP/2 connection carries requests of many clients.
    """
    if version == "http/2":
        return Http2Pool(target, max_tunnels=max_tunnels, proxy_header=proxy_header, **options)
    if target.scheme == "https" and version != "http/1.1" and not proxy_header:
        return AutoPool(target, max_tunnels=max_tunnels, **options)
    return UpstreamPool(target, max_tunnels=max_tunnels, proxy_header=proxy_header, **options)
