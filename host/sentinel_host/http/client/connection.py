"""One connection to an upstream.

Rules:
1. At most one request at a time. A byte that arrives while none is under way, or after the end of its response, closes
   the connection: it may be the answer to somebody else's request.
2. The connection goes back to the pool only when the request has been written whole, its response has been read whole,
   and both sides allow another. In every other case it is closed, at once.
3. Every failure goes through ``fail``, and everything ends in ``_close``; both may be called at any time.
4. No timer of its own: the pool calls ``check`` every now and then.
5. On a kept connection a request waits for the end of the loop's turn. The kernel is then asked for bytes or an end of
   stream that arrived before it: they must be found first, for afterwards they would pass for its answer. A request
   that stays behind for that was never sent.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final

from sentinel_host.errors import UpstreamError, UpstreamTimeout
from sentinel_host.http import acks
from sentinel_host.http.client._pending import has_no_pending_input
from sentinel_host.http.client.chunked import MalformedBody
from sentinel_host.http.client.head import MalformedHead
from sentinel_host.http.client.reading import ReadingSide
from sentinel_host.http.client.request import UpstreamRequest
from sentinel_host.http.client.response import UpstreamResponse
from sentinel_host.http.client.states import CLOSED, HEAD, IDLE, TUNNEL, UNTIL_CLOSE
from sentinel_host.http.client.upload import Upload
from sentinel_host.http.tls.connection import TlsConnection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentinel_host.http.client.pool import UpstreamPool

_JOIN_LIMIT: Final = 16384
"""A body up to this size is copied behind its head, so that one packet and one system call carry both."""

_SALVAGE_LIMIT: Final = 65536

_LOOKS: Final = 8
"""A time-out's eighth passes in silence before the kernel is asked whether the upstream takes a body: it takes 5 µs."""


