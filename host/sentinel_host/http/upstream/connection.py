"""One connection to an upstream.

Rules:
1. At most one request at a time. A byte that arrives while none is under way, or after the end of its response, closes
   the connection: it may be the answer to somebody else's request.
2. The connection goes back to the pool only when the request has been written whole, its response has been read whole,
   and both sides allow another. In every other case it is closed, at once.
3. Every failure goes through ``fail``, and everything ends in ``_close``; both may be called at any time.
4. No timer of its own: the pool calls ``check`` every now and then.
"""

from __future__ import annotations

import asyncio
import os
import select
from typing import TYPE_CHECKING, Any, Final

from sentinel_host.errors import UpstreamError, UpstreamTimeout
from sentinel_host.http.upstream.chunked import ChunkedDecoder, MalformedBody
from sentinel_host.http.upstream.head import MalformedHead, ResponseHead, parse_trailers
from sentinel_host.http.upstream.request import UpstreamRequest
from sentinel_host.http.upstream.response import BUFFER_LIMIT, UpstreamResponse
from sentinel_host.http.upstream.upload import Upload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentinel_host.http.upstream.pool import UpstreamPool

MAX_INFORMATIONAL: Final = 8
"""1xx responses before the final one; more than Go's net/http client allows (5)."""

_JOIN_LIMIT: Final = 16384
"""A body up to this size is copied behind its head, so that one packet and one system call carry both."""

_SALVAGE_LIMIT: Final = 65536


# States, as plain numbers for the sake of compiled code; everything after HEAD but CLOSED is a body being read.
_IDLE: Final = 0
_HEAD: Final = 1
_LENGTH: Final = 2
_CHUNKED: Final = 3
_UNTIL_CLOSE: Final = 4
_CLOSED: Final = 5
_TUNNEL: Final = 6


