"""The body of a request on a stream of HTTP/2 or HTTP/3, held until the application takes it.

Rule 1: At most one window of a body is held. The peer gets new window for what the application
        took, never for what merely arrived; so a slow application stops its own stream and no
        other.
Rule 2: A client that sends too slowly is told 408; one that waits for a slow application is not
        late.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any, Final, Protocol

from sentinel_host.errors import ClientError
from sentinel_host.http.field_section import Fields, Malformed
from sentinel_host.http.server.connections import Connections
from sentinel_host.http.server.limit_exceeded import LimitExceeded
from sentinel_host.http.server.sink import StreamSink

# Pieces of a body are joined beyond this many: the memory that they take must be that of their
# bytes.
_MAX_PIECES: Final = 64
_NO_PIECES: Final[list[bytes]] = []
_NO_TRAILERS: Final[Fields] = []


class DeadlineOwner(Protocol):
    """Who looks at the deadlines of a connection."""

    def watch(self, deadline: float) -> None:
        """Have the deadline looked at when that time has come."""


class RequestBody:
    """What has arrived of a request's body, and what the application was told of it.

    ``complete``: nothing more of it will come. ``expects``: the client waits for 100 Continue.
    ``tunnel``: the connection was upgraded, and no clock but `ServerLimits.tunnel_idle` runs.
    ``pieces`` were not taken yet. ``owner`` is told of each deadline, in the loop's time.
    ``expected`` is the request's Content-Length, or -1. ``is_call``: it is a gRPC call's, whose
    messages may be small and far apart, as a tunnel's may.
    """

    __slots__ = (
        "_answered",
        "_connections",
        "_delivered",
        "_ends",
        "_error",
        "_expected",
        "_gone",
        "_is_call",
        "_owner",
        "_progress",
        "_received",
        "_sink",
        "_trailers",
        "_waiter",
        "complete",
        "expects",
        "pieces",
        "read_deadline",
        "tunnel",
    )

    def __init__(
        self,
        sink: StreamSink,
        connections: Connections,
        owner: DeadlineOwner,
        *,
        ended: bool,
        expected: int,
        expects: bool,
        is_call: bool = False,
    ) -> None:
        self._sink = sink
        self._is_call = is_call
        self._connections = connections
        self._owner = owner
        self.complete = ended
        self.expects = expects and not ended
        self.tunnel = False
        # Of a body that has ended nothing comes: most requests share one empty list.
        self.pieces: list[bytes] = _NO_PIECES if ended else []
        self.read_deadline = inf
        self._expected = expected
        self._received = 0
        self._ends = inf
        # Bytes since the clock was last started: a trickle is as idle as silence.
        self._progress = 0
        self._trailers = _NO_TRAILERS
        self._delivered = self._answered = self._gone = False
        self._error: ClientError | None = None
        self._waiter: asyncio.Future[None] | None = None
        if not ended:
            limits = connections.limits
            if limits.body_time is not None:
                self._ends = connections.loop.time() + limits.body_time
            if self.expects:
                # The client may wait for the application: it is not late before 100 Continue went
                # out.
                self.read_deadline = self._ends
                owner.watch(self.read_deadline)
            else:
                self.restart_clock()

    @property
    def failed(self) -> bool:
        """Whether the rest of the request is not wanted any more."""
        return self._error is not None

    @property
    def held(self) -> int:
        """How many bytes have arrived and were not taken."""
        return sum([len(piece) for piece in self.pieces])

    # What arrives.

    def push(self, data: bytes, ended: bool) -> None:
        """Hold a piece of the body. Raises `Malformed` when the body is not of the length that was
        announced.

        What comes after the body has failed is dropped.
        """
        if self._error is not None:
            return
        if data:
            self._received += len(data)
            if self._expected >= 0:
                self._expected -= len(data)
                if self._expected < 0:
                    raise Malformed("a body that is too long")
            most = self._connections.limits.body_bytes
            if most is not None and self._received > most:
                self.fail(LimitExceeded("body_bytes", "request body too large", 413))
                return
            self._hold(data)
        if ended:
            if self._expected > 0:
                raise Malformed("a body that is too short")
            self._end()

    def _hold(self, data: bytes) -> None:
        self.expects = False
        pieces = self.pieces
        if len(pieces) >= _MAX_PIECES:
            pieces[:] = [b"".join(pieces)]
        pieces.append(data)
        self._progress += len(data)
        if self.tunnel or self._is_call:
            self.restart_clock()
        elif self._sink.window_is_low():
            # The application is the slow one: only the body's whole time goes on.
            self.read_deadline = self._ends
        elif self._progress >= self._connections.limits.body_progress:
            self.restart_clock()
        self.wake()

    def push_trailers(self, fields: Fields, ended: bool) -> None:
        """Take the trailer section. Raises `Malformed` unless it ends a request of the right
        length.
        """
        if self._error is not None:
            return
        if not ended or self._expected > 0:
            raise Malformed("trailers that do not end the stream, or a body that is too short")
        self._trailers = fields
        self._end()

    def _end(self) -> None:
        self.complete = True
        self.read_deadline = inf
        self.wake()

    def fail(self, error: LimitExceeded) -> None:
        """Count a limit; `receive` raises ``error`` once what came before is read."""
        self._connections.hit(error.limit)
        if self._error is None:
            self._error = error
            self._end()

    # Clocks.

    def restart_clock(self) -> None:
        """Give the client the whole time between two pieces again."""
        self._progress = 0
        limits = self._connections.limits
        idle = limits.tunnel_idle if self.tunnel or self._is_call else limits.body_idle
        self.read_deadline = min(self._connections.loop.time() + idle, self._ends)
        self._owner.watch(self.read_deadline)

    def late_for(self, now: float) -> str:
        """The limit that has passed, with `read_deadline`, at ``now``."""
        if self.tunnel:
            return "tunnel_idle"
        return "body_time" if self._ends <= now else "tunnel_idle" if self._is_call else "body_idle"

    # The response and the end.

    def become_tunnel(self) -> None:
        """The upgrade was accepted: what comes is the tunnel's."""
        self.tunnel = True
        self._ends = inf
        self.restart_clock()

    def answered(self) -> None:
        """The response is complete: the application is told no more of the request, except of a
        tunnel's.
        """
        self._answered = True
        if self._waiter is not None:
            self.wake()

    def disconnect(self) -> None:
        """The client is gone, or has reset the stream."""
        self._gone = True
        self.read_deadline = inf
        self.pieces.clear()
        self.wake()

    # The application's side.

    def wake(self) -> None:
        """Let a waiting `receive` look again."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def receive(self) -> dict[str, Any]:
        """The next ``http.request``, or ``http.disconnect``.

        The last ``http.request`` carries ``trailers``, if there were any. Raises `ClientError` when
        the body is malformed, too large or too slow, and `RuntimeError` when it is awaited already.
        """
        while True:
            pieces = self.pieces
            if pieces:
                data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
                pieces.clear()
                if not self.complete:
                    if self._sink.consume(len(data)):
                        self.restart_clock()
                elif self._error is None:
                    return self._last(data)
                return {"type": "http.request", "body": data, "more_body": True}
            if self._error is not None:
                if self._gone or self._answered:
                    return {"type": "http.disconnect"}
                raise self._error
            if self.complete and not self._delivered:
                return self._last(b"")
            if self._gone or (self._answered and (not self.tunnel or self._delivered)):
                return {"type": "http.disconnect"}
            if self.expects:
                self.expects = False
                self._sink.send_headers(100, [], False)
                self.restart_clock()
            if self._waiter is not None and not self._waiter.done():
                raise RuntimeError("receive() is already awaited")
            waiter = self._waiter = self._connections.loop.create_future()
            await waiter

    def _last(self, data: bytes) -> dict[str, Any]:
        self._delivered = True
        message = {"type": "http.request", "body": data, "more_body": False}
        if self._trailers:
            message["trailers"] = self._trailers
        return message
