"""What a client gets for a request that was refused or failed: one rendering, for every protocol and the gateway."""

from __future__ import annotations

import json
from http import HTTPStatus

from sentinel_host.messages import Headers, Response


def error_reply(status: int, reason: str | None = None) -> Response:
    """A JSON object with the key ``error``: the reason, or else the status's own phrase."""
    body = json.dumps({"error": reason or HTTPStatus(status).phrase}).encode()
    headers: Headers = [(b"content-type", b"application/json")]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        # RFC 9110 section 15.5.6 demands the field; an empty one is allowed and true, as methods differ by route.
        headers.append((b"allow", b""))
    return Response(status, headers, body)
