"""A request to an upstream, and how its head looks on the wire (RFC 9112 sections 3 and 6)."""

from __future__ import annotations

from typing import Final, Protocol

from sentinel_host.errors import SentinelError
from sentinel_host.fields import add_lines, write_request
from sentinel_host.http.relay import RelaySource

Headers = list[tuple[bytes, bytes]]

IDEMPOTENT: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
"""Methods whose request may be sent a second time (RFC 9110 section 9.2.2)."""

EXPECTS_BODY: Final = frozenset((b"POST", b"PUT", b"PATCH"))
"""A request with one of these and without a body still says so (RFC 9110 section 8.6)."""

# Compiled code looks an imported function up by its name.
_write: Final = write_request
_NEVER: Final = float("inf")
_LENGTH_AND_END: Final = b"\r\ncontent-length: %d\r\n\r\n"


class BodySource(Protocol):
    """Where a streamed request body comes from; read by one task, one call at a time."""

    trailers: Headers
    """Trailer fields, complete once ``read`` has answered ``b""``; sent only when the body is
    chunked.
    """

    async def read(self) -> bytes:
        """The next piece, ``b""`` at the end.

        Whatever it raises (ClientError, CancelledError, ...) breaks the upstream request off and
        comes out of the client's ``send()`` or ``read()`` unchanged. It is cancelled when the
        upstream has no use for the rest.
        """
        ...


class RelayableBody(Protocol):
    """A `BodySource` whose rest may come from a socket."""

    def relay_source(self) -> RelaySource | None:
        """Where a relay may read what follows what was read; None: nowhere, or not now."""
        ...

    def on_relayed(self, size: int) -> None:
        """A relay has passed on so many bytes."""
        ...


class Informed(Protocol):
    """Who hears of 1xx responses."""

    def pass_informational(self, status: int, headers: Headers) -> None:
        """One has come, with these fields."""
        ...


class UpstreamRequest:
    """One request.

    ``target`` is in origin-form. ``headers`` are end-to-end fields only: Host, Content-Length,
    Transfer-Encoding and Connection are written here and must not be among them. ``content_length``
    is the length of a streamed body; None sends it chunked. ``informed`` is told
    of every 1xx response but 101. ``upgrade`` names the protocol to change to
    (RFC 9110 section 7.8): the response to it may then be a 101, after which what is read and
    written is that protocol's. ``takes_trailers`` has the upstream know that its trailers are
    wanted (RFC 9110 section 10.1.4), on a request without ``upgrade``. ``response_timeout`` and
    ``idle_timeout`` are seconds, as in `Timeouts`, for this request alone; None stands for the
    pool's. ``proxy_header`` tells the upstream about the client: only a connection that began with
    these bytes may carry the request; empty stands for the pool's. ``relayable`` is the body, if a
    relay may take its rest.
    """

    __slots__ = (
        "body",
        "content_length",
        "headers",
        "host",
        "idle_timeout",
        "informed",
        "method",
        "proxy_header",
        "relayable",
        "response_timeout",
        "takes_trailers",
        "target",
        "upgrade",
    )

    def __init__(
        self,
        method: bytes,
        target: bytes,
        headers: Headers,
        host: bytes,
        body: bytes | BodySource = b"",
        content_length: int | None = None,
        informed: Informed | None = None,
        upgrade: bytes = b"",
        takes_trailers: bool = False,
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.host = host
        self.body = body
        self.content_length = content_length
        self.informed = informed
        self.upgrade = upgrade
        self.takes_trailers = takes_trailers
        self.response_timeout: float | None = None
        self.idle_timeout: float | None = None
        self.proxy_header = b""
        self.relayable: RelayableBody | None = None

    @property
    def shortest_timeout(self) -> float:
        """The shorter of its own two, in seconds; infinite if it has none."""
        response, idle = self.response_timeout, self.idle_timeout
        if response is None:
            return _NEVER if idle is None else idle
        return response if idle is None else min(response, idle)


def encode_head(request: UpstreamRequest) -> bytes:
    """The head's bytes, blank line included.

    A control character anywhere, or a space in the request line, could make one request another, or
    two: SentinelError.
    """
    body = request.body
    if not isinstance(body, bytes):
        length = request.content_length
        end = b"\r\ntransfer-encoding: chunked\r\n\r\n" if length is None else _LENGTH_AND_END % length
    elif body or (request.method != b"GET" and request.method in EXPECTS_BODY):
        end = _LENGTH_AND_END % len(body)
    else:
        end = b"\r\n\r\n"
    headers = request.headers
    if request.upgrade:
        headers = [*headers, (b"connection", b"upgrade"), (b"upgrade", request.upgrade)]
    elif request.takes_trailers:
        headers = [*headers, (b"connection", b"te"), (b"te", b"trailers")]
    try:
        return _write(request.method, request.target, request.host, headers, end)
    except ValueError as error:
        raise SentinelError(f"request head for the upstream: {error}") from None


def encode_trailers(trailers: Headers) -> bytes:
    """The end of a chunked body: last chunk, trailer fields, blank line (RFC 9112 section 7.1)."""
    try:
        return add_lines(b"0", trailers, b"\r\n\r\n")
    except ValueError as error:
        raise SentinelError(f"request trailers for the upstream: {error}") from None
