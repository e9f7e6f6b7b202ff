"""One worker's listening side: sockets, TLS, the accept loop, and lifespan.

The accept loop is not imported here: it needs Hypercorn's lifespan, which a check of a configuration
does without.
"""

from __future__ import annotations

from sentinel_host.server.certificates import Certificates, ListenerTls
from sentinel_host.server.endpoint import Endpoint
from sentinel_host.server.quic import QuicEndpoint, QuicGroup, open_quic
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
    "take_no_more",
    "tls_context",
]
