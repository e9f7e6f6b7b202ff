"""One HTTP/1.1 connection: bytes to requests, in order, one at a time.

Rule 1: One request is served at a time. What a client sends ahead stays bytes in `_buffer`, bounded by pausing the
        transport; no second request is parsed before the first is answered.
Rule 2: Only this module decides how a connection goes on: next request, drain, linger, close or reset.
Rule 3: Every state in which the client is to do something has a deadline. Deadlines are numbers that `Connections`
        compares in one sweep; there are no timers here.
Rule 4: After a refusal no further byte is interpreted.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from math import inf
from typing import Any, Final, cast
from urllib.parse import unquote

from sentinel_host.errors import ClientError
from sentinel_host.http.lane.bodies import ChunkDecoder, LengthDecoder
from sentinel_host.http.lane.connections import Connections, Listener
from sentinel_host.http.lane.exchange import DONE, UNTIL_CLOSE, Exchange, Phase
from sentinel_host.http.lane.head import CHUNKED, HEAD, METHODS, refusal
from sentinel_host.http.lane.limits import LimitExceeded
from sentinel_host.http.lane.llhttp import RequestHead
from sentinel_host.http.lane.response import plain_response
from sentinel_host.http.lane.writing import WritingSide

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}
# A connection used this recently may have its next request on the way when the worker shuts down.
_RECENT: Final = 0.25
# How many connections beyond a limit are told so at one time; a flood is cut off without a word.
_MAX_COURTESY: Final = 100


class Reading(Enum):
    """What the next bytes are."""

    HEAD = auto()
    BODY = auto()
    NEXT_REQUEST = auto()
    IGNORED = auto()


# Module constants: an attribute of an enum class costs two look-ups each time.
_HEAD, _BODY, _NEXT, _IGNORED = Reading


class LaneProtocol(WritingSide):
    """Serves one connection; made by the accept loop for each, with what its listener and its worker share."""

    __slots__ = (
        "_body",
        "_body_ends",
        "_buffer",
        "_client",
        "_closing",
        "_credit",
        "_drain_left",
        "_eof",
        "_exchange",
        "_extensions",
        "_listener",
        "_read_paused",
        "_reading",
        "_refused",
        "_requests",
        "_scheme",
        "_server",
        "_skipped_line",
        "app",
        "client_host",
        "read_deadline",
    )

    # The peer's address, as connections per client are counted; None on a Unix socket.
    client_host: str | None
    _client: tuple[Any, ...] | None
    _body: LengthDecoder | ChunkDecoder

    def __init__(self, listener: Listener, extensions: dict[str, dict[str, Any]], connections: Connections) -> None:
        super().__init__(connections)
        self.app = listener.app
        self.read_deadline = self.loop.time() + connections.limits.head_time
        self._listener = listener
        self._extensions = extensions
        self._reading = _HEAD
        self._buffer = b""
        self._exchange: Exchange | None = None
        self._requests = 0
        self._drain_left = 0
        self._body_ends = inf
        self._closing = self._eof = self._read_paused = self._refused = self._skipped_line = False

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted, and through with the handshake where there is one."""
        self.transport = cast(asyncio.Transport, transport)
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if type(peer) is tuple:
            self.client_host = peer[0]
            self._client, self._server = peer[:2], own[:2]
        else:
            self.client_host = self._client = None
            self._server = (own, None)
        tls = transport.get_extra_info("ssl_object")
        self.tls = tls is not None
        self._scheme = "https" if self.tls else "http"
        connections = self.connections
        exceeded = connections.admit(self.client_host)
        connections.lanes.add(self)
        http2 = tls is not None and tls.selected_alpn_protocol() == "h2"
        if exceeded is not None:
            self._refused = True
            connections.refused += 1
            if http2 or connections.refused > _MAX_COURTESY:
                connections.hit(exceeded)
                self.abort()
            else:
                self._refuse(LimitExceeded(exceeded, "too many connections", 503))
        elif http2:
            self._hand_over(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """Both directions are gone: an application that still answers is cancelled."""
        self.lost = True
        self.write_paused = False
        connections = self.connections
        connections.lanes.discard(self)
        connections.refused -= self._refused
        connections.release(self.client_host)
        self._wake_writers()
        exchange = self._exchange
        if exchange is not None:
            connections.keep(exchange.task)
            exchange.wake()
            if exchange.phase is not DONE:
                exchange.task.cancel()

    def _hand_over(self, data: bytes) -> None:
        """Give the transport to HTTP/2. The connection stays counted: who takes it calls `Connections.release`."""
        self.connections.lanes.discard(self)
        self._reading = _IGNORED
        assert self._listener.hand_over is not None
        self._listener.hand_over(self, data)

    # Heads.

    def data_received(self, data: bytes) -> None:
        """Bytes, cut anywhere."""
        reading = self._reading
        if reading is _HEAD:
            if self._buffer:
                data = self._buffer + data
                self._buffer = b""
            self._take_head(data)
        elif reading is _BODY:
            self._take_body(data)
        elif reading is _NEXT:
            self._buffer += data
            limits = self.connections.limits
            if len(self._buffer) > limits.body_buffer or self._buffer.count(b"\r\n\r\n") >= limits.pipelined_requests:
                self.connections.hit("pipelined_requests")
                self._pause()

    def _take_head(self, data: bytes) -> None:
        limits = self.connections.limits
        end = data.find(b"\r\n\r\n") + 4
        if 3 < end <= limits.head_bytes:
            if end == len(data):
                head, rest = data, b""
            else:
                head, rest = data[:end], data[end:]
            match = HEAD.fullmatch(head)
            if match is not None:
                method = METHODS.get(match[1])
                if method is not None and head.count(b"\r\n") <= limits.header_count + 2:
                    self._request(head, method, match[3] == b"1", rest)
                    return
        self._take_odd_head(data)

    def _take_odd_head(self, data: bytes) -> None:
        """A head that is incomplete, preceded by an empty line, HTTP/2's preface, or to be refused."""
        limits = self.connections.limits
        if not self._requests and self._listener.hand_over and _PREFACE.startswith(data[: len(_PREFACE)]):
            if len(data) >= len(_PREFACE):
                self._hand_over(data)
                return
        elif data[:2] == b"\r\n" and not self._skipped_line:
            self._skipped_line = True
            if len(data) > 2:
                self._take_head(data[2:])
                return
            data = b""
        elif data != b"\r" or self._skipped_line:
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
        raw_path, _, query = head.target.partition(b"?")
        path = raw_path.decode("ascii")
        scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": "1.1" if http11 else "1.0",
            "method": method,
            "scheme": self._scheme,
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": head.headers,
            "client": self._client,
            "server": self._server,
            "state": self._listener.state.copy(),
            "extensions": self._extensions,
        }
        self._exchange = exchange = Exchange(self, scope, http11, length != 0, head.expects)
        if length:
            self._body = ChunkDecoder(limits.body_bytes) if length == CHUNKED else LengthDecoder(length)
            self._begin_body(exchange, rest)
        else:
            self.read_deadline = inf
            self._reading = _NEXT
            self._buffer = rest
        exchange.task = self.loop.create_task(exchange.run())

    # Bodies.

    def _begin_body(self, exchange: Exchange, rest: bytes) -> None:
        limits = self.connections.limits
        self._reading = _BODY
        self._body_ends = inf if limits.body_time is None else self.loop.time() + limits.body_time
        if rest:
            self._restart_body_clock()
            self._take_body(rest)
        else:
            if exchange.expects:
                # The client may wait for the application: it is not late before 100 Continue went out.
                self.read_deadline = self._body_ends
            else:
                self._restart_body_clock()
            self._want_more()

    def _take_body(self, data: bytes) -> None:
        body = self._body
        received = len(data)
        try:
            data = body.feed(data)
        except ClientError as error:
            self._body_failed(error)
            return
        exchange = self._exchange
        held = 0
        if exchange is None or exchange.phase is DONE:
            # Nobody reads the rest of a body once its response is complete.
            self._drain_left -= received
        else:
            exchange.expects = False
            exchange.complete = body.done
            exchange.trailers = body.trailers
            if data:
                held = exchange.push(data)
            elif body.done:
                exchange.wake()
        if body.done:
            self.read_deadline = inf
            self._reading = _NEXT
            self._buffer = body.rest
            if exchange is None:
                self._next()
        elif exchange is None:
            if self._drain_left < 0:
                self._linger()
        elif held > self.connections.limits.body_buffer:
            # The application is the slow one: only the body's whole time goes on.
            self.read_deadline = self._body_ends
            self._pause()
        else:
            self._credit += received
            if self._credit >= self.connections.limits.body_progress:
                self._restart_body_clock()

    def _body_failed(self, error: ClientError) -> None:
        self.connections.hit(error.limit if isinstance(error, LimitExceeded) else "refused")
        self._closing = True
        self._reading = _IGNORED
        self.read_deadline = inf
        if self._exchange is not None:
            self._exchange.fail(error)
        else:
            self._linger()

    def _restart_body_clock(self) -> None:
        self._credit = 0
        self.read_deadline = min(self.loop.time() + self.connections.limits.body_idle, self._body_ends)

    def body_taken(self, held: int) -> None:
        """The application read a piece of the body and ``held`` is left: read on when half of the buffer is free."""
        if self._read_paused and self._reading is _BODY and held <= self.connections.limits.body_buffer // 2:
            self._restart_body_clock()
            self._want_more()

    def send_continue(self, exchange: Exchange) -> None:
        """The application wants the body that the client holds back (RFC 9110 10.1.1)."""
        exchange.expects = False
        self.transport.write(_CONTINUE)
        self._restart_body_clock()

    def _pause(self) -> None:
        if not self._read_paused and not self._eof:
            self._read_paused = True
            self.transport.pause_reading()

    def _want_more(self) -> None:
        if self._read_paused:
            self._read_paused = False
            self.transport.resume_reading()

    def eof_received(self) -> bool:
        """The client shut its write side. What it asked for completely is still answered (RFC 9112 9.6)."""
        self._eof = True
        exchange = self._exchange
        if exchange is None:
            if self._reading is _HEAD and self._buffer:
                self._refuse(ClientError("request head ended early"))
            return False
        if self._reading is _BODY:
            self._body_failed(ClientError("request body ended early"))
        self.read_deadline = self.loop.time() + self.connections.limits.half_closed
        # TLS has no half-closed state that the event loops would keep.
        return not self.tls

    # The end of a response.

    def closes_after(self, exchange: Exchange, asked: bool, more: bool) -> bool:
        """Whether the connection ends with this response, as far as that is known when its head is written."""
        unread = not exchange.complete and (exchange.expects or (not more and not self._drainable()))
        if asked or unread or self.connections.closing:
            self._closing = True
        return self._closing

    def answer_failure(self, exchange: Exchange, status: int, reason: str) -> None:
        """The application did not complete its response: say so while there is no head, or end what was begun."""
        self._closing = True
        if exchange.phase in (Phase.BEFORE_HEAD, Phase.HEAD_HELD) and not self.lost:
            answer = plain_response(status, reason, self.connections.date)
            if exchange.scope["method"] == "HEAD":
                answer = answer[: answer.index(b"\r\n\r\n") + 4]
            self.transport.write(answer)
            exchange.phase = DONE

    def finished(self, exchange: Exchange) -> None:
        """The application returned: the next request, or the end."""
        self._exchange = None
        if self.lost:
            return
        if exchange.phase is not DONE:
            if exchange.framing is UNTIL_CLOSE:
                self._reset()
            else:
                self._shut()
        elif self._closing:
            if self._reading is _NEXT and not self._buffer:
                self._shut()
            else:
                self._linger()
        elif self._reading is _NEXT:
            self._next()
        elif self._drainable():
            self._drain_left = self.connections.limits.drain_bytes
            self.read_deadline = self.loop.time() + self.connections.limits.linger
            self._want_more()
        else:
            self._linger()

    def _drainable(self) -> bool:
        """Whether the rest of a body that nobody reads is worth the wait to keep the connection."""
        return not self._eof and self._reading is _BODY and self._body.remaining <= self.connections.limits.drain_bytes

    def _next(self) -> None:
        data = self._buffer
        self._buffer = b""
        self._reading = _HEAD
        self.read_deadline = self.loop.time() + self.connections.limits.keep_alive_idle
        if data:
            self._take_head(data)
        else:
            self._want_more()
        if self._reading is _HEAD and (self._eof or (self.connections.closing and not self._buffer)):
            self._shut()

    # The end of the connection.

    def _refuse(self, error: ClientError) -> None:
        """Answer without the application, and interpret nothing more of this connection."""
        self.connections.hit(error.limit if isinstance(error, LimitExceeded) else "refused")
        self.transport.write(plain_response(error.status, str(error), self.connections.date))
        self._linger()

    def _shut(self) -> None:
        self._reading = _IGNORED
        self.read_deadline = inf
        self._close()

    def _linger(self) -> None:
        """Let the client read the answer before unread bytes of its own turn the close into a reset (RFC 9112 9.6)."""
        self._reading = _IGNORED
        self._buffer = b""
        if self._eof:
            self._shut()
            return
        self.read_deadline = self.loop.time() + self.connections.limits.linger
        self._watch_unsent()
        self._want_more()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def wind_down(self) -> None:
        """The worker is shutting down: close after this response, or now if nothing is on its way."""
        self._closing = True
        idle_since = self.read_deadline - self.connections.limits.keep_alive_idle
        if self._requests and self.loop.time() - idle_since > _RECENT:
            self.close_if_idle()

    def close_if_idle(self) -> None:
        """Close unless a request is being read or answered."""
        if self._exchange is None and self._reading is _HEAD and not self._buffer:
            self._shut()

    def expire(self, now: float) -> None:
        """A deadline passed."""
        if self.write_deadline <= now:
            self._expire_writing()
            return
        if self.read_deadline > now:
            return
        exchange = self._exchange
        if self._reading is _HEAD:
            if self._buffer:
                self._refuse(LimitExceeded("head_time", "request head too slow", 408))
            else:
                self.connections.hit("keep_alive_idle" if self._requests else "head_time")
                self._shut()
        elif exchange is None:
            if self.transport.get_write_buffer_size():
                # The answer is still on its way to a slow reader, whom the write deadline watches.
                self.read_deadline = now + self.connections.limits.linger
            else:
                self._shut()
        elif self._eof:
            # What is still unsent is being read, or is the write deadline's affair.
            if exchange.wrote or self.transport.get_write_buffer_size():
                exchange.wrote = False
                self.read_deadline = now + self.connections.limits.half_closed
            else:
                self.connections.hit("half_closed")
                self.abort()
        else:
            limit = "body_time" if self._body_ends <= now else "body_idle"
            self._body_failed(LimitExceeded(limit, "request body too slow", 408))
