"""A request to an upstream, and how its head looks on the wire (RFC 9112 sections 3 and 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sentinel_host.errors import SentinelError

Headers = list[tuple[bytes, bytes]]

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
"""Methods whose request may be sent a second time (RFC 9110 section 9.2.2)."""

# A request with one of these and without a body still says so: RFC 9110 section 8.6.
_EXPECTS_BODY = frozenset((b"POST", b"PUT", b"PATCH"))


class BodySource(Protocol):
    """Where a streamed request body comes from; read by one task, one call at a time."""

    trailers: Headers
    """Trailer fields, complete once ``read`` has answered ``b""``; sent only when the body is chunked."""

    async def read(self) -> bytes:
        """The next piece, ``b""`` at the end.

        Whatever it raises (ClientError, CancelledError, ...) breaks the upstream request off and comes out of the
        client's ``send()`` or ``read()`` unchanged. It is cancelled when the upstream has no use for the rest.
        """
        ...


@dataclass(slots=True)
class UpstreamRequest:
    """One request.

    ``target`` is in origin-form. ``headers`` are end-to-end fields only: Host, Content-Length, Transfer-Encoding and
    Connection are written here and must not be among them. ``content_length`` is the length of a streamed body; None
    sends it chunked. ``on_informational`` is called with status and fields of every 1xx response but 101.
    """

    method: bytes
    target: bytes
    headers: Headers
    host: bytes
    body: bytes | BodySource = b""
    content_length: int | None = None
    on_informational: Callable[[int, Headers], None] | None = None


def encode_head(request: UpstreamRequest) -> bytes:
    """The head's bytes, blank line included.

    A CR, LF or NUL anywhere, or a space in the request line, would make one request another, or two: SentinelError.
    """
    headers = request.headers
    body = request.body
    if isinstance(body, bytes):
        if body or request.method in _EXPECTS_BODY:
            framing, lines = b"content-length: %d\r\n\r\n" % len(body), 4
        else:
            framing, lines = b"\r\n", 3
    elif request.content_length is None:
        framing, lines = b"transfer-encoding: chunked\r\n\r\n", 4
    else:
        framing, lines = b"content-length: %d\r\n\r\n" % request.content_length, 4
    head = b"%b %b HTTP/1.1\r\nhost: %b\r\n%b%b" % (
        request.method,
        request.target,
        request.host,
        b"".join([b"%b: %b\r\n" % header for header in headers]),
        framing,
    )
    lines += len(headers)
    if (
        head.count(b"\r\n") != lines
        or head.count(b"\n") != lines
        or head.count(b"\r") != lines
        or b"\0" in head
        or b" " in request.target
        or b" " in request.method
    ):
        raise SentinelError("request head for the upstream holds a CR, LF, NUL or a space out of place")
    return head


def encode_trailers(trailers: Headers) -> bytes:
    """The end of a chunked body: last chunk, trailer fields, blank line (RFC 9112 section 7.1)."""
    if not trailers:
        return b"0\r\n\r\n"
    end = b"0\r\n%b\r\n" % b"".join([b"%b: %b\r\n" % trailer for trailer in trailers])
    lines = len(trailers) + 2
    if not end.count(b"\r\n") == end.count(b"\n") == end.count(b"\r") == lines or b"\0" in end:
        raise SentinelError("request trailers for the upstream hold a CR, LF or NUL")
    return end