class Connection:
    """An `asyncio.Protocol` in all but name, for a class that inherits from it is not compiled.

    ``used`` is true once it has served a request; ``stale`` once a used one died before a byte of the answer."""

    __slots__ = (
        "_decoder",
        "_head",
        "_informational",
        "_keep_alive",
        "_left",
        "_loop",
        "_poller",
        "_pool",
        "_read_paused",
        "_response",
        "_since",
        "_state",
        "_transport",
        "_unsent",
        "_upload",
        "_writable",
        "stale",
        "used",
        "write_paused",
    )

    _transport: Any  # uvloop's transports inherit from none of asyncio's classes

    def __init__(self, pool: UpstreamPool, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self._state = _IDLE
        self._since = loop.time()
        self._response: UpstreamResponse | None = None
        self._head: ResponseHead | None = None
        self._decoder: ChunkedDecoder | None = None
        self._upload: Upload | None = None
        self._informational = 0
        self._left = 0
        self._unsent = 0
        self._keep_alive = True
        self._read_paused = False
        self._poller: select.poll | None = None
        self._writable: asyncio.Future[None] | None = None
        self._transport = None
        self.write_paused = False
        self.used = False
        self.stale = False

    @property
    def closed(self) -> bool:
        return self._state == _CLOSED

    def reusable(self) -> bool:
        """Whether an idle connection is still fit for a request.

        It asks the kernel: bytes or an end of stream that arrived since the event loop last looked must be found
        before our request is written, for afterwards they would pass for its answer.
        """
        return self._state == _IDLE and self._poller is not None and not self._poller.poll(0)

    def start(self, request: UpstreamRequest, head: bytes) -> UpstreamResponse:
        """Send the request; the response's ``head`` future tells when its head is there."""
        loop = self._loop
        self._state = _HEAD
        self._since = loop.time()
        self._informational = 0
        self._unsent = 0
        response = self._response = UpstreamResponse(self, request, loop.create_future())
        body = request.body
        if not isinstance(body, bytes):
            self._transport.write(head)
            self._upload = Upload(self, body, request.content_length, loop)
        elif len(body) <= _JOIN_LIMIT:
            self._transport.write(head + body if body else head)
        else:
            self._transport.writelines((head, body))
        return response

    def write(self, parts: Iterable[bytes]) -> None:
        """Send a piece of a streamed body."""
        if self._state != _CLOSED:
            self._since = self._loop.time()
            self._transport.writelines(parts)

    async def drained(self) -> None:
        """Wait until a tunnel's other end takes more, or is gone."""
        while self.write_paused and self._state != _CLOSED:
            self._writable = self._loop.create_future()
            await self._writable

    def write_eof(self) -> None:
        """Nothing more goes into the tunnel; what comes out of it is still read, where the transport can do that."""
        if self._state != _CLOSED and self._transport.can_write_eof():
            self._transport.write_eof()

    def upload_finished(self) -> None:
        self._since = self._loop.time()

    def resume_reading(self) -> None:
        if self._read_paused and self._state != _CLOSED:
            self._read_paused = False
            self._since = self._loop.time()
            self._transport.resume_reading()

    def abort(self) -> None:
        """Break off, for whoever reads the response does not want it any more."""
        response = self._response
        self._close()
        if response is not None:
            response.fail(UpstreamError(f"upstream {self._pool.target}: the response was aborted"))

    def fail(self, error: BaseException) -> None:
        """Break off for ``error``, which the reader of the response gets to see."""
        response = self._response
        self._close()
        if response is not None:
            if response.head.done() and isinstance(error, UpstreamError):
                self._pool.failures += 1  # before its head, send() counts it, for it may be retried
            response.fail(error)

    def check(self, now: float) -> None:
        """Close what has been idle or silent for too long."""
        timeouts = self._pool.timeouts
        state = self._state
        if state == _IDLE:
            if now - self._since >= timeouts.keepalive:
                self._close()
            return
        limit = timeouts.response if state == _HEAD else timeouts.idle
        if limit is None or state in (_CLOSED, _TUNNEL):
            return
        upload = self._upload
        # A slow upstream may take minutes for one large piece: that is progress, though no event tells of it.
        unsent = self._transport.get_write_buffer_size()
        taken = unsent < self._unsent
        self._unsent = unsent
        if taken or self._read_paused or (upload is not None and not upload.done and upload.waiting_for_source):
            self._since = now
        elif now - self._since >= limit:
            what = "no response" if state == _HEAD else "the response fell silent"
            self.fail(UpstreamTimeout(f"upstream {self._pool.target}: {what} within {limit:g} s"))

    # asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._poller = select.poll()
        self._poller.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        self._since = self._loop.time()
        if self._upload is not None:
            self._upload.resume()
        self._wake_writer()

    def _wake_writer(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def data_received(self, data: bytes) -> None:
        state = self._state
        if state == _CLOSED:
            return
        if state == _IDLE:
            self._close()
            return
        try:
            if state == _HEAD:
                self._head_received(data)
            else:
                self._since = self._loop.time()
                self._body_received(data)
        except (MalformedHead, MalformedBody) as error:
            self._break_off(str(error))

    def eof_received(self) -> bool:
        if self._state == _TUNNEL:
            assert self._response is not None
            self._response.end()
            # TLS has no half-closed state that the event loops would keep.
            return self._transport.get_extra_info("ssl_object") is None
        # Not left to the transport, which would first wait for an upstream that has left to take what is unsent.
        self.connection_lost(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._state == _HEAD and exc is not None:
            self._salvage()
        state = self._state
        if (state == _UNTIL_CLOSE or (state == _TUNNEL and self._response is not None)) and exc is None:
            self._keep_alive = False
            self._finish()
        elif state == _HEAD:
            self.stale = self.used and self._head is None and not self._informational
            self._break_off("the connection closed before a response came")
        elif state == _IDLE:
            self._close()
        elif state != _CLOSED:
            self._break_off("the response broke off")

    # How a response is read

    def _head_received(self, data: bytes) -> None:
        response = self._response
        assert response is not None
        while True:
            head = self._head
            if head is None:
                head = self._head = ResponseHead(self._pool.max_head_bytes)
            end = head.feed(data)
            if end < 0:
                return
            self._head = None
            if head.status >= 200:
                break
            if head.status == 101 and response.request.upgrade:
                self._switch(response, head, data[end:])
                return
            self._informational_received(head, response.request)
            if self._state == _CLOSED or end == len(data):
                return
            data = data[end:]
        # Only the whole head counts: single bytes of it, or interim responses, would hold a request for hours.
        self._since = self._loop.time()
        status = response.status = head.status
        response.headers = head.headers
        response.http_version = head.http_version
        self._keep_alive = head.keep_alive
        if not response.head.done():
            response.head.set_result(None)
        if response.request.method == b"HEAD" or status == 204 or status == 304 or head.content_length == 0:
            self._left = 0
            self._state = _LENGTH
        elif head.chunked:
            self._decoder = ChunkedDecoder(self._pool.max_head_bytes)
            self._state = _CHUNKED
        elif head.content_length > 0:
            self._left = head.content_length
            self._state = _LENGTH
        else:
            self._state = _UNTIL_CLOSE
        if status >= 400 and self._upload is not None:
            # RFC 9112 section 9.5: on an error response, stop sending. Others may well answer while they still read.
            self._stop_upload()
        if end < len(data) or (self._state == _LENGTH and not self._left):
            self._body_received(data[end:])

    def _switch(self, response: UpstreamResponse, head: ResponseHead, rest: bytes) -> None:
        """The upstream changes the protocol: from here on bytes are passed, not read."""
        if response.request.upgrade.lower() not in [
            value.lower() for name, value in head.headers if name == b"upgrade"
        ]:
            self._break_off("it changed to a protocol that was not asked for")
            return
        response.status = 101
        response.headers = head.headers
        self._state = _TUNNEL
        if not response.head.done():
            response.head.set_result(None)
        if rest:
            self._body_received(rest)

    def _informational_received(self, head: ResponseHead, request: UpstreamRequest) -> None:
        if head.status == 101:
            self._break_off("it answered 101 to a request that asked for no upgrade")
            return
        self._informational += 1
        if self._informational > MAX_INFORMATIONAL:
            raise MalformedHead(f"more than {MAX_INFORMATIONAL} informational responses")
        if request.on_informational is not None:
            request.on_informational(head.status, head.headers)

    def _body_received(self, data: bytes) -> None:
        response = self._response
        assert response is not None
        state = self._state
        if state == _LENGTH:
            left = self._left - len(data)
            if left < 0:
                self._keep_alive = False  # what follows the message is nobody's
                data = data[: self._left]
                left = 0
            self._left = left
            if data:
                response.add(data)
            if not left:
                self._finish()
                return
        elif state in (_UNTIL_CLOSE, _TUNNEL):
            response.add(data)
        else:
            decoder = self._decoder
            assert decoder is not None
            pieces: list[bytes] = []
            try:
                after = decoder.feed(data, pieces)
            finally:
                for piece in pieces:
                    response.add(piece)
            if decoder.done:
                if decoder.trailers:
                    response.trailers = parse_trailers(decoder.trailers)
                if after:
                    self._keep_alive = False
                self._finish()
                return
        if response.buffered > BUFFER_LIMIT and not self._read_paused:
            self._read_paused = True
            self._transport.pause_reading()

    def _finish(self) -> None:
        response = self._response
        assert response is not None
        self._response = None
        self._decoder = None
        upload = self._upload
        if upload is not None:
            if not upload.done:
                self._stop_upload()
            self._upload = None
        if self._keep_alive and not self._transport.get_write_buffer_size() and not self._transport.is_closing():
            self._state = _IDLE
            self.used = True
            response.finish()
            self._pool.release(self)
        else:
            response.finish()
            self._close()

    def _stop_upload(self) -> None:
        if self._upload is not None and not self._upload.done:
            self._upload.cancel()
            self._keep_alive = False

    def _salvage(self) -> None:
        """Read what the upstream said before it closed.

        One that refuses a body answers and closes; our next write then fails, and the event loop gives the
        connection up with that answer unread. The socket is still open here, and ours.
        """
        descriptor = self._transport.get_extra_info("socket").fileno()
        if descriptor < 0 or self._transport.get_extra_info("ssl_object") is not None:
            return
        try:
            data = os.read(descriptor, _SALVAGE_LIMIT)
        except OSError:
            return
        if data:
            self.data_received(data)

    def _break_off(self, reason: str) -> None:
        self.fail(UpstreamError(f"upstream {self._pool.target}: {reason}"))

    def _close(self) -> None:
        if self._state == _CLOSED:
            return
        was_idle = self._state == _IDLE
        self._state = _CLOSED
        self._response = None
        self._head = None
        self._decoder = None
        if self._upload is not None:
            self._upload.cancel()
            self._upload = None
        self._pool.forget(self, was_idle=was_idle)
        self._wake_writer()
        if self._transport is not None:
            self._transport.abort()
