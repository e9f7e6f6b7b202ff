"""The HTTP/1.1 client towards upstreams: one pool of keep-alive connections per target."""

from __future__ import annotations

from sentinel_host.http.upstream.pool import UpstreamPool
from sentinel_host.http.upstream.request import BodySource, UpstreamRequest
from sentinel_host.http.upstream.response import UpstreamResponse
from sentinel_host.http.upstream.target import Target, Timeouts
from sentinel_host.http.upstream.tls import client_context

__all__ = [
    "BodySource",
    "Target",
    "Timeouts",
    "UpstreamPool",
    "UpstreamRequest",
    "UpstreamResponse",
    "client_context",
]
