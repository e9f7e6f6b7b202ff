"""One request on an HTTP/2 connection to an upstream, and its response: what an HTTP/1.1 connection
is for one request.

Rules:
1. A stream that ends before its response is whole is reset, so that the upstream stops too.
2. What is read and not taken is bounded by the stream's window; it is given back as the reader
   takes what came. So a slow reader stops its own stream and no other.
3. One piece of the request's body is held here until the windows and the transport have taken it.
4. A stream that is asked for as a tunnel stays open for writing, and a 2xx stands for the 101 of
   HTTP/1.1 (`h2_tunnel`).
5. Time counts against the upstream only while it is its turn: not while nobody reads what came, and
   not while the next piece of the request is somebody else's to send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, Protocol

from sentinel_host.errors import Progress, UpstreamError, UpstreamTimeout
from sentinel_host.http.client.h2_fields import request_trailers
from sentinel_host.http.client.h2_response import HEAD, INFORMATIONAL, RESPONSE, ResponseReader
from sentinel_host.http.client.h2_tunnel import switched_fields
from sentinel_host.http.client.request import Headers, UpstreamRequest
from sentinel_host.http.client.response import BUFFER_LIMIT, UpstreamResponse
from sentinel_host.http.client.target import Target, Timeouts
from sentinel_host.http.client.upload import Upload
from sentinel_host.http.field_section import Fields
from sentinel_host.http.h2.connection import Http2Connection
from sentinel_host.http.h2.flow import StreamState
from sentinel_host.http.h2.wire import ErrorCode

_SWITCHING_PROTOCOLS: Final = 101


class StreamCarrier(Protocol):
    """The connection that a stream is on."""

    core: Http2Connection
    write_paused: bool
    """Whether the transport takes nothing now."""

    def await_writable(self, stream: Http2Stream) -> None:
        """Have ``stream.pump`` called when the transport takes more."""
        ...

    def is_unsent(self, stream: Http2Stream) -> bool:
        """Whether not a byte of it was written."""
        ...

    def on_stream_ended(self, stream: Http2Stream) -> None:
        """The stream is over."""
        ...

    def on_stream_failed(self, error: UpstreamError) -> None:
        """A response broke off after its head."""
        ...


class Http2Stream:
    """Made once its HEADERS are written, as ``state``. ``response`` is what whoever asked gets."""

    __slots__ = (
        "_carrier",
        "_credited",
        "_ends",
        "_loop",
        "_pending",
        "_reader",
        "_request",
        "_since",
        "_timeouts",
        "_upload",
        "_writable",
        "is_over",
        "is_tunnel",
        "response",
        "state",
        "write_paused",
    )

    def __init__(
        self,
        carrier: StreamCarrier,
        state: StreamState,
        request: UpstreamRequest,
        timeouts: Timeouts,
        max_head_bytes: int,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.state: Final = state
        self.response: Final = UpstreamResponse(self, request, loop)
        self.response.http_version = b"2"
        self.write_paused = False
        self.is_over = False
        self.is_tunnel: Final = bool(request.upgrade)
        self._carrier = carrier
        self._request = request
        self._timeouts = timeouts
        self._loop = loop
        self._reader = ResponseReader(request.method, max_head_bytes)
        self._since = loop.time()
        self._credited = 0
        self._pending: bytes | memoryview = b""
        self._ends = False
        self._upload: Upload | None = None
        self._writable: asyncio.Future[None] | None = None

    # The request's body.

    def begin(self) -> None:
        """Send the body, or begin to."""
        body = self._request.body
        if not isinstance(body, bytes):
            self._upload = Upload(self, body, self._request.content_length, self._loop)
        elif body:
            self._pending = body
            self._ends = True
            self.pump()

    async def emptied(self) -> int:
        """For the `Upload`: other streams share the socket."""
        return -1

    def on_relayed(self) -> None:
        """For the `Upload`; never called."""

    def on_unwritable(self) -> None:
        """For the `Upload`; never called."""

    def send_piece(self, data: bytes) -> None:
        """For the `Upload`."""
        self._pending = data
        self.pump()

    def send_end(self, trailers: Headers) -> None:
        """For the `Upload`."""
        if self.is_over:
            return
        core = self._carrier.core
        if trailers:
            core.send_headers(self.state, 0, request_trailers(trailers), True)
        else:
            core.send_data(self.state, b"", True)

    def on_uploaded(self) -> None:
        """For the `Upload`."""
        self._since = self._loop.time()

    def on_upload_failed(self, error: BaseException) -> None:
        """For the `Upload`."""
        self.fail(error, ErrorCode.CANCEL)

    def pump(self) -> None:
        """Send as much of what is pending as the windows and the transport let go."""
        carrier = self._carrier
        core = carrier.core
        flow, state = core.flow, self.state
        while not self.is_over and self._pending:
            if carrier.write_paused:
                carrier.await_writable(self)
                break
            room = flow.room(state)
            if not room:
                flow.wait(state, self._wake)
                break
            pending = self._pending
            self._since = self._loop.time()
            if len(pending) <= room:
                self._pending = b""
                core.send_data(state, pending, self._ends)
            else:
                view = memoryview(pending)
                self._pending = view[room:]
                core.send_data(state, view[:room], False)
        self.write_paused = bool(self._pending)
        if not self.write_paused:
            if state.has_turn:
                flow.leave(state)
            if self._upload is not None:
                self._upload.resume()
            elif self._writable is not None:
                self._wake_writer()

    def _wake(self) -> None:
        # Not at once: one that leaves wakes the next, and hundreds would be called from within each
        # other.
        self._loop.call_soon(self.pump)

    # The response.

    def on_section(self, fields: Fields, is_whole: bool, ended: bool) -> None:
        """A field section came; the caller rings. Raises `Malformed`."""
        reader, response = self._reader, self.response
        what = reader.section(fields, is_whole, ended)
        if what == INFORMATIONAL:
            informed = self._request.informed
            if informed is not None:
                informed.pass_informational(reader.status, reader.headers)
            return
        self._since = self._loop.time()
        if what == RESPONSE:
            if self.is_tunnel and 200 <= reader.status < 300:
                response.begin(_SWITCHING_PROTOCOLS, switched_fields(self._request, reader.headers), b"2")
            else:
                response.begin(reader.status, reader.headers, b"2")
        if ended:
            self._finish()

    def on_data(self, data: bytes, ended: bool) -> None:
        """A piece of the body came; the caller rings. Raises `Malformed`."""
        self._reader.data(len(data), ended)
        self._since = self._loop.time()
        if data:
            self.response.add(data)
        if ended:
            self._finish()

    def _finish(self) -> None:
        response = self.response
        if self.is_tunnel and not self._pending:
            self.write_eof()
        if not self.state.local_ended:
            # RFC 9113 section 8.1: the upstream has no use for the rest of the request.
            self._end(ErrorCode.NO_ERROR)
        else:
            self._end(None)
        response.finish(self._reader.trailers)

    def resume_reading(self) -> None:
        """Part of `ResponseChannel`."""
        taken = self.response.bytes_received - self.response.buffered - self._credited
        if taken > 0:
            self._credited += taken
            if self._carrier.core.consume(self.state, taken):
                self._since = self._loop.time()

    # The end.

    def abort(self) -> None:
        """Part of `ResponseChannel`: nobody wants the response any more."""
        if self.is_over:
            return
        self._end(ErrorCode.CANCEL)
        self.response.fail(UpstreamError("the response was aborted"))

    def fail(self, error: BaseException, code: ErrorCode | None) -> None:
        """Break off for ``error``; ``code`` resets the stream."""
        if self.is_over:
            return
        if isinstance(error, UpstreamError):
            error.has_read = self._upload is not None and self._upload.has_read
            if self.response.begun:
                self._carrier.on_stream_failed(error)
        self._end(code)
        self.response.fail(error)

    def _end(self, code: ErrorCode | None) -> None:
        self.is_over = True
        self._pending = b""
        self.write_paused = False
        core = self._carrier.core
        if code is not None:
            core.reset(self.state, code)
        state = self.state
        if state.has_turn:
            core.flow.leave(state)
        else:
            state.is_queued = False
            state.opened = None
        if self._upload is not None:
            self._upload.cancel()
        self._wake_writer()
        self._carrier.on_stream_ended(self)

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        if self._carrier.is_unsent(self):
            return Progress.UNSENT
        if self._reader.state != HEAD:
            return Progress.RESPONDED
        return Progress.ANSWERED if self._reader.informational else Progress.SENT

    def check(self, now: float, target: Target) -> None:
        """Break off what was silent for too long."""
        if self.response.status == _SWITCHING_PROTOCOLS:
            # A tunnel may be silent for as long as its client lets it.
            return
        request, awaits = self._request, self._reader.state == HEAD
        own = request.response_timeout if awaits else request.idle_timeout
        limit = own if own is not None else self._timeouts.response if awaits else self._timeouts.idle
        if limit is None:
            return
        upload = self._upload
        waits = awaits and upload is not None and upload.waiting_for_source and not self.state.local_ended
        if waits or self.response.buffered > BUFFER_LIMIT:
            self._since = now
        elif now - self._since >= limit:
            what = "no response" if awaits else "the response fell silent"
            error = UpstreamTimeout(f"upstream {target}: {what} within {limit:g} s", self.progress)
            self.fail(error, ErrorCode.CANCEL)

    # Tunnels.

    def write(self, parts: Iterable[bytes]) -> None:
        """Part of `ResponseChannel`."""
        if not self.is_over and not self.state.local_ended:
            self._pending = b"".join((self._pending, *parts))
            self.pump()

    async def drained(self) -> None:
        """Part of `ResponseChannel`."""
        while self.write_paused and not self.is_over:
            self._writable = self._loop.create_future()
            await self._writable

    def _wake_writer(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def plain_socket(self) -> None:
        """Part of `ResponseChannel`: the socket carries frames."""
        return None

    def write_eof(self) -> None:
        """Part of `ResponseChannel`."""
        if self._pending:
            self._ends = True
        elif not self.is_over and not self.state.local_ended:
            self._carrier.core.send_data(self.state, b"", True)
