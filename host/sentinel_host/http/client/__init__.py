"""The HTTP client towards upstreams: one pool of connections per target, over HTTP/1.1 or
HTTP/2.
"""

from __future__ import annotations

from sentinel_host.http.client.pool import UpstreamPool
from sentinel_host.http.client.pools import HttpVersion, Pool, make_pool
from sentinel_host.http.client.request import BodySource, RelayableBody, UpstreamRequest
from sentinel_host.http.client.response import BROKEN, GIVEN_UP, WHOLE, Lease, UpstreamResponse
from sentinel_host.http.client.sweeps import Sweeps
from sentinel_host.http.client.target import Target, Timeouts
from sentinel_host.http.client.tls import client_context, configured_content, configured_context

__all__ = [
    "BROKEN",
    "GIVEN_UP",
    "WHOLE",
    "BodySource",
    "HttpVersion",
    "Lease",
    "Pool",
    "RelayableBody",
    "Sweeps",
    "Target",
    "Timeouts",
    "UpstreamPool",
    "UpstreamRequest",
    "UpstreamResponse",
    "client_context",
    "configured_content",
    "configured_context",
    "make_pool",
]
