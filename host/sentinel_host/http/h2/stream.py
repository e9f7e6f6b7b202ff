"""One request and its response on a stream: the ``receive`` and ``send`` that an ASGI application is called with.

Rule 1: The head of a response waits for the first body message, as on HTTP/1 (ASGI: a server must not send it before).
Rule 2: A response that is not complete when the application returns or raises ends with RST_STREAM: a client must never
        take a part for the whole.
Rule 3: Once the response is complete, the client's going away no longer cancels the application.
Rule 4: An accepted upgrade (extended CONNECT, RFC 8441) makes both bodies a tunnel, as on HTTP/1; the stream stays
        until both directions have ended.
"""

from __future__ import annotations

import asyncio
import logging
from math import inf
from typing import TYPE_CHECKING, Any, Final

from sentinel_host.errors import ClientError, ResponseAborted
from sentinel_host.http.h2.response import date_field, encode_fields, encode_head, length_field, status_field
from sentinel_host.http.h2.upload import RequestSide
from sentinel_host.http.h2.wire import END_STREAM
from sentinel_host.http.server.connections import ACCEPT, EXTENSION
from sentinel_host.http.server.limits import LimitExceeded
from sentinel_host.http.server.phases import BEFORE_HEAD, BODY, DONE, HEAD_HELD, TRAILERS

if TYPE_CHECKING:
    from sentinel_host.http.h2.protocol import Http2Protocol

_log: Final = logging.getLogger(__name__)


