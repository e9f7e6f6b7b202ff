"""One HTTP/2 connection: streams to requests, and how it lives and ends.

Rule 1: At most `ServerLimits.streams_per_connection` requests at a time, and at most twice as many tasks: a client that
        resets what it has just asked for waits for the tasks that it left behind.
Rule 2: Deadlines are numbers that `Connections` compares in one sweep, as on the lane. `read_deadline` is the nearest
        of all streams', or earlier: it is made exact when it passes.
Rule 3: A quiet end says GOAWAY twice (RFC 9113 section 6.8): first that there will be an end, later which stream was
        the last, so that no request in flight is in doubt.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any, Final

from sentinel_host.errors import ClientError
from sentinel_host.http.h2 import wire
from sentinel_host.http.h2.hpack import Fields
from sentinel_host.http.h2.receiving import ReceivingSide
from sentinel_host.http.h2.request import Malformed, RequestHead
from sentinel_host.http.h2.response import date_field, encode_head, length_field
from sentinel_host.http.h2.stream import Stream
from sentinel_host.http.h2.wire import END_STREAM, ErrorCode
from sentinel_host.http.server.connections import TARGET_SCHEME, Connections, Listener
from sentinel_host.http.server.limits import LimitExceeded
from sentinel_host.http.server.phases import BODY, DONE
from sentinel_host.http.server.writer import LEFT_TO_KERNEL

# As on the lane: a connection used this recently may have its next request on the way when the worker shuts down.
_RECENT: Final = 0.25


class Http2Protocol(ReceivingSide):
    """Takes a connection over from the lane, or is a transport's first protocol."""

    version = "2"
    """What applications see; HTTP/3 brings its own frames to the same streams."""

    __slots__ = (
        "_going",
        "_idle_ends",
        "_listener",
        "_running",
        "_unbegun",
        "_used",
        "app",
        "extensions",
        "read_deadline",
    )

    def __init__(self, listener: Listener, extensions: dict[str, dict[str, Any]], connections: Connections) -> None:
        super().__init__(connections)
        self.app = listener.app
        self.extensions = extensions
        self._listener = listener
        self._running: set[Stream] = set()
        self._unbegun: dict[Stream, None] = {}
        self._going = False
        self._used = 0
        self._idle_ends = self.read_deadline = self.loop.time() + connections.limits.head_time

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Counted already by the lane, which handed the transport over."""
        self.attach(transport)
        self.connections.active.add(self)
        self.greet()

    def connection_lost(self, exc: Exception | None) -> None:
        """Both directions are gone: applications that still answer are cancelled."""
        self.lost = True
        self.write_paused = False
        connections = self.connections
        connections.active.discard(self)
        connections.release(self.client_host)
        self._leave_all()
        self._wake_writers()
        self._end_turns()

    def _leave_all(self) -> None:
        self._ignoring = True
        for stream in self._running:
            if stream.task is not None:
                self.connections.keep(stream.task)
        left = list(self.streams.values())
        self.streams.clear()
        for stream in left:
            stream.leave()

    def eof_received(self) -> bool:
        """HTTP/2 knows no half-closed connection: a peer that stops sending can open no window any more."""
        self.flush()
        if self.unsent() <= LEFT_TO_KERNEL:
            return False
        self._leave_all()
        self._close_now()
        return True

    # Requests.

    def _request(self, number: int, fields: Fields, whole: bool, ended: bool) -> None:
        connections = self.connections
        limits = connections.limits
        if (
            len(self.streams) >= limits.streams_per_connection
            or len(self._running) >= 2 * limits.streams_per_connection
        ):
            connections.hit("streams_per_connection")
            self._turn_away(number, ended, ErrorCode.REFUSED_STREAM)
            self.charge()
            return
        try:
            if not whole:
                raise LimitExceeded("head_bytes", "request head too large", 431)
            head = RequestHead(fields, limits.header_count)
            if ended and head.length > 0:
                raise Malformed("a body that is too short")
            if limits.body_bytes is not None and head.length > limits.body_bytes:
                raise LimitExceeded("body_bytes", "request body too large", 413)
        except Malformed:
            connections.hit("refused")
            self._turn_away(number, ended, ErrorCode.PROTOCOL_ERROR)
            self.charge()
            return
        except ClientError as error:
            connections.hit(error.limit if isinstance(error, LimitExceeded) else "refused")
            self._answer(number, ended, error)
            self.charge()
            return
        connections.requests += 1
        self._used += 1
        extensions = self.extensions
        if head.protocol:
            # To an application it is the request that a client would make on HTTP/1 (RFC 8441 section 5).
            head.method = "GET"
            extensions = self._listener.upgrading(head.protocol.lower(), required=True)
        if head.scheme != self._scheme:
            extensions = {**extensions, TARGET_SCHEME: {"scheme": head.scheme}}
        scope = self._scope(self._listener, self.version, head.method, head.target, head.headers, extensions)
        stream = Stream(self, number, scope, ended=ended, expected=head.length, expects=head.expects)
        self._idle_ends = inf
        self.streams[number] = stream
        self._running.add(stream)
        self._unbegun[stream] = None
        if self._used == limits.requests_per_connection:
            connections.hit("requests_per_connection")
            self._say_last()

    def _begin_requests(self) -> None:
        for stream in self._unbegun:
            # Past the loop's `create_task`, as on the lane.
            stream.task = asyncio.Task(stream.run(), loop=self.loop, name="request")
        self._unbegun.clear()

    def _turn_away(self, number: int, ended: bool, code: ErrorCode) -> None:
        self.write_reset(number, code)
        if not ended:
            self._ended_early[number] = None

    def _answer(self, number: int, ended: bool, error: ClientError) -> None:
        """Answer without the application."""
        body = str(error).encode("ascii", "backslashreplace") + b"\n"
        block = encode_head(error.status, [(b"content-type", b"text/plain")])[0] + date_field(self.connections.date[8:])
        if len(body) <= min(self.window, self.initial_window):
            self.write_headers(number, block + length_field(len(body)), 0)
            self.write_data(number, body, end=True)
        else:
            self.write_headers(number, block, END_STREAM)
        if not ended:
            self._turn_away(number, ended, ErrorCode.NO_ERROR)

    # The end of a stream.

    def answered(self, stream: Stream) -> None:
        """The response is complete. A client that still sends is told to stop (RFC 9113 section 8.1)."""
        if stream.tunnel and not stream.complete:
            return
        stream.read_deadline = inf
        if stream.complete and not stream.failed:
            self.streams.pop(stream.id, None)
        elif stream.id in self.streams:
            self.end_early(stream, ErrorCode.NO_ERROR)

    def answer_failure(self, stream: Stream, status: int, reason: str) -> None:
        """The application did not complete its response: say so while there is no head, or end what was begun."""
        if stream.gone or stream.phase == DONE:
            return
        if stream.phase < BODY:
            stream.answer_plainly(status, reason)
        else:
            self.end_early(stream, ErrorCode.INTERNAL_ERROR)
            stream.gone = True

    def cancel(self, stream: Stream) -> None:
        """Give a stream up whose client does not do its part."""
        self.end_early(stream, ErrorCode.CANCEL)
        stream.leave()

    def finished(self, stream: Stream) -> None:
        """A stream's task has ended, or will not begin."""
        self._running.discard(stream)
        self._unbegun.pop(stream, None)
        if stream.id in self.streams and not self.lost:
            # Cancelled from outside, or a tunnel of which one end is left: nobody will answer, or read.
            self.end_early(stream, ErrorCode.CANCEL if stream.phase == DONE else ErrorCode.INTERNAL_ERROR)
        if not self._running and not self._ignoring:
            if self._going:
                self._close_now()
            else:
                self._idle_ends = self.loop.time() + self.connections.limits.keep_alive_idle
                self.watch(self._idle_ends)

    # The end of the connection.

    def _end(self, code: ErrorCode, reason: str) -> None:
        """Say why, give the requests up, and interpret nothing more."""
        if code is not ErrorCode.NO_ERROR:
            self.connections.hit("refused")
        self.write(wire.goaway(self._last, code, reason))
        self._leave_all()
        self._close_now()

    def _close_now(self) -> None:
        """Close once what was written is sent: let the peer read it before unread bytes turn the close into a reset."""
        self._ignoring = True
        self._buffer = b""
        self.flush()
        self._watch_unsent()
        self._idle_ends = self.loop.time() + self.connections.limits.linger
        self.watch(self._idle_ends)
        if self.transport.can_write_eof() and not self.connections.closing:
            self.transport.write_eof()
        else:
            self._close()

    def _say_last(self) -> None:
        self._going = True
        self.write(wire.goaway(self._last, ErrorCode.NO_ERROR))

    def _peer_leaves(self) -> None:
        self._going = True
        if not self._running:
            self._close_now()

    def wind_down(self) -> None:
        """The worker is shutting down: announce it, or close now if nothing is on its way."""
        if self._ignoring:
            return
        self.write(wire.goaway(wire.MAX_STREAM, ErrorCode.NO_ERROR))
        idle_since = self._idle_ends - self.connections.limits.keep_alive_idle
        if self._used and self.loop.time() - idle_since > _RECENT:
            self.close_if_idle()

    def close_if_idle(self) -> None:
        """Take no more requests, and close with the last."""
        if self._ignoring:
            return
        if not self._going:
            self._say_last()
        if not self._running:
            self._close_now()

    def delivery(self, now: float) -> tuple[int, int]:
        """What the client has acknowledged of all that was written on this connection, and how much that was."""
        taken = self.taken(now)
        return taken, taken + self.unsent()

    def watch(self, deadline: float) -> None:
        """Have `expire` called when that time has come."""
        if deadline < self.read_deadline:
            self.read_deadline = deadline

    def expire(self, now: float) -> None:
        """A deadline passed."""
        if self.write_deadline <= now:
            self._expire_writing(now)
            return
        if self._ignoring:
            if self.transport.get_write_buffer_size() or self.unsent() > LEFT_TO_KERNEL:
                # The last words are still on their way to a slow reader, whom the write deadline watches.
                self._idle_ends = self.read_deadline = now + self.connections.limits.linger
                if self.write_deadline == inf:
                    self._watch_unsent()
            else:
                self.abort()
            return
        if self._block_ends <= now:
            self.connections.hit("head_time")
            self._end(ErrorCode.ENHANCE_YOUR_CALM, "request head too slow")
            return
        if self._idle_ends <= now:
            self.connections.hit("keep_alive_idle" if self._used else "head_time")
            self._end(ErrorCode.NO_ERROR, "")
            return
        nearest = min(self._block_ends, self._idle_ends)
        for stream in list(self.streams.values()):
            stream.expire(now)
            nearest = min(nearest, stream.read_deadline, stream.write_deadline)
        self.read_deadline = nearest
