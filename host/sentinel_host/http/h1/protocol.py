"""One HTTP/1.1 connection: bytes to requests, in order, one at a time.

Rule 1: One request is served at a time. What a client sends ahead stays bytes in `_buffer`, bounded by pausing the
        transport; no second request is parsed before the first is answered.
Rule 2: What a request's bytes are is decided here; its body is `reading`'s affair, and how the connection goes on after
        it `ending`'s.
Rule 3: One task serves all requests of a connection, and waits between them: to make one takes longer than to parse a
        head. It begins with the first request. What a request did to it is not the next one's affair: a task that was
        cancelled, is to be, or has other context variables than before is left, and the next request begins a new one.
"""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from math import inf
from typing import Any, Final, cast

from sentinel_host.errors import ClientError
from sentinel_host.fields import read_head
from sentinel_host.http.h1.bodies import ChunkDecoder, LengthDecoder
from sentinel_host.http.h1.ending import RECENT, EndingSide
from sentinel_host.http.h1.exchange import Exchange
from sentinel_host.http.h1.head import CHUNKED, as_http11, refusal
from sentinel_host.http.h1.llhttp import RequestHead
from sentinel_host.http.h1.states import BODY_NEXT, HEAD_NEXT, IGNORED, REQUEST_NEXT, TUNNEL_NEXT
from sentinel_host.http.methods import METHODS
from sentinel_host.http.server.connections import Connections, Listener
from sentinel_host.http.server.limits import LimitExceeded
from sentinel_host.http.server.phases import DONE
from sentinel_host.http.server.scope import ScopeBuilder

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# How many connections beyond a limit are told so at one time; a flood is cut off without a word.
_MAX_REFUSALS: Final = 100


