"""The responses that the gateway makes by itself: small JSON bodies that tell a client what, and an operator where."""

from __future__ import annotations

import json
from http import HTTPStatus

from sentinel_host.errors import ClientError, GuestUnavailable, SentinelError
from sentinel_host.messages import Headers, Response


def refusal(error: SentinelError) -> Response:
    """The response to an error.

    A client is told its own fault; the faults of guests and upstreams name inner things, and stay in the log.
    """
    if isinstance(error, ClientError):
        return problem(error.status, str(error))
    response = problem(error.status)
    if isinstance(error, GuestUnavailable):
        # RFC 9110 section 10.2.3.
        response.headers.append((b"retry-after", b"%d" % error.retry_after))
    return response


def own_options(methods: frozenset[str]) -> Response:
    """What OPTIONS gets from the gateway itself when it may go no further (RFC 9110 section 7.6.2)."""
    headers: Headers = [(b"allow", ", ".join(sorted(methods)).encode("ascii"))] if methods else []
    return Response(HTTPStatus.OK, headers)


def problem(status: int, reason: str | None = None) -> Response:
    """A response of that status; the reason defaults to the status's own phrase."""
    body = json.dumps({"error": reason or HTTPStatus(status).phrase}).encode()
    headers: Headers = [(b"content-type", b"application/json")]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        # RFC 9110 section 15.5.6 demands the field; an empty one is allowed and true, as methods differ by route.
        headers.append((b"allow", b""))
    return Response(status, headers, body)
