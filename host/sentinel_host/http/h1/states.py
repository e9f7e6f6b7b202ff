"""How a response's body is delimited, and what a connection's next bytes are: plain numbers, as `server.phases`."""

from __future__ import annotations

from typing import Final

# The framing of its body (RFC 9112 6.3).
NO_BODY: Final = 0
BY_LENGTH: Final = 1
BY_CHUNKS: Final = 2
UNTIL_CLOSE: Final = 3
TUNNEL: Final = 4

# What a connection reads next.
HEAD_NEXT: Final = 0
BODY_NEXT: Final = 1
REQUEST_NEXT: Final = 2
IGNORED: Final = 3
TUNNEL_NEXT: Final = 4
