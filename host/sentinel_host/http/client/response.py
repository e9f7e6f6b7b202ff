"""A response as it arrives: the head, a bounded buffer of the body, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, Protocol

from sentinel_host.errors import UpstreamError
from sentinel_host.http.client.request import Headers, UpstreamRequest
from sentinel_host.http.wakeup import Wakeup

BUFFER_LIMIT: Final = 65536
"""Bytes of body held before reading from the upstream pauses; asyncio's own streams use the
same.
"""


# Never added to: most responses have no trailers, and all get a list with their head.
_NO_FIELDS: Final[Headers] = []


class PlainSocket(Protocol):
    """A connection whose bytes are those of a response's body, so that they may be read
    elsewhere.
    """

    def relayable(self) -> int:
        """How many bytes of the body may be: not its end, which the connection has to see. Below 1:
        none.
        """
        ...

    def begin_relay(self) -> int:
        """Stop reading; a descriptor of the socket, which is the caller's."""
        ...

    def relayed(self, size: int) -> None:
        """So many bytes were read elsewhere."""
        ...

    def stall(self, stalled: bool) -> None:
        """Whether nobody reads for now: the upstream's silence does not count then."""
        ...

    def end_relay(self) -> None:
        """Read what follows."""
        ...


class ResponseChannel(Protocol):
    """The channel of a response: an HTTP/1.1 connection, or a stream of another protocol."""

    write_paused: bool
    """Whether the tunnel's other end takes nothing now."""

    def resume_reading(self) -> None:
        """The reader has taken enough for more to be read."""
        ...

    def write(self, parts: Iterable[bytes]) -> None:
        """Send into the tunnel."""
        ...

    async def drained(self) -> None:
        """Wait until ``write_paused`` is false, or the channel is gone."""
        ...

    def plain_socket(self) -> PlainSocket | None:
        """The socket, if what it carries now is this response and nothing else."""
        ...

    def write_eof(self) -> None:
        """Nothing more is sent into the tunnel."""
        ...

    def abort(self) -> None:
        """Give the response up."""
        ...


WHOLE: Final = 0
GIVEN_UP: Final = 1
BROKEN: Final = 2
"""How a response ends: with its last byte; given up by its reader or the sender of the request's
body; or broken off by the upstream.
"""


class Lease(Protocol):
    """What a request holds for as long as it is under way.

    Compiled code calls what inherits from it at once, and looks the method of anything else up by
    its name.
    """

    __slots__ = ()

    def end(self, how: int) -> None:
        """The response has ended: `WHOLE`, `GIVEN_UP` or `BROKEN`; called once."""
        ...


