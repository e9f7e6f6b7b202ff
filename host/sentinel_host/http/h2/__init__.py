"""HTTP/2: an `asyncio.Protocol` that takes connections over from HTTP/1 and enters the same ASGI 3
application.
"""

from __future__ import annotations

from sentinel_host.http.h2.protocol import Http2Protocol

__all__ = ["Http2Protocol"]
