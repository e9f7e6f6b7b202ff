"""What a connection to an upstream reads next; plain numbers, as in ``http/h1/states``."""

from __future__ import annotations

from typing import Final

IDLE: Final = 0
HEAD: Final = 1
# A body that is being read, by its framing (RFC 9112 section 6.3).
LENGTH: Final = 2
CHUNKED: Final = 3
UNTIL_CLOSE: Final = 4
CLOSED: Final = 5
TUNNEL: Final = 6