class Stream(RequestSide):
    """``window`` is what the peer lets us send, in bytes; below zero after a change of its settings."""

    __slots__ = (
        "_begun",
        "_block",
        "_bodyless",
        "_credited",
        "_due",
        "_left",
        "_seen",
        "_sent",
        "_trailers_follow",
        "_writable",
        "_wrote",
        "scope",
        "task",
        "window",
        "write_deadline",
    )

    def __init__(
        self,
        connection: Http2Protocol,
        number: int,
        scope: dict[str, Any],
        *,
        ended: bool,
        expected: int,
        expects: bool,
    ) -> None:
        super().__init__(connection, number, ended=ended, expected=expected, expects=expects)
        self.scope = scope
        self.window = connection.initial_window
        self.write_deadline = inf
        self._sent = 0
        # Where the connection's delivery was when a sweep last looked, and where it will be when ours is delivered.
        self._seen = 0
        self._due: int | None = None
        self._credited = 0
        self._begun = self._wrote = False
        self._writable: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """The request's only task."""
        self._begun = True
        connection = self._connection
        try:
            await connection.app(self.scope, self.receive, self.send)
            if self.phase != DONE and not self.gone:
                _log.error("the application returned before the response to %s was complete", self.scope["raw_path"])
                connection.answer_failure(self, 500, "internal error")
        except ClientError as error:
            connection.answer_failure(self, error.status, str(error))
        except ResponseAborted as error:
            connection.answer_failure(self, 500, "internal error")
            _log.info("response aborted: %s", error)
        except Exception:
            if self.phase == DONE or not self.gone:
                _log.exception("the application failed on %s", self.scope["raw_path"])
            connection.answer_failure(self, 500, "internal error")
        finally:
            connection.finished(self)
            # A cancelled task keeps its traceback, whose frames hold us: a cycle, until the collector comes by.
            self.task = None

    # The response.

    async def send(self, message: dict[str, Any]) -> None:
        """Take one ASGI message; waits only while the client reads more slowly than the application writes.

        Raises `ValueError` for what may not be written, `RuntimeError` for messages out of order or a body that does
        not fit its content-length, `OSError` once the client is gone.
        """
        if self.gone:
            raise ConnectionResetError("the client is gone")
        kind = message["type"]
        if kind == "http.response.start":
            self._start(message)
            return
        self._wrote = True
        connection = self._connection
        if kind == "http.response.body":
            await self._send_body(message.get("body", b""), message.get("more_body", False))
        elif kind == "http.response.trailers":
            self._send_trailers(message.get("headers", ()), message.get("more_trailers", False))
        elif kind == "http.response.informational":
            self._send_informational(message)
        elif kind == ACCEPT:
            self._accept(message.get("headers", ()))
        else:
            raise RuntimeError(f"unknown message {kind!r}")
        # A closing transport drops what it is given: an application that never waits would never hear that it closed.
        if connection.write_paused or connection.transport.is_closing():
            await connection.drained()

    def _start(self, message: dict[str, Any]) -> None:
        if self.phase != BEFORE_HEAD:
            raise RuntimeError("http.response.start came twice")
        status = message["status"]
        self._block, self._left, dated = encode_head(status, message.get("headers", ()))
        if not dated:
            self._block += date_field(self._connection.connections.date[8:])
        self._bodyless = status == 204 or status == 304 or self.scope["method"] == "HEAD"
        self._trailers_follow = message.get("trailers", False)
        self.phase = HEAD_HELD

    def _accept(self, headers: Any) -> None:
        if EXTENSION not in self.scope["extensions"] or self.phase != BEFORE_HEAD:
            raise RuntimeError(f"{ACCEPT} out of order, or nobody asked for it")
        block, _, dated = encode_head(200, [field for field in headers if field[0] != b"content-length"])
        if not dated:
            block += date_field(self._connection.connections.date[8:])
        self._connection.write_headers(self.id, block, 0)
        self._left = -1
        self._bodyless = self._trailers_follow = False
        self.phase = BODY
        self.tunnel = True
        self._body_ends = inf
        self._restart_body_clock()

    async def _send_body(self, data: Any, more: bool) -> None:
        connection = self._connection
        if type(data) is not bytes:
            # A bytearray may change while the transport still holds it; a view is sent as it is.
            data = data.cast("B") if type(data) is memoryview else bytes(data)
        size = len(data)
        end = not more and not self._trailers_follow
        if self.phase == HEAD_HELD:
            if self._left < 0 and end and not self._bodyless:
                self._left = size
                self._block += length_field(size)
            self._count(size, more)
            headers_end = end and (not size or self._bodyless)
            connection.write_headers(self.id, self._block, END_STREAM if headers_end else 0)
            self._block = b""
            self.phase = BODY
            if headers_end:
                self._done()
                return
        elif self.phase == BODY:
            self._count(size, more)
            if self.tunnel and not self.complete:
                self._restart_body_clock()
        else:
            raise RuntimeError("http.response.body out of order")
        if self._bodyless:
            size, data = 0, b""
        if size or end:
            if not size or (
                size <= self.window
                and size <= connection.window
                and size <= connection.max_frame
                and not connection.turn_needed()
            ):
                self.window -= size
                connection.write_data(self.id, data, end=end)
            else:
                await self._send_slowly(memoryview(data), end)
        if end:
            self._done()
        elif not more:
            self.phase = TRAILERS

    def _count(self, size: int, more: bool) -> None:
        if self._left >= 0 and not self._bodyless:
            self._left -= size
            if self._left < 0 or (not more and self._left):
                raise RuntimeError("the body does not fit its content-length")

    async def _send_slowly(self, data: memoryview, end: bool) -> None:
        """Send what is larger than a frame or a window, as fast as the client opens its windows."""
        connection = self._connection
        try:
            while True:
                while self.window <= 0 and not self.gone:
                    self._watch_unsent()
                    self._writable = connection.loop.create_future()
                    await self._writable
                if connection.turn_needed():
                    self._watch_unsent()
                    await connection.turn()
                if self.gone:
                    raise ConnectionResetError("the client is gone")
                while data and self.window > 0 and connection.window > 0:
                    size = min(len(data), self.window, connection.window, connection.max_frame)
                    piece, data = data[:size], data[size:]
                    self.window -= size
                    self._sent += size
                    self._wrote = True
                    connection.write_data(self.id, piece, end=end and not data)
                    if connection.write_paused:
                        break
                connection.pass_on()
                if self._sent >= connection.connections.limits.body_progress:
                    self._sent = 0
                    self.write_deadline = inf
                if not data:
                    return
                if connection.write_paused:
                    await connection.drained()
        finally:
            self.write_deadline = inf
            connection.pass_on()

    def _watch_unsent(self) -> None:
        if self.write_deadline == inf:
            # As on the lane: whoever still waits at the next sweep is looked at.
            self._due = None
            self._credited = self._connection.credited
            self.write_deadline = 0.0
            self._connection.watch(self.write_deadline)

    def _still_delivered(self, now: float) -> bool:
        """Whether something of what was sent on this stream may still be on its way, and the client goes on to take it.

        What is written to the socket before the client opens a window waits there, in buffers of some megabytes.
        """
        delivered, due = self._connection.delivery(now)
        if self._due is None:
            self._due, self._seen = due, delivered
            return due > delivered
        progress = self._connection.connections.limits.body_progress
        goes_on = self._seen < self._due and delivered - self._seen >= progress
        self._seen = delivered
        return goes_on

    def _turn_comes(self) -> bool:
        """Whether others used the connection's window, which the client opens, while this stream waited for it."""
        credited = self._connection.credited - self._credited
        self._credited += credited
        return self.window > 0 and credited >= self._connection.connections.limits.body_progress

    def _response_flows(self, now: float) -> bool:
        """Whether the response has gone on since this was last asked: the client may have nothing to say meanwhile."""
        if self.write_deadline != inf:
            return True
        if self._wrote:
            self._wrote = False
            self._due = None
            return True
        return self.phase == BODY and (self._connection.write_paused or self._still_delivered(now))

    def window_opened(self, increment: int) -> None:
        """The peer takes more, or after a change of its settings less."""
        self.window += increment
        if self.window > 0 and self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _done(self) -> None:
        self.phase = DONE
        if self._waiter is not None:
            self.wake()
        self._connection.answered(self)

    def _send_trailers(self, headers: Any, more: bool) -> None:
        if self.phase != TRAILERS:
            raise RuntimeError("http.response.trailers out of order")
        self._block += encode_fields(headers, trailers=True)
        if more:
            return
        if self._block:
            self._connection.write_headers(self.id, self._block, END_STREAM)
        else:
            self._connection.write_data(self.id, b"", end=True)
        self._done()

    def _send_informational(self, message: dict[str, Any]) -> None:
        if self.phase != BEFORE_HEAD and self.phase != HEAD_HELD:
            raise RuntimeError("http.response.informational after the final head")
        status = message["status"]
        if type(status) is not int or not 100 <= status <= 199 or status == 101:
            raise ValueError(f"not an informational status: {status!r}")
        if status == 100:
            self.expects = False
        block = status_field(status) + encode_fields(message.get("headers", ()))
        self._connection.write_headers(self.id, block, 0)

    def answer_plainly(self, status: int, reason: str) -> None:
        """A small text answer, for an application that gave none."""
        connection = self._connection
        body = reason.encode("ascii", "backslashreplace") + b"\n"
        block = encode_head(status, [(b"content-type", b"text/plain")])[0] + date_field(connection.connections.date[8:])
        # An answer that cannot leave at once would need a task of its own: the status says it too.
        fits = len(body) <= min(self.window, connection.window)
        if self.scope["method"] == "HEAD" or not fits:
            connection.write_headers(self.id, block, END_STREAM)
        else:
            connection.write_headers(self.id, block + length_field(len(body)), 0)
            self.window -= len(body)
            connection.write_data(self.id, body, end=True)
        self._done()

    # The end.

    def leave(self) -> None:
        """The client is gone, or has reset the stream: an application that still answers is cancelled."""
        self.gone = True
        self.read_deadline = self.write_deadline = inf
        self._pieces.clear()
        self.wake()
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self.phase != DONE or self.tunnel:
            if self.task is not None:
                self.task.cancel()
            if not self._begun:
                # Cancelled before its first step it never runs, not even to say that it has ended.
                self.task = None
                self._connection.finished(self)

    def expire(self, now: float) -> None:
        """A deadline passed, perhaps one of this stream's."""
        if self.write_deadline <= now:
            first = self._due is None
            turn = self._turn_comes()
            if self._still_delivered(now) or first or turn or self._connection.write_paused:
                self.write_deadline = now + self._connection.connections.limits.write_stalled
                return
            self.write_deadline = inf
            self._connection.connections.hit("write_stalled")
            self._connection.cancel(self)
        elif self.read_deadline <= now:
            limit = "tunnel_idle" if self.tunnel else "body_time" if self._body_ends <= now else "body_idle"
            if limit == "body_idle" and self._response_flows(now):
                self._restart_body_clock()
                return
            self._connection.connections.hit(limit)
            if self.tunnel:
                self._connection.cancel(self)
                return
            self.fail(LimitExceeded(limit, "request body too slow", 408))