class Http1Protocol(EndingSide):
    """Serves one connection; made by the accept loop for each, with what its listener and its worker share."""

    __slots__ = (
        "_called",
        "_extensions",
        "_listener",
        "_refused",
        "_scopes",
        "_skipped_line",
        "_task",
        "app",
    )

    def __init__(self, listener: Listener, extensions: dict[str, dict[str, Any]], connections: Connections) -> None:
        super().__init__(connections)
        self.app = listener.app
        self._listener = listener
        self._extensions = extensions
        self._requests = 0
        self._refused = self._skipped_line = False
        self._task: asyncio.Task[None] | None = None
        # What the task waits for between two requests.
        self._called: asyncio.Future[None] | None = None

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted, and through with the handshake where there is one."""
        self.transport = cast(asyncio.Transport, transport)
        self.writer.attach(transport)
        self._scopes = ScopeBuilder.of(transport)
        connections = self.connections
        exceeded = connections.admit(self._scopes.client_host)
        connections.active.add(self)
        tls = transport.get_extra_info("ssl_object")
        http2 = tls is not None and tls.selected_alpn_protocol() == "h2"
        if exceeded is not None:
            self._refused = True
            connections.refused += 1
            if http2 or connections.refused > _MAX_REFUSALS:
                connections.hit(exceeded)
                self.abort()
            else:
                self._refuse(LimitExceeded(exceeded, "too many connections", 503))
        elif http2:
            self._upgrade_to_http2(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """Both directions are gone: an application that still answers is cancelled."""
        self.writer.lose()
        connections = self.connections
        connections.active.discard(self)
        connections.refused -= self._refused
        connections.release(self._scopes.client_host)
        task = self._task
        if task is None:
            return
        connections.keep(task)
        exchange = self._exchange
        if exchange is None:
            self._call()
            return
        exchange.wake()
        if exchange.phase != DONE or self._reading == TUNNEL_NEXT:
            task.cancel()
            # One that is cancelled before its first step never runs, not even to let go of these.
            self._task = self._exchange = None

    def pause_writing(self) -> None:
        """The transport holds more than its high-water mark."""
        self.writer.pause()

    def resume_writing(self) -> None:
        """The transport is below its low-water mark."""
        self.writer.resume()

    def _upgrade_to_http2(self, data: bytes) -> None:
        """Give the transport to HTTP/2. The connection stays counted: its new protocol calls `Connections.release`."""
        self.connections.active.discard(self)
        self._reading = IGNORED
        assert self._listener.upgrade_to_http2 is not None
        self._listener.upgrade_to_http2(self.transport, data)

    # Heads.

    def data_received(self, data: bytes) -> None:
        """Bytes, cut anywhere."""
        reading = self._reading
        if reading == HEAD_NEXT:
            if self._buffer:
                data = self._buffer + data
                self._buffer = b""
            self._take_head(data)
        elif reading == BODY_NEXT:
            self._take_body(data)
        elif reading == TUNNEL_NEXT:
            self._pass(data)
        elif reading == REQUEST_NEXT:
            self._buffer += data
            limits = self.connections.limits
            if len(self._buffer) > limits.body_buffer or self._buffer.count(b"\r\n\r\n") >= limits.pipelined_requests:
                self.connections.hit("pipelined_requests")
                self._pause()

    def _take_head(self, data: bytes) -> None:
        limits = self.connections.limits
        found = read_head(data, limits.head_bytes, limits.header_count)
        if found is not None:
            end, name, http11 = found
            method = METHODS.get(name)
            if method is not None:
                if end == len(data):
                    self._request(data, method, http11, b"")
                else:
                    self._request(data[:end], method, http11, data[end:])
                return
        self._take_odd_head(data)

    def _take_odd_head(self, data: bytes) -> None:
        """A head that is incomplete, preceded by an empty line, of another version, HTTP/2's preface, or refused."""
        limits = self.connections.limits
        if not self._requests and self._listener.upgrade_to_http2 and _PREFACE.startswith(data[: len(_PREFACE)]):
            if len(data) >= len(_PREFACE):
                self._upgrade_to_http2(data)
                return
        elif data[:2] == b"\r\n" and not self._skipped_line:
            self._skipped_line = True
            if len(data) > 2:
                self._take_head(data[2:])
                return
            data = b""
        elif data != b"\r" or self._skipped_line:
            known = as_http11(data)
            if known is not None:
                self._take_head(known)
                return
            error = refusal(data, limits.head_bytes, limits.header_count)
            if error is not None:
                self._refuse(error)
                return
        # The head's time runs from its first byte; later ones find a deadline that is nearer already.
        self.read_deadline = min(self.read_deadline, self.loop.time() + limits.head_time)
        self._buffer = data
        self._want_more()

    def _request(self, data: bytes, method: str, http11: bool, rest: bytes) -> None:
        connections = self.connections
        limits = connections.limits
        try:
            head = RequestHead(data, http11)
        except ClientError as error:
            self._refuse(error)
            return
        length = head.length
        if limits.body_bytes is not None and length > limits.body_bytes:
            self._refuse(LimitExceeded("body_bytes", "request body too large", 413))
            return
        connections.requests += 1
        self._requests += 1
        if self._requests >= limits.requests_per_connection:
            connections.hit("requests_per_connection")
            head.close = True
        self._closing = head.close or connections.closing
        self._skipped_line = False
        listener = self._listener
        extensions = listener.upgrading(head.upgrade, required=False) if head.upgrade else self._extensions
        scope = self._scopes.request(
            listener, "1.1" if http11 else "1.0", method, head.target, head.headers, extensions
        )
        self._exchange = exchange = Exchange(self, scope, http11, length != 0, head.expects)
        if length:
            self._body = ChunkDecoder(limits.body_bytes) if length == CHUNKED else LengthDecoder(length)
            self._begin_body(exchange, rest)
        else:
            self.read_deadline = inf
            self._reading = REQUEST_NEXT
            self._buffer = rest
        if self._eof:
            self._watch_half_closed()
        if self._task is None:
            self._begin(copy_context())
        else:
            self._call()

    # Requests.

    def _begin(self, context: Context) -> None:
        # Past the loop's `create_task`: to number every task in its name takes as long as to make it.
        self._task = asyncio.Task(self._serve(), loop=self.loop, name="requests", context=context)

    def _call(self) -> None:
        called = self._called
        if called is not None and not called.done():
            called.set_result(None)

    async def _serve(self) -> None:
        """The task: a request, and all that come after it."""
        context = copy_context()
        try:
            while not self.writer.lost:
                exchange = self._exchange
                assert exchange is not None
                try:
                    await self.app(exchange.scope, exchange.receive, exchange.send)
                    exchange.returned()
                except Exception:
                    exchange.failed()
                finally:
                    self.finished(exchange)
                # An idle connection keeps nothing of its last request.
                del exchange
                task = self._task
                if self.writer.lost or self._reading == IGNORED or task is None:
                    return
                if task.cancelling() or copy_context() != context:
                    return
                del task
                if self._exchange is None:
                    self._called = self.loop.create_future()
                    await self._called
                else:
                    # Who sends many requests at once still leaves the loop to others between them.
                    await asyncio.sleep(0)
        finally:
            self._task = None
            if self._exchange is not None and not self.writer.lost:
                self._begin(context)

    def _next(self) -> None:
        data = self._buffer
        self._buffer = b""
        self._reading = HEAD_NEXT
        self._idle_since = self.loop.time()
        # A shutdown may have begun since the head of the response went out, and the client could not be told.
        wait = RECENT if self.connections.closing else self.connections.limits.keep_alive_idle
        self.read_deadline = self._idle_since + wait
        if data:
            self._take_head(data)
        else:
            self._want_more()
        if self._reading == HEAD_NEXT and self._eof:
            if self._buffer:
                self._head_cut_off()
            else:
                self._shut()
