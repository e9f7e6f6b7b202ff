"""One HTTP/1.1 connection: bytes to requests, in order, one at a time.

Rule 1: One request is served at a time. What a client sends ahead stays bytes in `_buffer`, bounded by pausing the transport;
        no second request is parsed before the first is answered.
Rule 2: Only this module decides how a connection goes on: next request, drain, linger, close or reset.
Rule 3: Every state in which the client is to do something has a deadline. Deadlines are numbers that `Connections` compares
        in one sweep; there are no timers here.
Rule 4: After a refusal no further byte is interpreted.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from enum import Enum, auto
from math import inf
from typing import Any, Final, cast
from urllib.parse import unquote

import httptools

from sentinel_host.errors import ClientError
from sentinel_host.http.lane.chunked import ChunkDecoder
from sentinel_host.http.lane.connections import Connections, Listener
from sentinel_host.http.lane.exchange import DONE, UNTIL_CLOSE, Exchange, Phase
from sentinel_host.http.lane.head import CHUNKED, FRAMING_FIELDS, HEAD, METHODS, framing, refusal
from sentinel_host.http.lane.response import plain_response, refusal_response

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}
_RESET: Final = struct.pack("ii", 1, 0)
# A connection used this recently may have its next request on the way when the worker shuts down.
_RECENT: Final = 0.25


class Reading(Enum):
    """What the next bytes are."""

    HEAD = auto()
    LENGTH = auto()
    CHUNKS = auto()
    NEXT = auto()
    IGNORED = auto()


_HEAD, _LENGTH, _CHUNKS, _NEXT, _IGNORED = Reading


class LaneProtocol(asyncio.Protocol):
    """Serves one connection; made by the accept loop for each, with what its listener and its worker share."""

    __slots__ = (
        "_body_ends", "_body_size", "_buffer", "_client", "_close", "_closing", "_credit", "_decoder", "_drain_left", "_drain_waiters",
        "_eof", "_exchange", "_extensions", "_fields", "_headers", "_listener", "_parser", "_read_paused", "_reading", "_remaining",
        "_requests", "_scheme", "_server", "_skipped_line", "_target", "_unsent", "app", "client_host", "connections", "loop", "lost", "read_deadline",
        "tls", "transport", "write_deadline", "write_paused",
    )  # fmt: skip

    transport: asyncio.Transport
    # The peer's address, as connections per client are counted; None on a Unix socket.
    client_host: str | None
    _client: tuple[Any, ...] | None

    def __init__(self, listener: Listener, extensions: dict[str, dict[str, Any]], connections: Connections) -> None:
        self.app = listener.app
        self.connections = connections
        self.loop = connections.loop
        self.lost = False
        self.tls = False
        self.write_paused = False
        self.read_deadline = self.loop.time() + connections.limits.head_time
        self.write_deadline = inf
        self._listener = listener
        self._extensions = extensions
        self._parser: httptools.HttpRequestParser | None = None
        self._reading = _HEAD
        self._buffer = b""
        self._exchange: Exchange | None = None
        self._requests = 0
        self._close = self._closing = self._eof = self._read_paused = self._skipped_line = False
        self._drain_waiters: list[asyncio.Future[None]] = []
        self._unsent = 0

    # The connection's life.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
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
            connections.hit(exceeded)
            if http2:
                self.abort()
            else:
                self._refuse(ClientError("too many connections", 503))
        elif http2:
            self._hand_over(b"")
        else:
            self._parser = httptools.HttpRequestParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.write_paused = False
        self._parser = None
        self.connections.lanes.discard(self)
        self.connections.release(self.client_host)
        self._wake_writers()
        exchange = self._exchange
        if exchange is not None:
            exchange.wake()
            if exchange.phase is not DONE:
                exchange.task.cancel()

    def _hand_over(self, data: bytes) -> None:
        """Give the transport to HTTP/2. The connection stays counted: who takes it calls `Connections.release`."""
        self.connections.lanes.discard(self)
        self._parser = None
        self._reading = _IGNORED
        assert self._listener.hand_over is not None
        self._listener.hand_over(self, data)

    # Reading.

    def data_received(self, data: bytes) -> None:
        reading = self._reading
        if reading is _HEAD:
            if self._buffer:
                data = self._buffer + data
                self._buffer = b""
            self._take_head(data)
        elif reading is _LENGTH:
            self._take_length(data)
        elif reading is _CHUNKS:
            self._take_chunks(data)
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
        if not self._requests and self._listener.hand_over is not None and _PREFACE.startswith(data[: len(_PREFACE)]):
            if len(data) >= len(_PREFACE):
                self._hand_over(data)
                return
        elif data[:2] == b"\r\n" and not self._skipped_line:
            self._skipped_line = True
            if len(data) > 2:
                self._take_head(data[2:])
                return
            data = b""
        elif data != b"\r":
            limits = self.connections.limits
            error = refusal(data, limits.head_bytes, limits.header_count)
            if error is not None:
                self._refuse(error)
                return
        # The head's time runs from its first byte; later ones find a deadline that is nearer already.
        self.read_deadline = min(self.read_deadline, self.loop.time() + self.connections.limits.head_time)
        self._buffer = data
        self._want_more()

    def on_url(self, url: bytes) -> None:
        """llhttp's: the request target."""
        self._target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        """llhttp's: one field; it leaves white space after the value."""
        name = name.lower()
        field = (name, value.strip())
        self._headers.append(field)
        if name in FRAMING_FIELDS:
            self._fields.append(field)

    def _request(self, head: bytes, method: str, http11: bool, rest: bytes) -> None:
        headers: list[tuple[bytes, bytes]] = []
        fields: list[tuple[bytes, bytes]] = []
        self._headers = headers
        self._fields = fields
        parser = self._parser
        assert parser is not None
        connections = self.connections
        limits = connections.limits
        try:
            try:
                parser.feed_data(head)
            except httptools.HttpParserUpgrade:
                # The seam for tunnels: an upgrade is an ordinary request until an application takes the connection over.
                self._parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserError as error:
                raise refusal(head, limits.head_bytes, limits.header_count) or ClientError(
                    f"malformed: {error}"
                ) from error
            length, close, expects = framing(fields, http11)
        except ClientError as error:
            self._refuse(error)
            return
        if limits.body_bytes is not None and length > limits.body_bytes:
            connections.hit("body_bytes")
            self._refuse(ClientError("request body too large", 413))
            return
        connections.requests += 1
        self._requests += 1
        if self._requests >= limits.requests_per_connection:
            connections.hit("requests_per_connection")
            close = True
        self._close = close or connections.closing
        self._skipped_line = False
        target = self._target
        raw_path, _, query = target.partition(b"?")
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
            "headers": headers,
            "client": self._client,
            "server": self._server,
            "state": self._listener.state.copy(),
            "extensions": self._extensions,
        }
        self._exchange = exchange = Exchange(self, scope, http11, length != 0, expects)
        if length:
            # llhttp saw the head only: it would wait for the body that is counted here.
            self._parser = httptools.HttpRequestParser(self)
            self._begin_body(length, expects, rest)
        else:
            self.read_deadline = inf
            self._reading = _NEXT
            self._buffer = rest
        exchange.task = self.loop.create_task(exchange.run())

    def _begin_body(self, length: int, expects: bool, rest: bytes) -> None:
        limits = self.connections.limits
        self._body_ends = inf if limits.body_time is None else self.loop.time() + limits.body_time
        self._credit = 0
        if expects and not rest:
            self.read_deadline = self._body_ends
        else:
            self._restart_body_clock()
        if length == CHUNKED:
            self._reading = _CHUNKS
            self._decoder = ChunkDecoder()
            self._body_size = 0
            if rest:
                self._take_chunks(rest)
        else:
            self._reading = _LENGTH
            self._remaining = length
            if rest:
                self._take_length(rest)
        if not rest:
            self._want_more()

    def _take_length(self, data: bytes) -> None:
        rest = b""
        if len(data) > self._remaining:
            rest = data[self._remaining :]
            data = data[: self._remaining]
        self._remaining -= len(data)
        self._pass_on(data, not self._remaining, rest)

    def _take_chunks(self, data: bytes) -> None:
        decoder = self._decoder
        limit = self.connections.limits.body_bytes
        received = len(data)
        try:
            data = decoder.feed(data)
            self._body_size += len(data)
            if limit is not None and self._body_size > limit:
                self.connections.hit("body_bytes")
                raise ClientError("request body too large", 413)
        except ClientError as error:
            self._body_failed(error)
            return
        if decoder.trailers and self._exchange is not None:
            self._exchange.trailers = decoder.trailers
        self._pass_on(data, decoder.done, decoder.rest, received)

    def _pass_on(self, data: bytes, last: bool, rest: bytes, received: int = 0) -> None:
        """Body bytes to the exchange, or nowhere once the response is complete; then what the next bytes are."""
        exchange = self._exchange
        held = 0
        if exchange is None or exchange.phase is DONE:
            self._drain_left -= received or len(data)
        else:
            exchange.expects = False
            exchange.complete = last
            if data:
                held = exchange.push(data)
            elif last:
                exchange.wake()
        if last:
            self.read_deadline = inf
            self._reading = _NEXT
            self._buffer = rest
            if exchange is None:
                self._next()
        elif exchange is None:
            if self._drain_left < 0:
                self._linger()
        elif held > self.connections.limits.body_buffer:
            self._pause()
            self.read_deadline = self._body_ends
        else:
            self._credit += received or len(data)
            if self._credit >= self.connections.limits.body_progress:
                self._restart_body_clock()

    def _body_failed(self, error: ClientError) -> None:
        self._close = True
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
        """The application read a piece of the body: resume the transport when half of what may be held is free."""
        if (
            self._read_paused
            and held <= self.connections.limits.body_buffer // 2
            and self._reading in (_LENGTH, _CHUNKS)
        ):
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
        if self._reading is _HEAD:
            if self._buffer:
                self._refuse(ClientError("request head ended early"))
            return False
        if self._reading is _IGNORED:
            return self._exchange is not None
        if self._reading is not _NEXT:
            if self._exchange is None:
                return False
            self._body_failed(ClientError("request body ended early"))
        self.read_deadline = self.loop.time() + self.connections.limits.half_closed
        return True

    # Writing.

    def pause_writing(self) -> None:
        self.write_paused = True
        self._unsent = self.transport.get_write_buffer_size()
        self.write_deadline = self.loop.time() + self.connections.limits.write_stalled

    def resume_writing(self) -> None:
        self.write_paused = False
        self.write_deadline = inf
        self._wake_writers()

    async def drained(self) -> None:
        """Wait until the transport takes more; returns at once when the client is gone, for the next `send` to tell."""
        waiter = self.loop.create_future()
        self._drain_waiters.append(waiter)
        await waiter

    def _wake_writers(self) -> None:
        for waiter in self._drain_waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._drain_waiters.clear()

    def closes_after(self, exchange: Exchange, asked: bool, more: bool) -> bool:
        """Whether the connection ends with this response, as far as it is known when its head is written."""
        if asked or self.connections.closing:
            self._close = True
        elif not exchange.complete and (exchange.expects or (not more and not self._drainable())):
            self._close = True
        return self._close

    def answer_failure(self, exchange: Exchange, status: int, reason: str) -> None:
        """The application did not complete its response: say so while there is no head, or end what was begun."""
        self._close = True
        if exchange.phase in (Phase.BEFORE_HEAD, Phase.HEAD_HELD) and not self.lost:
            self.transport.write(plain_response(status, reason, self.connections.date))
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
        elif self._close:
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
        """Whether the rest of an unwanted body is worth reading to keep the connection."""
        return self._reading is _NEXT or (
            self._reading is _LENGTH and self._remaining <= self.connections.limits.drain_bytes and not self._eof
        )

    def _next(self) -> None:
        data = self._buffer
        self._buffer = b""
        self._reading = _HEAD
        self.read_deadline = self.loop.time() + self.connections.limits.keep_alive_idle
        if data:
            self._take_head(data)
        else:
            self._want_more()
        if self._reading is _HEAD and (self._eof or self.connections.closing and not self._buffer):
            self._shut()

    # The end.

    def _refuse(self, error: ClientError) -> None:
        connections = self.connections
        if error.status == 431 or error.status == 414:
            connections.hit("header_count" if "fields" in str(error) else "head_bytes")
        elif error.status in (400, 417, 501, 505):
            connections.hit("refused")
        self.transport.write(refusal_response(error, connections.date))
        self._linger()

    def _shut(self) -> None:
        """Close once what was written is sent; a client that does not read meets the write deadline."""
        self._closing = True
        self._reading = _IGNORED
        self._unsent = self.transport.get_write_buffer_size()
        self.read_deadline = inf
        self.write_deadline = self.loop.time() + self.connections.limits.write_stalled
        self.transport.close()

    def _linger(self) -> None:
        """Let the client read the answer before unread bytes of its own turn the close into a reset (RFC 9112 9.6)."""
        self._reading = _IGNORED
        self._buffer = b""
        if self._eof:
            self._shut()
            return
        self.read_deadline = self.loop.time() + self.connections.limits.linger
        self._want_more()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _reset(self) -> None:
        """End so that the client sees it was no regular end."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None and not self.tls:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def abort(self) -> None:
        """End at once: grace is over, or the client does not do its part."""
        self.transport.abort()

    def wind_down(self) -> None:
        """The worker is shutting down: close after this response, or now if nothing is on its way."""
        self._close = True
        idle_since = self.read_deadline - self.connections.limits.keep_alive_idle
        if self._requests and self.loop.time() - idle_since > _RECENT:
            self.close_if_idle()

    def close_if_idle(self) -> None:
        """Close unless a request is being read or answered."""
        if self._exchange is None and self._reading is _HEAD and not self._buffer:
            self._shut()

    def expire(self, now: float) -> None:
        """A deadline passed."""
        limits = self.connections.limits
        if self.write_deadline <= now:
            unsent = self.transport.get_write_buffer_size()
            if unsent < self._unsent:
                self._unsent = unsent
                self.write_deadline = now + limits.write_stalled
            else:
                self.connections.hit("write_stalled")
                self.abort()
                return
        if self.read_deadline > now:
            return
        exchange = self._exchange
        if self._eof and exchange is not None:
            if exchange.wrote:
                exchange.wrote = False
                self.read_deadline = now + limits.half_closed
            else:
                self.connections.hit("half_closed")
                self.abort()
        elif self._reading is _HEAD:
            self._expire_head()
        elif exchange is None:
            self.abort()
        else:
            self.connections.hit("body_time" if self._body_ends <= now else "body_idle")
            self._body_failed(ClientError("request body too slow", 408))

    def _expire_head(self) -> None:
        if self._buffer:
            self.connections.hit("head_time")
            self._refuse(ClientError("request head too slow", 408))
        else:
            self.connections.hit("keep_alive_idle" if self._requests else "head_time")
            self._shut()
