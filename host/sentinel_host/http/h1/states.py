"""The states of a connection and the framing of a response's body: plain numbers, for the reason in `server.phases`."""

from __future__ import annotations

from typing import Final

# What a connection's next bytes are.
HEAD: Final = 0
# The body of the request that is being answered.
BODY: Final = 1
# The request is complete and is being answered. What comes next waits.
ANSWERING: Final = 2
# The response is complete. The rest of the request's body is read and dropped.
DRAINING: Final = 3
# The request's body was at fault: no byte is interpreted any more. The application still answers.
FAILED: Final = 4
# Another protocol's, both ways.
TUNNEL: Final = 5
# No byte is interpreted any more, and nothing more will be sent.
ENDING: Final = 6

# The framing of a response's body (RFC 9112 6.3).
NO_BODY: Final = 0
BY_LENGTH: Final = 1
BY_CHUNKS: Final = 2
UNTIL_CLOSE: Final = 3
TUNNELLED: Final = 4
