"""One worker's listening side: sockets, TLS, the accept loop, and lifespan."""

from __future__ import annotations

from sentinel_host.server.certificates import Certificates, ListenerTls
from sentinel_host.server.quic import QuicEndpoint, QuicGroup, open_quic
from sentinel_host.server.serve import Endpoint, run, serve
from sentinel_host.server.sockets import address_of, bind, take_no_more, tls_context

__all__ = [
    "Certificates",
    "Endpoint",
    "ListenerTls",
    "QuicEndpoint",
    "QuicGroup",
    "address_of",
    "bind",
    "open_quic",
    "run",
    "serve",
    "take_no_more",
    "tls_context",
]