class Connection(ReadingSide):
    """An `asyncio.Protocol` in all but name, for a class that inherits from it is not compiled.

    ``used`` is true once it has served a request; ``stale`` once a used one died before a byte of the answer, and
    ``unsent`` where it died before a byte of the request."""

    __slots__ = ("_descriptor", "_held", "_tls", "_unsent", "_writable", "stale", "unsent", "used", "write_paused")

    def __init__(self, pool: UpstreamPool, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(pool, loop)
        self._unsent = 0
        self._held = b""
        self._descriptor = -1
        self._tls: TlsConnection | None = None
        self._writable: asyncio.Future[None] | None = None
        self.write_paused = False
        self.used = False
        self.stale = False
        self.unsent = False

    @property
    def closed(self) -> bool:
        return self._state == CLOSED

    def start(self, request: UpstreamRequest, head: bytes) -> UpstreamResponse:
        """Have the request leave; the response's ``head`` future tells when its head is there."""
        loop = self._loop
        self._state = HEAD
        self._since = loop.time()
        self._informational = 0
        self._unsent = 0
        response = self._response = UpstreamResponse(self, request, loop.create_future())
        self._held = head
        if self.used:
            self._pool.batch.add(self)
        else:
            self.flush()
        return response

    def flush(self) -> None:
        """Send the request, if it still may be."""
        head = self._held
        if not head:
            return
        response = self._response
        assert response is not None
        if self._transport.is_closing() or (self.used and not self._has_no_pending_input()):
            self._stay_behind()
            return
        self._held = b""
        body = response.request.body
        if not isinstance(body, bytes):
            self._transport.write(head)
            self._upload = Upload(self, body, response.request.content_length, self._loop)
        elif len(body) <= _JOIN_LIMIT:
            self._transport.write(head + body if body else head)
        else:
            self._transport.writelines((head, body))

    def _has_no_pending_input(self) -> bool:
        if self._tls is None:
            return has_no_pending_input(self._descriptor)
        return self._tls.has_no_pending_input()

    def write(self, parts: Iterable[bytes]) -> None:
        """Send a piece of a streamed body."""
        # Of a closing transport, writelines leaves a closed descriptor in asyncio's selector (CPython 3.12 and later).
        if self._state != CLOSED and not self._transport.is_closing():
            self._since = self._loop.time()
            self._transport.writelines(parts)

    async def drained(self) -> None:
        """Wait until a tunnel's other end takes more, or is gone."""
        while self.write_paused and self._state != CLOSED:
            self._writable = self._loop.create_future()
            await self._writable

    def write_eof(self) -> None:
        """Nothing more goes into the tunnel; what comes out of it is still read."""
        if self._state != CLOSED:
            self._transport.write_eof()

    def upload_finished(self) -> None:
        self._since = self._loop.time()

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
        if state == IDLE:
            if now - self._since >= timeouts.keepalive:
                self._close()
            return
        limit = timeouts.response if state == HEAD else timeouts.idle
        if limit is None or state in (CLOSED, TUNNEL):
            return
        upload = self._upload
        silent = now - self._since
        waits = self._read_paused or (upload is not None and not upload.done and upload.waiting_for_source)
        if waits or (silent >= limit / _LOOKS and self._still_takes()):
            self._since = now
        elif silent >= limit:
            what = "no response" if state == HEAD else "the response fell silent"
            self.fail(UpstreamTimeout(f"upstream {self._pool.target}: {what} within {limit:g} s"))

    def _still_takes(self) -> bool:
        """Whether the upstream has taken something of the request's body since this was last asked.

        A slow one may take minutes for what is on its way in the transport's and the kernel's buffers: that is
        progress, though no event tells of it.
        """
        response = self._response
        if self._upload is None:
            body = b"" if response is None else response.request.body
            if not isinstance(body, bytes) or len(body) <= _JOIN_LIMIT:
                return False
        before, self._unsent = self._unsent, acks.unsent(self._transport)
        return self._unsent < before

    # asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._descriptor = transport.get_extra_info("socket").fileno()
        self._tls = transport if isinstance(transport, TlsConnection) else None

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
        if state == CLOSED:
            return
        if state == IDLE:
            self._close()
            return
        if self._held:
            self._stay_behind()
            return
        try:
            if state == HEAD:
                over = self._head_received(data)
            else:
                self._since = self._loop.time()
                over = self._body_received(data)
        except (MalformedHead, MalformedBody) as error:
            self._break_off(str(error), "malformed")
            return
        if over:
            self._finish()

    def eof_received(self) -> bool:
        if self._state == TUNNEL:
            assert self._response is not None
            self._response.end()
            return True
        # Not left to the transport, which would first wait for an upstream that has left to take what is unsent.
        self.connection_lost(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._held:
            self._stay_behind()
            return
        if self._state == HEAD and exc is not None and self._tls is None:
            self._salvage()
        state = self._state
        if (state == UNTIL_CLOSE or (state == TUNNEL and self._response is not None)) and exc is None:
            self._keep_alive = False
            self._finish()
        elif state == HEAD:
            self.stale = self.used and self._head is None and not self._informational
            self._break_off("the connection closed before a response came")
        elif state == IDLE:
            self._close()
        elif state != CLOSED:
            self._break_off("the response broke off")

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
            self._state = IDLE
            self.used = True
            response.finish()
            self._pool.release(self)
        else:
            response.finish()
            self._close()

    def _salvage(self) -> None:
        """Read what the upstream said before it closed.

        One that refuses a body answers and closes; our next write then fails, and the event loop gives the
        connection up with that answer unread. The socket is still open here, and ours. TLS does it by itself.
        """
        try:
            data = os.read(self._descriptor, _SALVAGE_LIMIT)
        except OSError:
            return
        if data:
            self.data_received(data)

    def _stay_behind(self) -> None:
        self.unsent = True
        self._break_off("the connection closed before the request was sent")

    def _break_off(self, reason: str, kind: str = "reset") -> None:
        self.fail(UpstreamError(f"upstream {self._pool.target}: {reason}", kind))

    def _close(self) -> None:
        if self._state == CLOSED:
            return
        was_idle = self._state == IDLE
        self._state = CLOSED
        self._response = None
        self._head = None
        self._held = b""
        self._decoder = None
        if self._upload is not None:
            self._upload.cancel()
            self._upload = None
        self._pool.forget(self, was_idle=was_idle)
        self._wake_writer()
        if self._transport is not None:
            self._transport.abort()
