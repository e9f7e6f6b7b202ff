"""One request and its response on a stream: the ``receive`` and ``send`` that an ASGI application is called with.

Rule 1: The head of a response waits for the first body message, as on HTTP/1 (ASGI: a server must not send it before).
Rule 2: A request's body is held here, at most one window of it. The peer gets new window for what the application took,
        never for what merely arrived; so a slow application stops its own stream and no other.
Rule 3: A response that is not complete when the application returns or raises ends with RST_STREAM: a client must never
        take a part for the whole.
Rule 4: Once the response is complete, the client's going away no longer cancels the application.
Rule 5: An accepted upgrade (extended CONNECT, RFC 8441) makes both bodies a tunnel, as on HTTP/1; the stream stays
        until both directions have ended.
"""

from __future__ import annotations

import asyncio
import logging
from math import inf
from typing import TYPE_CHECKING, Any, Final

from sentinel_host.errors import ClientError, ResponseAborted
from sentinel_host.http.h2.response import date_field, encode_fields, encode_head, length_field, status_field
from sentinel_host.http.h2.wire import END_STREAM
from sentinel_host.http.lane.connections import ACCEPT, EXTENSION
from sentinel_host.http.lane.exchange import Phase
from sentinel_host.http.lane.limits import LimitExceeded

if TYPE_CHECKING:
    from sentinel_host.http.h2.protocol import Http2Protocol

_log = logging.getLogger(__name__)

_BEFORE_HEAD, _HEAD_HELD, _BODY, _TRAILERS, DONE = Phase
# Pieces of a body are joined beyond this many: the memory that they take must be that of their bytes.
_MAX_PIECES: Final = 64


