"""A request to an upstream, and how its head looks on the wire (RFC 9112 sections 3 and 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from sentinel_host.errors import SentinelError

Headers = list[tuple[bytes, bytes]]

IDEMPOTENT: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
"""Methods whose request may be sent a second time (RFC 9110 section 9.2.2)."""

# A request with one of these and without a body still says so: RFC 9110 section 8.6.
_EXPECTS_BODY: Final = frozenset((b"POST", b"PUT", b"PATCH"))

# Deleting these leaves the line ends, and whatever else could end a line: one pass over the head tells all.
_HARMLESS: Final = bytes(byte for byte in range(256) if byte not in b"\r\n\0")


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


class UpstreamRequest:
    """One request.

    ``target`` is in origin-form. ``headers`` are end-to-end fields only: Host, Content-Length, Transfer-Encoding and
    Connection are written here and must not be among them. ``content_length`` is the length of a streamed body; None
    sends it chunked. ``on_informational`` is called with status and fields of every 1xx response but 101. ``upgrade``
    names the protocol to change to (RFC 9110 section 7.8): the response to it may then be a 101, after which what is
    read and written is that protocol's.
    """

    __slots__ = ("body", "content_length", "headers", "host", "method", "on_informational", "target", "upgrade")

    def __init__(
        self,
        method: bytes,
        target: bytes,
        headers: Headers,
        host: bytes,
        body: bytes | BodySource = b"",
        content_length: int | None = None,
        on_informational: Callable[[int, Headers], None] | None = None,
        upgrade: bytes = b"",
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.host = host
        self.body = body
        self.content_length = content_length
        self.on_informational = on_informational
        self.upgrade = upgrade


def encode_head(request: UpstreamRequest) -> bytes:
    """The head's bytes, blank line included.

    A CR, LF or NUL anywhere, or a space in the request line, would make one request another, or two: SentinelError.
    """
    body = request.body
    if not isinstance(body, bytes):
        length = request.content_length
        framing = b"transfer-encoding: chunked\r\n\r\n" if length is None else b"content-length: %d\r\n\r\n" % length
        lines = 4
    elif body or request.method in _EXPECTS_BODY:
        framing, lines = b"content-length: %d\r\n\r\n" % len(body), 4
    else:
        framing, lines = b"\r\n", 3
    headers = request.headers
    if request.upgrade:
        headers = [*headers, (b"connection", b"upgrade"), (b"upgrade", request.upgrade)]
    parts = [request.method, b" ", request.target, b" HTTP/1.1\r\nhost: ", request.host, b"\r\n"]
    for name, value in headers:
        parts.append(name)
        parts.append(b": ")
        parts.append(value)
        parts.append(b"\r\n")
    parts.append(framing)
    head = b"".join(parts)
    # More line ends than were put in here came from elsewhere. To look for a byte is cheap, `in` would not be.
    harmful = len(head) - len(head.translate(None, b"\r\n\0"))
    if harmful != 2 * (lines + len(headers)) or request.method.find(b" ") >= 0 or request.target.find(b" ") >= 0:
        raise SentinelError("request head for the upstream holds a CR, LF, NUL or a space out of place")
    return head


def encode_trailers(trailers: Headers) -> bytes:
    """The end of a chunked body: last chunk, trailer fields, blank line (RFC 9112 section 7.1)."""
    if not trailers:
        return b"0\r\n\r\n"
    end = b"\r\n".join((b"0", *map(b": ".join, trailers), b"\r\n"))
    if end.translate(None, _HARMLESS) != b"\r\n" * (len(trailers) + 2):
        raise SentinelError("request trailers for the upstream hold a CR, LF or NUL")
    return end
