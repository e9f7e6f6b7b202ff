"""One HTTP/1.1 connection to an upstream: the transport of a `ClientCore`.

Rules:
1. The core decides (`h1`). This module turns its results into calls of the transport, the response,
   the upload and the owner.
2. Every failure goes through ``fail``, and everything ends in ``_close``; both may be called at any
   time.
3. No timer of its own: the owner calls ``check`` every now and then.
4. On a kept connection a request waits for the `WriteBatch`. Right before it is written, the kernel
   is asked for pending bytes or an end of stream: after the write they would look like its response.
   A request that is held back for that reason was never sent.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from math import inf
from typing import Any, Final, Protocol

from sentinel_host.errors import UpstreamError, UpstreamTimeout
from sentinel_host.http import acks
from sentinel_host.http.batch import Batched, WriteBatch
from sentinel_host.http.client._pending import has_no_pending_input
from sentinel_host.http.client.h1 import (
    BROKEN_OFF,
    CLOSED,
    EXPIRED,
    HALF_CLOSED,
    HEAD,
    HEAD_CAME,
    IN_TIME,
    MALFORMED,
    NO_RESPONSE,
    NOT_SENT,
    OVER,
    OVERDUE,
    QUEUED,
    STOP_UPLOAD,
    TUNNEL,
    UNASKED,
    ClientCore,
)
from sentinel_host.http.client.request import Headers, UpstreamRequest, encode_trailers
from sentinel_host.http.client.response import BUFFER_LIMIT, PlainSocket, UpstreamResponse
from sentinel_host.http.client.target import Target, Timeouts
from sentinel_host.http.client.upload import Upload
from sentinel_host.http.relay import KEPT
from sentinel_host.http.tls.connection import TlsConnection

_JOIN_LIMIT: Final = 16384
"""A body up to this size is copied behind its head, so that one packet and one system call carry
both.
"""

_SALVAGE_LIMIT: Final = 65536

# A name of this module's own is found faster.
_has_no_pending_input: Final = has_no_pending_input


class ConnectionOwner(Protocol):
    """The owner of connections, which is told about changes of their state. Its methods must not
    raise.

    Compiled code calls what inherits from it at once, and looks the methods of anything else up by
    their names.
    """

    __slots__ = ()

    def on_idle(self, connection: ClientConnection) -> None:
        """The connection has served its request and may be given another."""
        ...

    def on_closed(self, connection: ClientConnection) -> None:
        """The connection is closing: it takes no request any more."""
        ...

    def on_tunnel(self, connection: ClientConnection) -> None:
        """The connection has changed its protocol, and serves no other request."""
        ...

    def on_failure(self, error: UpstreamError) -> None:
        """A response broke off after its head. Its reader gets the error from the response."""
        ...


class ClientConnection(Batched):
    """An `asyncio.Protocol` in all but name, for a class that inherits from it is not compiled.

    ``requests_left`` and ``retires_at``, by the loop's clock, are its owner's: how long it may
    serve. So is ``proxy_header``, the bytes that it began with. ``target`` is named in errors.
    ``batch`` says when the requests of kept connections are written.
    """

    __slots__ = (
        "_batch",
        "_core",
        "_descriptor",
        "_get_write_buffer_size",
        "_head",
        "_is_chunked",
        "_is_closing",
        "_loop",
        "_owner",
        "_response",
        "_target",
        "_time",
        "_tls",
        "_transport",
        "_unsent",
        "_upload",
        "_writable",
        "_write",
        "proxy_header",
        "requests_left",
        "retires_at",
        "write_paused",
    )

    _transport: Any  # uvloop's transports inherit from none of asyncio's classes
    _is_closing: Callable[[], bool]
    _get_write_buffer_size: Callable[[], int]
    _write: Callable[[bytes], None]

    def __init__(
        self,
        owner: ConnectionOwner,
        target: Target,
        timeouts: Timeouts,
        max_head_bytes: int,
        batch: WriteBatch,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._core = ClientCore(timeouts, max_head_bytes, loop.time())
        self._owner = owner
        self._target = target
        self._batch = batch
        self._loop = loop
        # A method that is looked up for each call takes twice as long.
        self._time: Callable[[], float] = loop.time
        self._transport = None
        self._descriptor = -1
        self._tls: TlsConnection | None = None
        self._head = b""
        self._is_chunked = False
        self._response: UpstreamResponse | None = None
        self._upload: Upload | None = None
        self._unsent = 0
        self._writable: asyncio.Future[None] | None = None
        self.proxy_header = b""
        self.requests_left = 0
        self.retires_at = inf
        self.write_paused = False

    @property
    def closed(self) -> bool:
        """Whether it takes no request any more."""
        return self._core.state == CLOSED

    @property
    def used(self) -> bool:
        """Whether it has served a request: the upstream may then have given it up while it was
        idle.
        """
        return self._core.used

    # The request.

    def start(self, request: UpstreamRequest, head: bytes) -> UpstreamResponse:
        """Have the request leave; the response tells when its head is there.

        What goes wrong before that it raises: UpstreamError, whose ``progress`` says what
        the upstream has seen, or what the request's BodySource raised.
        """
        loop = self._loop
        core = self._core
        core.begin(request, self._time())
        self._unsent = 0
        response = self._response = UpstreamResponse(self, request, loop)
        self._head = head
        if core.used:
            self._batch.add(self)
        else:
            self.flush()
        return response

    def flush(self) -> None:
        """Send the request, if it still may be."""
        core = self._core
        response = self._response
        if core.state != QUEUED or response is None:
            return
        if self._is_closing() or (core.used and not self._has_no_pending_input()):
            self._hold_back()
            return
        head, self._head = self._head, b""
        body = response.request.body
        if not isinstance(body, bytes):
            core.sent(True)
            self._write(head)
            length = response.request.content_length
            self._is_chunked = length is None
            self._upload = Upload(self, body, length, self._loop, response.request.relayable)
            return
        core.sent(False)
        if len(body) <= _JOIN_LIMIT:
            self._write(head + body if body else head)
        else:
            self._transport.writelines((head, body))

    def _has_no_pending_input(self) -> bool:
        if self._tls is None:
            return _has_no_pending_input(self._descriptor)
        return self._tls.has_no_pending_input()

    def write(self, parts: Iterable[bytes]) -> None:
        """Send a piece of a streamed body, or into a tunnel; a connection that is closing takes
        none.
        """
        # Of a closing transport, writelines leaves a closed descriptor in asyncio's selector
        # (CPython 3.12 and later).
        if self._core.state != CLOSED and not self._transport.is_closing():
            self._core.progressed(self._time())
            self._transport.writelines(parts)

    def send_piece(self, data: bytes) -> None:
        """For the `Upload`."""
        self.write((b"%x\r\n" % len(data), data, b"\r\n") if self._is_chunked else (data,))

    def send_end(self, trailers: Headers) -> None:
        """For the `Upload`. A body that has a length cannot have trailers (RFC 9112 section
        7.1.2).
        """
        if self._is_chunked:
            self.write((encode_trailers(trailers),))

    async def emptied(self) -> int:
        """For the `Upload`."""
        transport = self._transport
        if self._tls is not None or self._is_chunked:
            return -1
        if transport.get_write_buffer_size():
            # A transport tells that it is empty only if it pauses at the first byte.
            transport.set_write_buffer_limits(0)
            try:
                await self.drained()
            finally:
                if not transport.is_closing():
                    transport.set_write_buffer_limits()
        if self._core.state == CLOSED or transport.is_closing() or transport.get_write_buffer_size():
            return -1
        return self._descriptor

    def on_relayed(self) -> None:
        """For the `Upload`."""
        self._core.progressed(self._loop.time())

    def on_unwritable(self) -> None:
        """For the `Upload`: as the transport tells of a write that failed."""
        self.connection_lost(ConnectionResetError("the upstream takes nothing any more"))

    def on_uploaded(self) -> None:
        """For the `Upload`."""
        self._core.uploaded(self._time())

    def on_upload_failed(self, error: BaseException) -> None:
        """For the `Upload`."""
        self.fail(error)

    def unsent(self) -> int:
        """Bytes that were written and that the upstream has not acknowledged."""
        return acks.unsent(self._transport)

    # A tunnel.

    async def drained(self) -> None:
        """Wait until a tunnel's other end takes more, or is gone."""
        while self.write_paused and self._core.state != CLOSED:
            self._writable = self._loop.create_future()
            await self._writable

    def write_eof(self) -> None:
        """Nothing more goes into the tunnel; what comes out of it is still read."""
        if self._core.state != CLOSED:
            self._transport.write_eof()

    # The response.

    def resume_reading(self) -> None:
        """The reader has taken what paused the transport."""
        core = self._core
        if core.paused and core.state != CLOSED:
            core.resume(self._time())
            self._transport.resume_reading()

    # A body of which a relay takes bytes from the socket itself.

    def plain_socket(self) -> PlainSocket | None:
        """This connection, unless it is encrypted."""
        return self if self._tls is None else None

    def relayable(self) -> int:
        """Bytes of the body that may be taken: not while reading has stopped for a slow reader."""
        if self._core.paused or self._transport.is_closing():
            return 0
        return self._core.left - KEPT

    def begin_relay(self) -> int:
        """Stop reading; a descriptor of the socket, which is the caller's."""
        descriptor = os.dup(self._descriptor)
        self._transport.pause_reading()
        return descriptor

    def relayed(self, size: int) -> None:
        """A relay has taken bytes."""
        self._core.passed_by(size, self._time())

    def stall(self, stalled: bool) -> None:
        """A relay waits for its sink, or goes on."""
        if stalled:
            self._core.pause()
        else:
            self._core.resume(self._time())

    def end_relay(self) -> None:
        """Read the rest."""
        if self._core.state != CLOSED and not self._transport.is_closing():
            self._core.resume(self._time())
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """`asyncio.Protocol`."""
        batch = self._batch
        batch.enter()
        try:
            self._receive(data)
        finally:
            batch.leave()

    def _receive(self, data: bytes) -> None:
        core = self._core
        events = core.receive(data, self._time())
        response = self._response
        if response is not None:
            if events & HEAD_CAME:
                head = core.head
                assert head is not None
                response.begin(head.status, head.headers, head.http_version)
                response.is_end_to_end = head.is_end_to_end
                if core.state == TUNNEL:
                    self._owner.on_tunnel(self)
            pieces, first = core.pieces, core.first
            if first is not None:
                core.first = None
                response.add(first)
            if pieces:
                for piece in pieces:
                    response.add(piece)
                pieces.clear()
            if response.buffered > BUFFER_LIMIT and not events & OVER and not core.paused:
                core.pause()
                self._transport.pause_reading()
        if events & STOP_UPLOAD:
            self._stop_upload()
        if events >= OVER:
            self._react(events)
        if response is None:
            return
        # The last act: the reader goes on within it, and may send another request on this
        # connection.
        if core.is_informed:
            # Interim responses are sent in tasks, which began before.
            response.arrival.ring_soon()
        else:
            response.arrival.ring()

    def eof_received(self) -> bool:
        """`asyncio.Protocol`."""
        event = self._core.ended()
        self._end(event)
        # A tunnel goes on in the other direction. Anything else is over at once, and not left to
        # the transport, which would first wait for an upstream that has left to take what is
        # unsent.
        return event == HALF_CLOSED

    def connection_lost(self, exc: Exception | None) -> None:
        """`asyncio.Protocol`."""
        if exc is not None and self._core.state == HEAD and self._tls is None:
            self._salvage()
        self._end(self._core.lost(exc is None))

    def _end(self, event: int) -> None:
        response = self._response
        self._react(event)
        if response is not None:
            response.arrival.ring_soon()

    def _react(self, events: int) -> None:
        if events & OVER:
            self._finish()
        elif events & MALFORMED:
            self.break_off(self._core.fault, "malformed")
        elif events & HALF_CLOSED:
            if self._response is not None:
                self._response.end()
        elif events & UNASKED:
            self._close()
        elif events & NOT_SENT:
            self._hold_back()
        elif events & NO_RESPONSE:
            self.break_off("the connection closed before a response came")
        elif events & BROKEN_OFF:
            self.break_off("the response broke off")

    def _finish(self) -> None:
        response = self._response
        assert response is not None
        self._response = None
        core = self._core
        if self._upload is not None:
            if core.uploading:
                self._stop_upload()
            self._upload = None
        reusable = not self._get_write_buffer_size() and not self._is_closing()
        kept = core.finish(reusable)
        response.finish(core.trailers)
        if kept:
            self._owner.on_idle(self)
        else:
            self._close()

    def _salvage(self) -> None:
        """Read what the upstream sent before it closed.

        An upstream that refuses a body answers and closes. Our next write then fails, and the event
        loop drops the connection with the answer unread. The socket is still open at this point.
        The TLS layer does this by itself.
        """
        try:
            data = os.read(self._descriptor, _SALVAGE_LIMIT)
        except OSError:
            return
        if data:
            self.data_received(data)

    # Backpressure.

    def pause_writing(self) -> None:
        """`asyncio.Protocol`."""
        self.write_paused = True

    def resume_writing(self) -> None:
        """`asyncio.Protocol`."""
        self.write_paused = False
        self._core.progressed(self._time())
        if self._upload is not None:
            self._upload.resume()
        self._wake_writer()

    def _wake_writer(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _stop_upload(self) -> None:
        if self._upload is not None:
            self._upload.cancel()

    # Beginning and end.

    def connection_made(self, transport: Any) -> None:
        """`asyncio.Protocol`."""
        self._transport = transport
        # Made once, as what every request calls.
        self._is_closing = transport.is_closing
        self._get_write_buffer_size = transport.get_write_buffer_size
        self._write = transport.write
        self._descriptor = transport.get_extra_info("socket").fileno()
        self._tls = transport if isinstance(transport, TlsConnection) else None

    def check(self, now: float) -> None:
        """Close what has been idle or silent for too long."""
        core = self._core
        verdict = core.check(now, self._upload is not None and self._upload.waiting_for_source)
        if verdict == IN_TIME:
            return
        if verdict == EXPIRED:
            self._close()
        elif self._still_takes():
            core.progressed(now)
        elif verdict == OVERDUE:
            self.fail(UpstreamTimeout(f"upstream {self._target}: {core.lateness()}", core.progress))

    def _still_takes(self) -> bool:
        """Whether the upstream has taken something of the request's body since this was last asked.

        A slow one may take minutes for what is on its way in the transport's and the kernel's
        buffers: that is progress, though no event tells of it.
        """
        response = self._response
        if self._upload is None:
            body = b"" if response is None else response.request.body
            if not isinstance(body, bytes) or len(body) <= _JOIN_LIMIT:
                return False
        before, self._unsent = self._unsent, self.unsent()
        return self._unsent < before

    def retire(self) -> None:
        """Close an idle connection that has served for long enough."""
        self._close()

    def abort(self) -> None:
        """Break off: the reader of the response has given it up."""
        response = self._response
        self._close()
        if response is not None:
            response.fail(UpstreamError(f"upstream {self._target}: the response was aborted"))

    def fail(self, error: BaseException) -> None:
        """Break off for ``error``, which the reader of the response gets to see."""
        response = self._response
        self._close()
        if response is not None:
            if response.begun and isinstance(error, UpstreamError):
                self._owner.on_failure(error)
            response.fail(error)

    def _hold_back(self) -> None:
        self.break_off("the connection closed before the request was sent")

    def break_off(self, reason: str, kind: str = "reset") -> None:
        """Close; a request under way fails with an UpstreamError of this ``kind``."""
        self.fail(UpstreamError(f"upstream {self._target}: {reason}", kind, self._core.progress))

    def _close(self) -> None:
        core = self._core
        if core.state == CLOSED:
            return
        core.close()
        self._response = None
        self._head = b""
        if self._upload is not None:
            self._upload.cancel()
            self._upload = None
        self._owner.on_closed(self)
        self._wake_writer()
        if self._transport is not None:
            self._transport.abort()