class Stream:
    """``window`` is what the peer lets us send; ``expected`` what is left of the request's Content-Length, or -1."""

    __slots__ = (
        "_block",
        "_body_ends",
        "_bodyless",
        "_connection",
        "_delivered",
        "_error",
        "_left",
        "_paid",
        "_pieces",
        "_receive_window",
        "_sent",
        "_taken",
        "_trailers_follow",
        "_waiter",
        "_writable",
        "complete",
        "expected",
        "expects",
        "gone",
        "held",
        "id",
        "phase",
        "read_deadline",
        "received",
        "scope",
        "task",
        "trailers",
        "tunnel",
        "window",
        "write_deadline",
    )

    task: asyncio.Task[None]

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
        self._connection = connection
        self.id = number
        self.scope = scope
        self.complete = ended
        self.expected = expected
        self.expects = expects and not ended
        self.trailers: list[tuple[bytes, bytes]] = []
        self.phase = _BEFORE_HEAD
        self.gone = False
        self.tunnel = False
        self.window = connection.initial_window
        self.held = 0
        self.received = 0
        self.read_deadline = inf
        self.write_deadline = inf
        self._receive_window = 0 if ended else connection.stream_window
        self._body_ends = inf
        self._pieces: list[bytes] = []
        self._taken = 0
        self._paid = 0
        self._sent = 0
        self._delivered = False
        self._error: ClientError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        if not ended:
            limits = connection.connections.limits
            if limits.body_time is not None:
                self._body_ends = connection.loop.time() + limits.body_time
            if self.expects:
                # The client may wait for the application: it is not late before 100 Continue went out.
                self.read_deadline = self._body_ends
                connection.watch(self.read_deadline)
            else:
                self._restart_body_clock()

    @property
    def failed(self) -> bool:
        """Whether the rest of the request is not wanted any more."""
        return self._error is not None

    async def run(self) -> None:
        """The request's only task."""
        connection = self._connection
        try:
            await connection.app(self.scope, self.receive, self.send)
            if self.phase is not DONE and not self.gone:
                _log.error("the application returned before the response to %s was complete", self.scope["raw_path"])
                connection.answer_failure(self, 500, "internal error")
        except ClientError as error:
            connection.answer_failure(self, error.status, str(error))
        except ResponseAborted as error:
            connection.answer_failure(self, 500, "internal error")
            _log.info("response aborted: %s", error)
        except Exception:
            if self.phase is DONE or not self.gone:
                _log.exception("the application failed on %s", self.scope["raw_path"])
            connection.answer_failure(self, 500, "internal error")
        finally:
            connection.finished(self)
            # A cancelled task keeps its traceback, whose frames hold us: a cycle, until the collector comes by.
            del self.task

    # The request.

    def take_window(self, size: int) -> bool:
        """Count bytes against the window that the peer was given; false when it was overrun."""
        self._receive_window -= size
        return self._receive_window >= 0

    def push(self, data: bytes) -> None:
        """Hold a piece of the body for ``receive``."""
        size = len(data)
        self.expects = False
        pieces = self._pieces
        if len(pieces) >= _MAX_PIECES:
            pieces[:] = [b"".join(pieces)]
        pieces.append(data)
        self.held += size
        self._paid += size
        limits = self._connection.connections.limits
        if self.tunnel:
            self._restart_body_clock()
        elif self._receive_window <= self._connection.stream_window // 2 and self.held:
            # The application is the slow one: only the body's whole time goes on.
            self.read_deadline = self._body_ends
        elif self._paid >= limits.body_progress:
            self._restart_body_clock()
        self.wake()

    def end_body(self) -> None:
        """The last of the request has arrived."""
        self.complete = True
        self.read_deadline = inf
        self.wake()

    def fail(self, error: ClientError) -> None:
        """The rest of the body will not come: ``receive`` raises once what came before is read."""
        if self._error is None:
            self._error = error
            self.complete = True
            self.read_deadline = inf
            self.wake()

    def give_credit(self, size: int) -> None:
        """Bytes were taken: tell the peer once it is worth a frame."""
        if not self.complete:
            self._taken += size
            if self._taken >= self._connection.stream_window // 2:
                self._connection.open_window(self.id, self._taken)
                self._receive_window += self._taken
                self._taken = 0
                self._restart_body_clock()

    def _restart_body_clock(self) -> None:
        self._paid = 0
        connection = self._connection
        limits = connection.connections.limits
        idle = limits.tunnel_idle if self.tunnel else limits.body_idle
        self.read_deadline = min(connection.loop.time() + idle, self._body_ends)
        connection.watch(self.read_deadline)

    def wake(self) -> None:
        """Let a waiting ``receive`` look again."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def receive(self) -> dict[str, Any]:
        """The next ``http.request``, or ``http.disconnect``.

        The last ``http.request`` carries ``trailers``, if there were any. Raises `ClientError` when the body is
        malformed, too large or too slow.
        """
        while True:
            pieces = self._pieces
            if pieces:
                data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
                pieces.clear()
                self.held = 0
                if not self.complete:
                    self.give_credit(len(data))
                elif self._error is None:
                    return self._last(data)
                return {"type": "http.request", "body": data, "more_body": True}
            if self._error is not None:
                if self.gone or self.phase is DONE:
                    return {"type": "http.disconnect"}
                raise self._error
            if self.complete and not self._delivered:
                return self._last(b"")
            if self.gone or (self.phase is DONE and (not self.tunnel or self._delivered)):
                return {"type": "http.disconnect"}
            if self.expects and self.phase is _BEFORE_HEAD:
                self.expects = False
                self._connection.write_headers(self.id, status_field(100), 0)
                self._restart_body_clock()
            if self._waiter is not None and not self._waiter.done():
                raise RuntimeError("receive() is already awaited")
            self._waiter = self._connection.loop.create_future()
            await self._waiter

    def _last(self, data: bytes) -> dict[str, Any]:
        self._delivered = True
        message = {"type": "http.request", "body": data, "more_body": False}
        if self.trailers:
            message["trailers"] = self.trailers
        return message

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
        if self.phase is not _BEFORE_HEAD:
            raise RuntimeError("http.response.start came twice")
        status = message["status"]
        self._block, self._left, dated = encode_head(status, message.get("headers", ()))
        if not dated:
            self._block += date_field(self._connection.connections.date[8:])
        self._bodyless = status == 204 or status == 304 or self.scope["method"] == "HEAD"
        self._trailers_follow = message.get("trailers", False)
        self.phase = _HEAD_HELD

    def _accept(self, headers: Any) -> None:
        if EXTENSION not in self.scope["extensions"] or self.phase is not _BEFORE_HEAD:
            raise RuntimeError(f"{ACCEPT} out of order, or nobody asked for it")
        block, _, dated = encode_head(200, [field for field in headers if field[0] != b"content-length"])
        if not dated:
            block += date_field(self._connection.connections.date[8:])
        self._connection.write_headers(self.id, block, 0)
        self._left = -1
        self._bodyless = self._trailers_follow = False
        self.phase = _BODY
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
        if self.phase is _HEAD_HELD:
            if self._left < 0 and end and not self._bodyless:
                self._left = size
                self._block += length_field(size)
            self._count(size, more)
            headers_end = end and (not size or self._bodyless)
            connection.write_headers(self.id, self._block, END_STREAM if headers_end else 0)
            self._block = b""
            self.phase = _BODY
            if headers_end:
                self._done()
                return
        elif self.phase is _BODY:
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
            self.phase = _TRAILERS

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
            connection = self._connection
            self.write_deadline = connection.loop.time() + connection.connections.limits.write_stalled
            connection.watch(self.write_deadline)

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
        if self.phase is not _TRAILERS:
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
        if self.phase is not _BEFORE_HEAD and self.phase is not _HEAD_HELD:
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
        if self.phase is not DONE or self.tunnel:
            self.task.cancel()

    def expire(self, now: float) -> None:
        """A deadline passed, perhaps one of this stream's."""
        if self.write_deadline <= now:
            self.write_deadline = inf
            self._connection.connections.hit("write_stalled")
            self._connection.cancel(self)
        elif self.read_deadline <= now:
            limit = "tunnel_idle" if self.tunnel else "body_time" if self._body_ends <= now else "body_idle"
            self._connection.connections.hit(limit)
            if self.tunnel:
                self._connection.cancel(self)
                return
            self.fail(LimitExceeded(limit, "request body too slow", 408))
