"""The states of a connection with their transitions, and how a response's body is framed.

Plain numbers and no enums, for the reason in `server.phases`.
"""

from __future__ import annotations

from typing import Final

# States: what the next bytes of a connection are.
# The head of a request.
HEAD: Final = 0
# The body of the request that is being answered.
BODY: Final = 1
# The request is complete and is being answered. What comes next waits.
ANSWERING: Final = 2
# The response is complete. The rest of the request's body is read and dropped.
DRAINING: Final = 3
# The request's body was malformed, too large or too slow: no further byte is interpreted. The
# application still answers.
FAILED: Final = 4
# Bytes of another protocol, both ways.
TUNNEL: Final = 5
# No byte is interpreted any more, and nothing more will be sent.
ENDING: Final = 6

# Events.
BODILESS: Final = 0
WITH_BODY: Final = 1
BODY_ENDS: Final = 2
BODY_FAILS: Final = 3
ANSWERED: Final = 4
SWITCHED: Final = 5
ENDS: Final = 6
# How many events there are.
EVENTS: Final = 7

TRANSITIONS: Final = {
    HEAD: {BODILESS: ANSWERING, WITH_BODY: BODY, ENDS: ENDING},
    BODY: {BODY_ENDS: ANSWERING, BODY_FAILS: FAILED, ANSWERED: DRAINING, ENDS: ENDING},
    ANSWERING: {ANSWERED: HEAD, SWITCHED: TUNNEL, ENDS: ENDING},
    DRAINING: {BODY_ENDS: HEAD, ENDS: ENDING},
    FAILED: {ENDS: ENDING},
    TUNNEL: {ENDS: ENDING},
    ENDING: {ENDS: ENDING},
}

# The framing of a response's body (RFC 9112 6.3).
NO_BODY: Final = 0
BY_LENGTH: Final = 1
BY_CHUNKS: Final = 2
UNTIL_CLOSE: Final = 3
TUNNELLED: Final = 4
