"""The HTTP/1.1 client towards upstreams: one pool of keep-alive connections per target."""

from __future__ import annotations

from sentinel_host.http.client.pool import UpstreamPool
from sentinel_host.http.client.request import BodySource, UpstreamRequest
from sentinel_host.http.client.response import BROKEN, GIVEN_UP, WHOLE, UpstreamResponse
from sentinel_host.http.client.target import Target, Timeouts
from sentinel_host.http.client.tls import client_context

__all__ = [
    "BROKEN",
    "GIVEN_UP",
    "WHOLE",
    "BodySource",
    "Target",
    "Timeouts",
    "UpstreamPool",
    "UpstreamRequest",
    "UpstreamResponse",
    "client_context",
]
