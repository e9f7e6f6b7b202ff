"""The reading half of a connection: what the next bytes are, a request's body, and the client that sends too slowly.

Rule 1: A body that nobody reads stays in the client: the transport pauses when the application falls behind.
Rule 2: Every state in which the client is to do something has a deadline. Deadlines are numbers that `Connections`
        compares in one sweep; there are no timers here.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Final

from sentinel_host.errors import ClientError
from sentinel_host.http.h1.bodies import ChunkDecoder, LengthDecoder
from sentinel_host.http.h1.exchange import Exchange
from sentinel_host.http.h1.states import BODY_NEXT, HEAD_NEXT, IGNORED, REQUEST_NEXT, TUNNEL_NEXT
from sentinel_host.http.server.connections import Connections
from sentinel_host.http.server.limits import limit_of
from sentinel_host.http.server.phases import DONE
from sentinel_host.http.server.writer import Writer

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class ReadingSide:
    """Feeds the bytes of bodies to the exchange under way; how the connection goes on is for its heirs to say."""

    __slots__ = (
        "_body",
        "_body_ends",
        "_buffer",
        "_closing",
        "_credit",
        "_drain_left",
        "_eof",
        "_exchange",
        "_idle_since",
        "_read_paused",
        "_reading",
        "connections",
        "loop",
        "read_deadline",
        "transport",
        "writer",
    )

    transport: asyncio.Transport
    _body: LengthDecoder | ChunkDecoder

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.loop = connections.loop
        self.writer = Writer(connections)
        self._idle_since = self.loop.time()
        self.read_deadline = self._idle_since + connections.limits.head_time
        self._reading = HEAD_NEXT
        self._buffer = b""
        self._exchange: Exchange | None = None
        self._drain_left = 0
        self._body_ends = inf
        self._closing = self._eof = self._read_paused = False

    def _next(self) -> None:
        raise NotImplementedError

    def _refuse(self, error: ClientError) -> None:
        raise NotImplementedError

    def _linger(self) -> None:
        raise NotImplementedError

    def _shut(self) -> None:
        raise NotImplementedError

    def _begin_body(self, exchange: Exchange, rest: bytes) -> None:
        limits = self.connections.limits
        self._reading = BODY_NEXT
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
        if self._eof and self._reading == BODY_NEXT:
            # It was sent ahead, and so was its end of stream: nothing more will come.
            self._body_cut_off()

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
        if exchange is None or exchange.phase == DONE:
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
            self._reading = REQUEST_NEXT
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
        self.connections.hit(limit_of(error))
        self._closing = True
        self._reading = IGNORED
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
        if not self._read_paused:
            return
        if self._reading == TUNNEL_NEXT and held <= self.connections.limits.body_buffer // 2:
            self._want_more()
        elif self._reading == BODY_NEXT and held <= self.connections.limits.body_buffer // 2:
            self._restart_body_clock()
            self._want_more()

    def send_continue(self, exchange: Exchange) -> None:
        """The application wants the body that the client holds back (RFC 9110 10.1.1)."""
        exchange.expects = False
        self.writer.write(_CONTINUE)
        self._restart_body_clock()

    # Tunnels.

    def open_tunnel(self, exchange: Exchange) -> None:
        """The connection's bytes are another protocol's from here on."""
        self._reading = TUNNEL_NEXT
        self._closing = True
        rest, self._buffer = self._buffer, b""
        self.read_deadline = self.loop.time() + self.connections.limits.tunnel_idle
        self._want_more()
        if rest:
            self._pass(rest)
        if self._eof:
            exchange.complete = True

    def _pass(self, data: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        exchange.wrote = True
        if exchange.push(data) > self.connections.limits.body_buffer:
            self._pause()

    def end_writing(self) -> None:
        """The tunnel's other side has ended; the client may still send."""
        self.writer.end()

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
            if self._reading == HEAD_NEXT and self._buffer:
                self._head_cut_off()
            # What was answered may still wait for the end of this turn, or for the client to read it.
            self._shut()
            return True
        if self._reading == TUNNEL_NEXT:
            exchange.complete = True
            exchange.wake()
            return True
        if self._reading == BODY_NEXT:
            self._body_cut_off()
        self._watch_half_closed()
        return True

    def _head_cut_off(self) -> None:
        self._refuse(ClientError("request head ended early"))

    def _body_cut_off(self) -> None:
        self._body_failed(ClientError("request body ended early"))

    def _watch_half_closed(self) -> None:
        self.read_deadline = self.loop.time() + self.connections.limits.half_closed

    def _drainable(self) -> bool:
        """Whether the rest of a body that nobody reads is worth the wait to keep the connection."""
        return (
            not self._eof and self._reading == BODY_NEXT and self._body.remaining <= self.connections.limits.drain_bytes
        )
