"""Responses that the gateway makes: small JSON bodies."""

from __future__ import annotations

from http import HTTPStatus

from sentinel_host.errors import (
    ClientError,
    GuestUnavailable,
    SentinelError,
    UpstreamBusy,
    UpstreamOverloaded,
    UpstreamUnavailable,
)
from sentinel_host.http.server.replies import error_reply
from sentinel_host.messages import Headers, Response


def refusal(error: SentinelError) -> Response:
    """The response to an error.

    A client sees the message of its own fault. Faults of guests and upstreams name internal things,
    so their messages stay in the log.
    """
    if isinstance(error, ClientError):
        return error_reply(error.status, str(error))
    response = error_reply(error.status)
    if isinstance(error, GuestUnavailable | UpstreamBusy | UpstreamOverloaded | UpstreamUnavailable):
        # RFC 9110 section 10.2.3.
        response.headers.append((b"retry-after", b"%d" % error.retry_after))
    return response


def own_options(methods: frozenset[str]) -> Response:
    """The answer to OPTIONS whose Max-Forwards is used up (RFC 9110 section 7.6.2)."""
    headers: Headers = [(b"allow", ", ".join(sorted(methods)).encode("ascii"))] if methods else []
    return Response(HTTPStatus.OK, headers)
