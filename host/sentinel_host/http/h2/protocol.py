"""Serves one HTTP/2 connection: wires its transport, the connection's core and its requests.

Rule 1: The frames that one client sends are read in turns, between which the loop serves other
        clients.
Rule 2: A throttled client, which has used up more of its budget than a client in good faith would,
        is read in deferred turns (`DeferredInput`). Its requests begin once all its input is read.
Rule 3: A graceful end sends GOAWAY twice (RFC 9113 section 6.8): first as an announcement, later
        with the last stream, so that the client knows which requests are served.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any, Final, cast

from sentinel_host.http.field_section import Malformed
from sentinel_host.http.h2 import wire
from sentinel_host.http.h2.connection import (
    DATA,
    GOAWAY,
    REQUEST,
    RESET,
    STREAM_FAULT,
    TRAILERS,
    TURN_OVER,
    Http2Connection,
)
from sentinel_host.http.h2.sink import Http2Sink
from sentinel_host.http.h2.wire import ConnectionFault, ErrorCode
from sentinel_host.http.server.budget import Budget
from sentinel_host.http.server.connections import Connections, Listener
from sentinel_host.http.server.request_streams import HEAD_LATE, IDLE, RequestStreams
from sentinel_host.http.server.scope import ScopeBuilder
from sentinel_host.http.server.writer import LEFT_TO_KERNEL, Writer

# Frames of one turn, which takes some tenths of a millisecond. A request counts as four frames, a
# header block of 16 KiB as the whole turn.
_TURN: Final = 64
# Frames of one deferred turn.
_DEFERRED_TURN: Final = 16
# As on HTTP/1: a connection used this recently may have its next request on the way when the worker
# shuts down.
_RECENT: Final = 0.25


class Http2Protocol:
    """An `asyncio.Protocol` in all but name, for a class that inherits from it is not compiled.

    Takes an HTTP/1 connection over, which has counted it, or is a transport's first protocol.
    """

    __slots__ = (
        "_batch",
        "_closing_ends",
        "_connection",
        "_connections",
        "_extensions",
        "_is_closing",
        "_listener",
        "_scopes",
        "_transport",
        "_waits",
        "requests",
        "writer",
    )

    _transport: asyncio.Transport
    _scopes: ScopeBuilder
    requests: RequestStreams

    def __init__(self, listener: Listener, extensions: dict[str, dict[str, Any]], connections: Connections) -> None:
        limits = connections.limits
        clock = connections.loop.time
        self._listener = listener
        self._extensions = extensions
        self._connections = connections
        self._batch = connections.batch
        self.writer = Writer(connections)
        self._connection = Http2Connection(
            self.writer,
            clock,
            Budget(limits.idle_frames, limits.idle_frames_per_second, clock()),
            stream_window=min(max(limits.body_buffer, 1024), wire.MAX_WINDOW),
            max_section=limits.head_bytes,
        )
        self._is_closing = self._waits = False
        self._closing_ends = inf

    # The transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the connection preface (RFC 9113 section 3.4)."""
        connections = self._connections
        limits = connections.limits
        self._transport = cast(asyncio.Transport, transport)
        self.writer.attach(transport)
        self._scopes = ScopeBuilder.of(transport)
        self.requests = RequestStreams(
            self._listener, self._extensions, connections, self._scopes, "2", self._close_now
        )
        connections.active.add(self)
        self._connection.send_preface(
            {
                wire.MAX_CONCURRENT_STREAMS: limits.streams_per_connection,
                wire.MAX_HEADER_LIST_SIZE: limits.head_bytes,
                wire.ENABLE_CONNECT_PROTOCOL: 1,
            }
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Both directions are gone: applications that still answer are cancelled."""
        self._is_closing = True
        self._connections.active.discard(self)
        self._connections.release(self._scopes.client_host)
        self.requests.cancel_all()
        self.writer.lose()

    def eof_received(self) -> bool:
        """HTTP/2 has no half-closed connections: a peer that has ended can no longer open
        windows.
        """
        self.writer.flush()
        if self.writer.unsent() <= LEFT_TO_KERNEL:
            return False
        self.requests.cancel_all()
        self._close_now()
        return True

    def pause_writing(self) -> None:
        """The transport holds more than its high-water mark."""
        self.writer.pause()

    def resume_writing(self) -> None:
        """The transport is below its low-water mark."""
        self.writer.resume()

    # Reading.

    def data_received(self, data: bytes) -> None:
        """Bytes, cut anywhere."""
        if self._is_closing:
            return
        batch = self._batch
        batch.enter()
        try:
            self._connection.feed(data)
            if not self._waits and (self._connection.is_throttled() or self._read(_TURN)):
                self._waits = True
                self._transport.pause_reading()
                self._wait()
        finally:
            batch.leave()

    def _read(self, frames: int) -> bool:
        """Look at that many frames of what has come; whether there are more."""
        requests = self.requests
        self._connection.begin_turn(frames)
        try:
            found = self._read_frames()
        except ConnectionFault as fault:
            if fault.limit:
                self._connections.hit(fault.limit)
            self._end(fault.code, str(fault))
            return False
        if self._is_closing:
            return False
        if found == TURN_OVER:
            if not self._connection.is_throttled():
                requests.begin()
            return True
        requests.begin()
        requests.watch_head(self._connection.head_is_begun)
        return False

    def _read_frames(self) -> int:
        connection = self._connection
        requests = self.requests
        while not self._is_closing:
            found = connection.read()
            if found < 0:
                return found
            number = connection.number
            if found == REQUEST:
                sink = Http2Sink(connection, connection.stream, self.writer)
                if not requests.accept(number, sink, connection.fields, connection.is_whole, connection.ended):
                    connection.debit()
                elif requests.used == self._connections.limits.requests_per_connection:
                    self._connections.hit("requests_per_connection")
                    self._send_goaway()
            elif found == RESET:
                requests.reset(number)
            elif found == STREAM_FAULT:
                requests.fail(number)
            elif found == GOAWAY:
                requests.draining = True
                if requests.is_idle:
                    self._close_now()
            else:
                self._push(found, number)
        return TURN_OVER

    def _push(self, found: int, number: int) -> None:
        connection = self._connection
        stream = self.requests.streams.get(number)
        if stream is None:
            return
        try:
            if found == DATA:
                stream.push(connection.data, connection.ended)
            elif found == TRAILERS:
                stream.push_trailers(connection.fields, connection.is_whole, connection.ended)
        except Malformed:
            connection.fault(number, ErrorCode.PROTOCOL_ERROR)
            self.requests.fail(number)

    def _wait(self) -> None:
        if self._connection.is_throttled():
            self._connections.deferred.wait(self._go_on)
        else:
            self._connections.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Begin the next turn, unless the connection has ended meanwhile."""
        frames = _DEFERRED_TURN if self._connection.is_throttled() else _TURN
        if not self._is_closing and self._read(frames):
            self._wait()
            return
        self._waits = False
        if not self._transport.is_closing():
            self._transport.resume_reading()

    # The end.

    def _end(self, code: ErrorCode, reason: str) -> None:
        """Send GOAWAY with the reason, cancel the requests, and interpret no further byte."""
        if code is not ErrorCode.NO_ERROR:
            self._connections.hit("refused")
        self._connection.send_goaway(self._connection.last, code, reason)
        self.requests.cancel_all()
        self._close_now()

    def _close_now(self) -> None:
        """Close once everything is sent. Closing with unread input would reset the connection
        before that.
        """
        self._is_closing = self.requests.is_closed = True
        self._connection.clear()
        self.writer.flush()
        self.writer.watch()
        self._closing_ends = self._connections.loop.time() + self._connections.limits.linger
        if self._transport.can_write_eof() and not self._connections.closing:
            self._transport.write_eof()
        else:
            self.writer.close()

    def _send_goaway(self) -> None:
        self.requests.draining = True
        self._connection.send_goaway(self._connection.last, ErrorCode.NO_ERROR)

    def wind_down(self) -> None:
        """The worker is shutting down: announce it, or close now if nothing is on its way."""
        if self._is_closing:
            return
        self._connection.send_goaway(wire.MAX_STREAM, ErrorCode.NO_ERROR)
        requests = self.requests
        if requests.used and self._connections.loop.time() - requests.idle_since() > _RECENT:
            self.close_if_idle()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being read or answered."""
        return self.requests.is_idle

    def close_if_idle(self) -> None:
        """Take no more requests, and close with the last."""
        if self._is_closing:
            return
        if not self.requests.draining:
            self._send_goaway()
        if self.requests.is_idle:
            self._close_now()

    def abort(self) -> None:
        """End at once: grace is over."""
        self.writer.abort()

    # Deadlines.

    def next_deadline(self) -> float:
        """The nearest of all streams' deadlines, the connection's own and the writer's."""
        return min(self._closing_ends if self._is_closing else self.requests.deadline, self.writer.deadline)

    def expire(self, now: float) -> None:
        """A deadline passed."""
        writer = self.writer
        if writer.deadline <= now:
            writer.expire(now)
        elif self._is_closing:
            if self._transport.get_write_buffer_size() or writer.unsent() > LEFT_TO_KERNEL:
                # GOAWAY is still on its way to a slow reader, which the write deadline watches.
                self._closing_ends = now + self._connections.limits.linger
                if writer.deadline == inf:
                    writer.watch()
            else:
                writer.abort()
        else:
            late = self.requests.expire(now)
            if late == HEAD_LATE:
                self._end(ErrorCode.ENHANCE_YOUR_CALM, "request head too slow")
            elif late == IDLE:
                self._end(ErrorCode.NO_ERROR, "")