class UpstreamResponse:
    """One response.

    ``headers`` are as received, with lower-case names. Hop-by-hop fields may be among them, unless
    ``is_end_to_end`` is true: then all may be passed on, and none is called X-Request-Id.
    ``http_version`` is ``b"1.1"`` or ``b"1.0"``. ``bytes_received`` counts the body without framing. Once
    ``complete`` is true the whole body has arrived: one ``read`` answers all of it that is left,
    without waiting, and ``trailers`` are final. A response that is not read to its end must be
    aborted, or it keeps its connection. `hold` gives it what it ends.

    Its reader waits for ``arrival``, for the head and then for each piece. The channel first tells
    what came, and then rings: at once where it has nothing else to do in its turn, so that a
    response that comes in one piece is answered in that turn.
    """

    __slots__ = (
        "_channel",
        "_chunks",
        "_error",
        "_lease",
        "arrival",
        "begun",
        "buffered",
        "bytes_received",
        "complete",
        "headers",
        "http_version",
        "is_end_to_end",
        "request",
        "status",
        "trailers",
    )

    def __init__(self, channel: ResponseChannel, request: UpstreamRequest, loop: asyncio.AbstractEventLoop) -> None:
        self.begun = False
        self.status = 0
        self.headers: Headers = _NO_FIELDS
        self.http_version = b"1.1"
        self.is_end_to_end = False
        self.trailers: Headers = _NO_FIELDS
        self.complete = False
        self.bytes_received = 0
        self.buffered = 0
        self.request = request
        self.arrival = Wakeup(loop)
        self._channel: ResponseChannel | None = channel
        # Of one piece, mostly: a deque would cost more to make than it ever saves.
        self._chunks: list[bytes | memoryview] = []
        self._error: BaseException | None = None
        self._lease: Lease | None = None

    def awaits_head(self) -> bool:
        """Whether the head is still to come: await ``arrival``, and ask again.

        Raises what broke the response off: UpstreamError, or what the request's BodySource raised.
        """
        if self.begun:
            return False
        if self._error is not None:
            raise self._error
        return True

    def rest(self) -> bytes | memoryview:
        """All of the body that has come and was not read, whatever may follow; a view where that
        saves a copy.
        """
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.buffered = 0
        return data

    async def read(self) -> bytes:
        """The next piece of the body, ``b""`` at its end.

        What arrived before a failure is delivered first; then UpstreamError for a body that broke
        off, UpstreamTimeout for one that fell silent, or what the request's BodySource raised.
        Cancelling it aborts the response.
        """
        chunks = self._chunks
        while not chunks:
            if self.complete:
                return b""
            if self._error is not None:
                raise self._error
            try:
                await self.arrival
            except asyncio.CancelledError:
                self.abort()
                raise
        if self.complete or self.buffered <= BUFFER_LIMIT or len(chunks) == 1:
            # Many small pieces cost more one by one, in everything that follows, than one copy.
            piece = self.rest()
        else:
            piece = chunks.pop(0)
            self.buffered -= len(piece)
        if self._channel is not None and self.buffered <= BUFFER_LIMIT:
            self._channel.resume_reading()
        return piece if isinstance(piece, bytes) else bytes(piece)

    # What follows is for a relay, which takes a body's bytes from the socket itself.

    def relayable(self) -> int:
        """How many bytes may be taken so. Below 1: none, or not now."""
        socket = self._plain_socket()
        return 0 if socket is None or self._chunks else socket.relayable()

    def begin_relay(self) -> int:
        """Leave the socket's bytes to the relay, until `end_relay`; its descriptor."""
        socket = self._plain_socket()
        assert socket is not None
        return socket.begin_relay()

    def relayed(self, size: int) -> None:
        """So many bytes were taken."""
        self.bytes_received += size
        socket = self._plain_socket()
        if socket is not None:
            socket.relayed(size)

    def stall(self, stalled: bool) -> None:
        """Whether the relay waits for whom it writes to."""
        socket = self._plain_socket()
        if socket is not None:
            socket.stall(stalled)

    def is_alive(self) -> bool:
        """Whether more may come."""
        return self._channel is not None

    def end_relay(self) -> None:
        """Read what follows."""
        socket = self._plain_socket()
        if socket is not None:
            socket.end_relay()

    def _plain_socket(self) -> PlainSocket | None:
        return None if self._channel is None else self._channel.plain_socket()

    async def write(self, data: bytes) -> None:
        """Send into the tunnel that a 101 opened; waits while its other end takes nothing, drops
        once that is gone.
        """
        if self._channel is not None:
            self._channel.write((data,))
            if self._channel.write_paused:
                await self._channel.drained()

    def write_eof(self) -> None:
        """Nothing more will be sent into the tunnel."""
        if self._channel is not None:
            self._channel.write_eof()

    def abort(self) -> None:
        """Give up: the connection closes at once and is never used again. Nothing happens once
        ``complete``.
        """
        if self._channel is not None:
            channel = self._channel
            self._chunks.clear()
            self.buffered = 0
            self._let_go(GIVEN_UP)
            channel.abort()

    def cut_off(self, error: BaseException) -> None:
        """Give up, and have ``read`` raise this; nothing happens once ``complete``."""
        channel = self._channel
        if channel is not None:
            self._let_go(GIVEN_UP)
            self.fail(error)
            channel.abort()

    def hold(self, lease: Lease) -> None:
        """Have the lease ended with the response: now, if that is over."""
        if self._channel is None:
            lease.end(WHOLE if self.complete else BROKEN)
        else:
            self._lease = lease

    def _let_go(self, how: int) -> None:
        self._channel = None
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.end(how)

    # What follows is for the channel.

    def begin(self, status: int, headers: Headers, http_version: bytes) -> None:
        """The head is there."""
        self.begun = True
        self.status = status
        self.headers = headers
        self.http_version = http_version

    def add(self, data: bytes | memoryview) -> None:
        """A piece of the body."""
        self._chunks.append(data)
        size = len(data)
        self.buffered += size
        self.bytes_received += size

    def end(self) -> None:
        """A tunnel's other end sends no more; it may still read."""
        self.complete = True

    def finish(self, trailers: Headers) -> None:
        """The response is whole."""
        self.trailers = trailers
        self.complete = True
        self._let_go(WHOLE)

    def fail(self, error: BaseException) -> None:
        """Break the response off, and ring: ``error`` comes out of ``send``, or out of ``read``
        after what is buffered.
        """
        self._let_go(BROKEN if isinstance(error, UpstreamError) and error.kind != "closed" else GIVEN_UP)
        if self._error is None:
            self._error = error
        # Not at once: whoever fails a response may have others to look after.
        self.arrival.ring_soon()
