"""HTTP/1.1 towards clients: an `asyncio.Protocol` over llhttp that enters an ASGI 3 application and
nothing else.
"""

from __future__ import annotations

from sentinel_host.http.h1.protocol import Http1Protocol

__all__ = ["Http1Protocol"]
