"""One worker's listening side: sockets, TLS, the accept loop, lifespan, and HTTP/2 through Hypercorn."""

from __future__ import annotations

from sentinel_host.server.serve import Endpoint, run, serve
from sentinel_host.server.sockets import address_of, bind, tls_context

__all__ = ["Endpoint", "address_of", "bind", "run", "serve", "tls_context"]
