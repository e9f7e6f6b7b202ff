"""What a client gets for a request that was refused or failed: one rendering, for every protocol
and the gateway.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from sentinel_host.messages import Headers, Response

_METHOD_NOT_ALLOWED: Final = 405
# Bodies by status, of which there are some sixty.
_BODIES: Final[dict[int, bytes]] = {}


def error_reply(status: int, reason: str | None = None) -> Response:
    """A JSON object with the key ``error``: the reason, or else the status's own phrase."""
    body = _BODIES.get(status) if not reason else _body(reason)
    if body is None:
        body = _BODIES[status] = _body(HTTPStatus(status).phrase)
    headers: Headers = [(b"content-type", b"application/json")]
    if status == _METHOD_NOT_ALLOWED:
        # RFC 9110 section 15.5.6 demands the field; an empty one is allowed and true, as methods
        # differ by route.
        headers.append((b"allow", b""))
    return Response(status, headers, body)


def _body(reason: str) -> bytes:
    return json.dumps({"error": reason}).encode()
