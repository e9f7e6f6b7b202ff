"""One request and its response on an HTTP/2 or HTTP/3 stream: the ``receive`` and ``send`` of an
ASGI application.

Rule 1: The head of a response waits for the first body message, as on HTTP/1. ASGI forbids a server
        to send it earlier.
Rule 2: If the application returns or raises before its response is complete, the stream is reset,
        so that the client does not take a part for the whole.
Rule 3: When the client leaves, the application is cancelled, unless its response is complete.
Rule 4: An accepted upgrade (extended CONNECT, RFC 8441 and 9220) makes a tunnel of both bodies, as
        on HTTP/1. The stream stays until both directions have ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from math import inf
from typing import Any, Final, Protocol

from sentinel_host.errors import ClientError, ResponseAborted
from sentinel_host.http.field_section import Fields
from sentinel_host.http.server.connections import ACCEPT, EXTENSION, WHOLE, Connections
from sentinel_host.http.server.limit_exceeded import LimitExceeded
from sentinel_host.http.server.phases import BEFORE_HEAD, BODY, DONE, HEAD_HELD, TRAILERS
from sentinel_host.http.server.replies import error_reply
from sentinel_host.http.server.request_body import RequestBody
from sentinel_host.http.server.request_fields import check_trailers
from sentinel_host.http.server.response_fields import response_head, response_section
from sentinel_host.http.server.sent import SENT
from sentinel_host.http.server.sink import ResetReason, StreamSink
from sentinel_host.http.server.write_clock import WriteClock

_log: Final = logging.getLogger(__name__)


class StreamOwner(Protocol):
    """What keeps the streams of a connection."""

    __slots__ = ()

    def watch(self, deadline: float) -> None:
        """Call `Stream.expire` at that time, or soon after."""

    def close(self, stream: Stream) -> None:
        """The stream has ended in both directions, or was reset: forget it."""

    def finished(self, stream: Stream) -> None:
        """The stream's task has ended, or will not begin."""


