"""How far a response is, how its body is delimited, and what a connection's next bytes are.

Plain numbers and no enums: every request compares them dozens of times, and in compiled code a comparison of numbers
is one instruction, where a member of an enum is looked up by its name.
"""

from __future__ import annotations

from typing import Final

# The phases of a response, in order.
BEFORE_HEAD: Final = 0
HEAD_HELD: Final = 1
BODY: Final = 2
TRAILERS: Final = 3
DONE: Final = 4

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