class Stream:
    """``number`` is the stream's identifier, ``phase`` how far the response is.

    ``gone``: the client has left, or was given up. ``is_kept``: the owner knows the stream by its
    number; it says so itself. ``task`` is the one that serves it, while it does; ``has_begun``
    tells whether the application was called.
    """

    __slots__ = (
        "_bodyless",
        "_connections",
        "_fields",
        "_left",
        "_opened",
        "_owner",
        "_sent",
        "_status",
        "_trailers_follow",
        "_write_clock",
        "_wrote",
        "body",
        "gone",
        "has_begun",
        "is_kept",
        "number",
        "phase",
        "scope",
        "sink",
        "task",
    )

    def __init__(
        self,
        owner: StreamOwner,
        sink: StreamSink,
        number: int,
        body: RequestBody,
        connections: Connections,
        scope: dict[str, Any],
    ) -> None:
        self._owner = owner
        self._connections = connections
        self.sink = sink
        self.number = number
        self.body = body
        self.scope = scope
        self.phase = BEFORE_HEAD
        self.gone = self.is_kept = False
        # Made once the client reads slowly.
        self._write_clock: WriteClock | None = None
        self._sent = 0
        self.has_begun = self._wrote = self._trailers_follow = False
        self._opened: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None

    # What its task calls.

    def returned(self) -> None:
        """The application has returned."""
        if self.phase != DONE and not self.gone:
            _log.error("the application returned before the response to %s was complete", self.scope["raw_path"])
            self._answer_failure(500, "internal error")

    def failed(self, error: Exception) -> None:
        """The application has raised."""
        if isinstance(error, ClientError):
            self._answer_failure(error.status, str(error))
            return
        if isinstance(error, ResponseAborted):
            _log.info("response aborted: %s", error)
        elif self.phase == DONE or not self.gone:
            _log.error("the application failed on %s", self.scope["raw_path"], exc_info=error)
        self._answer_failure(500, "internal error")

    def finish(self) -> None:
        """The application is done with the request, or was cancelled."""
        self._owner.finished(self)
        self.task = None

    # The response.

    def send(self, message: dict[str, Any]) -> Awaitable[None]:
        """Take one ASGI message at once; what is returned waits only while the client reads more
        slowly than the application writes.

        Raises `ValueError` for what may not be written, `RuntimeError` for messages out of order or
        a body that does not fit its content-length, `OSError` once the client is gone.
        """
        if self.gone:
            raise ConnectionResetError("the client is gone")
        kind: str = message["type"]
        if kind == "http.response.start":
            self._start(message["status"], message.get("headers", ()), message.get("trailers", False))
            return SENT
        self._wrote = True
        if kind == WHOLE:
            rest = self._send_whole(message["status"], message["headers"], message["body"])
            if rest is not None:
                return self._send_slowly(rest, False)
        elif kind == "http.response.body":
            more = message.get("more_body", False)
            rest = self._send_body(message.get("body", b""), more)
            if rest is not None:
                return self._send_slowly(rest, more)
        elif kind == "http.response.trailers":
            self._send_trailers(message.get("headers", ()), message.get("more_trailers", False))
        elif kind == "http.response.informational":
            self._send_informational(message)
        elif kind == ACCEPT:
            self._accept(message.get("headers", ()))
        else:
            raise RuntimeError(f"unknown message {kind!r}")
        # A closing transport drops what it is given. An application that never waits must still
        # notice that it has closed.
        return self.sink.drained() if self.sink.blocked() else SENT

    def _start(self, status: Any, headers: Any, trailers: bool) -> None:
        if self.phase != BEFORE_HEAD:
            raise RuntimeError("http.response.start came twice")
        self._fields, self._left, dated = response_head(status, headers)
        if not dated:
            self._fields.append((b"date", self._connections.date))
        self._status = status
        self._bodyless = status == 204 or status == 304 or self.scope["method"] == "HEAD"
        self._trailers_follow = trailers
        self.body.expects = False
        self.phase = HEAD_HELD

    def _send_whole(self, status: Any, headers: Any, data: Any) -> memoryview | None:
        """Send a whole response at once; as `_send_body`, what there is no room for is returned."""
        if (
            self.phase == BEFORE_HEAD
            and type(data) is bytes
            and type(status) is int
            and data
            and self.scope["method"] != "HEAD"
            and self.sink.send_whole(status, headers, self._connections.date, data)
        ):
            self.body.expects = False
            self._done()
            return None
        self._start(status, headers, False)
        return self._send_body(data, False)

    def _accept(self, headers: Any) -> None:
        if EXTENSION not in self.scope["extensions"] or self.phase != BEFORE_HEAD:
            raise RuntimeError(f"{ACCEPT} out of order, or without a request for it")
        fields, _, dated = response_head(200, [field for field in headers if field[0] != b"content-length"])
        if not dated:
            fields.append((b"date", self._connections.date))
        self.sink.send_headers(200, fields, False)
        self._fields = []
        self._left = -1
        self._bodyless = self._trailers_follow = False
        self.body.expects = False
        self.phase = BODY
        self.body.become_tunnel()

    def _send_body(self, data: Any, more: bool) -> memoryview | None:
        """Send a piece of the body at once. If there is no room for it, it is returned, and is to be
        sent slowly.
        """
        sink = self.sink
        if type(data) is not bytes:
            # A bytearray may change while the transport still holds it; a view is sent as it is.
            data = data.cast("B") if type(data) is memoryview else bytes(data)
        size = len(data)
        end = not more and not self._trailers_follow
        if self.phase == HEAD_HELD:
            fields = self._fields
            if self._left < 0 and end and not self._bodyless:
                self._left = size
                fields.append((b"content-length", b"%d" % size))
            self._count(size, more)
            self._fields = []
            self.phase = BODY
            if self._bodyless:
                size, data = 0, b""
            if not size:
                sink.send_headers(self._status, fields, end)
            elif not sink.send_response(self._status, fields, data, end):
                return memoryview(data)
        elif self.phase == BODY:
            self._count(size, more)
            if self.body.tunnel and not self.body.complete:
                self.body.restart_clock()
            if self._bodyless:
                size, data = 0, b""
            if size > sink.room():
                return memoryview(data)
            if size or end:
                sink.send_data(data, end)
        else:
            raise RuntimeError("http.response.body out of order")
        self._sent_body(more)
        return None

    def _sent_body(self, more: bool) -> None:
        if more:
            return
        if self._trailers_follow:
            self.phase = TRAILERS
        else:
            self._done()

    def _count(self, size: int, more: bool) -> None:
        if self._left >= 0 and not self._bodyless:
            self._left -= size
            if self._left < 0 or (not more and self._left):
                raise RuntimeError("the body does not fit its content-length")

    async def _send_slowly(self, data: memoryview, more: bool) -> None:
        """Send a body larger than a frame or a window, as fast as the client opens its windows."""
        sink = self.sink
        clock = self._clock()
        end = not more and not self._trailers_follow
        try:
            while True:
                room = sink.room()
                while not room:
                    if clock.start():
                        self._owner.watch(clock.deadline)
                    opened = self._opened = self._connections.loop.create_future()
                    sink.await_room(self.room_opened)
                    await opened
                    if self.gone:
                        raise ConnectionResetError("the client is gone")
                    room = sink.room()
                while data and room:
                    size = min(len(data), room)
                    piece, data = data[:size], data[size:]
                    self._sent += size
                    self._wrote = True
                    sink.send_data(piece, end and not data)
                    if sink.blocked():
                        break
                    room = sink.room()
                sink.leave_queue()
                if self._sent >= self._connections.limits.body_progress:
                    self._sent = 0
                    clock.stop()
                if not data:
                    break
                if sink.blocked():
                    await sink.drained()
                    if self.gone:
                        raise ConnectionResetError("the client is gone")
        finally:
            clock.stop()
            sink.leave_queue()
        self._sent_body(more)
        if sink.blocked():
            await sink.drained()

    def _clock(self) -> WriteClock:
        if self._write_clock is None:
            self._write_clock = WriteClock(self.sink, self._connections.limits)
        return self._write_clock

    def room_opened(self) -> None:
        """There may be room for more of the response."""
        opened = self._opened
        if opened is not None and not opened.done():
            opened.set_result(None)

    def _done(self) -> None:
        """The response is complete. A client that still sends is told to stop (RFC 9113 section
        8.1).
        """
        self.phase = DONE
        body = self.body
        body.answered()
        if body.complete:
            if body.failed:
                self.sink.reset(ResetReason.NO_ERROR)
            self._owner.close(self)
        elif not body.tunnel:
            body.read_deadline = inf
            self.sink.reset(ResetReason.NO_ERROR)
            self._owner.close(self)

    def _send_trailers(self, headers: Any, more: bool) -> None:
        if self.phase != TRAILERS:
            raise RuntimeError("http.response.trailers out of order")
        self._fields += response_section(headers, trailers=True)
        if more:
            return
        if self._fields:
            self.sink.send_trailers(self._fields)
        else:
            self.sink.send_data(b"", True)
        self._done()

    def _send_informational(self, message: dict[str, Any]) -> None:
        if self.phase != BEFORE_HEAD and self.phase != HEAD_HELD:
            raise RuntimeError("http.response.informational after the final head")
        status = message["status"]
        if type(status) is not int or not 100 <= status <= 199 or status == 101:
            raise ValueError(f"not an informational status: {status!r}")
        fields = response_section(message.get("headers", ()))
        if status == 100:
            self.body.expects = False
        self.sink.send_headers(status, fields, False)

    def _answer_failure(self, status: int, reason: str) -> None:
        """The application did not complete its response: send an error, or reset the stream after a
        head.
        """
        if self.gone or self.phase == DONE:
            return
        if self.phase < BODY:
            send_error(self.sink, status, reason, self._connections.date, self.scope["method"] == "HEAD")
            self._done()
        else:
            self.gone = True
            self.sink.reset(ResetReason.INTERNAL_ERROR)
            self._owner.close(self)

    # The request.

    def push(self, data: bytes, ended: bool) -> None:
        """Take a piece of the request's body. Raises `Malformed`."""
        self.body.push(data, ended)
        if ended:
            self._close_if_done()

    def push_trailers(self, fields: Fields, is_whole: bool, ended: bool) -> None:
        """Take the request's trailers; ``is_whole`` is false for too many. Raises `Malformed`."""
        if not is_whole:
            self.body.fail(LimitExceeded("head_bytes", "trailer section too large", 431))
            return
        check_trailers(fields)
        self.body.push_trailers(fields, ended)
        self._close_if_done()

    def _close_if_done(self) -> None:
        # A tunnel whose other direction has ended before.
        if self.phase == DONE and not self.body.failed:
            self._owner.close(self)

    # The end.

    def cancel(self) -> None:
        """The client is gone, or has reset the stream: an application that still answers is
        cancelled.
        """
        self.gone = True
        if self._write_clock is not None:
            self._write_clock.stop()
        self.body.disconnect()
        self.room_opened()
        if self.phase != DONE or self.body.tunnel:
            if self.task is not None:
                self.task.cancel()
            if not self.has_begun:
                # A task that is cancelled before its first step never runs: its `finally` does not,
                # either.
                self.task = None
                self._owner.finished(self)

    def _give_up(self) -> None:
        """End a stream whose client has stalled."""
        self.sink.reset(ResetReason.CANCELLED)
        self._owner.close(self)
        self.cancel()

    # Deadlines.

    def expire(self, now: float) -> float:
        """Look at this stream's deadlines. Returns the nearest one that it has then."""
        body = self.body
        clock = self._clock()
        if clock.deadline <= now:
            if clock.has_stalled(now):
                self._connections.hit("write_stalled")
                self._give_up()
        elif body.read_deadline <= now:
            limit = body.late_for(now)
            if not body.tunnel and limit != "body_time" and self._response_flows(now):
                body.restart_clock()
            elif body.tunnel:
                self._connections.hit(limit)
                self._give_up()
            else:
                body.fail(LimitExceeded(limit, "request body too slow", 408))
        return min(body.read_deadline, clock.deadline)

    def _response_flows(self, now: float) -> bool:
        """Whether the response has gone on since the last call: the client may have nothing to send
        meanwhile.
        """
        clock = self._clock()
        if clock.deadline != inf:
            return True
        if self._wrote:
            self._wrote = False
            clock.forget()
            return True
        return self.phase == BODY and (self.sink.blocked() or clock.still_delivered(now))


def send_error(sink: StreamSink, status: int, reason: str, date: bytes, is_head: bool) -> None:
    """Answer a request for which the application gave no response."""
    reply = error_reply(status, reason)
    body = reply.body
    fields: Fields = [*reply.headers, (b"date", date)]
    # A body that cannot leave at once would need a task. The status alone is enough.
    if is_head or len(body) > sink.room():
        sink.send_headers(status, fields, True)
    else:
        fields.append((b"content-length", b"%d" % len(body)))
        sink.send_headers(status, fields, False)
        sink.send_data(body, True)
