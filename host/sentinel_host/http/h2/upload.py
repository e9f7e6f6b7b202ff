"""The receiving half of a stream: a request's body, held until the application takes it.

Rule 1: At most one window of a body is held. The peer gets new window for what the application took, never for what
        merely arrived; so a slow application stops its own stream and no other.
Rule 2: A client that sends too slowly is told 408; one that waits for a slow application is not late.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

from sentinel_host.errors import ClientError
from sentinel_host.http.h2.response import status_field
from sentinel_host.http.server.phases import BEFORE_HEAD, DONE
from sentinel_host.http.server.received import Received

if TYPE_CHECKING:
    from sentinel_host.http.h2.protocol import Http2Protocol

# Pieces of a body are joined beyond this many: the memory that they take must be that of their bytes.
_MAX_PIECES: Final = 64


class RequestSide(Received):
    """``expected`` is what is left of the request's Content-Length, or -1; ``held`` counts bytes not yet taken."""

    __slots__ = (
        "_body_ends",
        "_connection",
        "_paid",
        "_pieces",
        "_receive_window",
        "_taken",
        "expected",
        "gone",
        "held",
        "id",
        "read_deadline",
        "received",
        "tunnel",
    )

    def __init__(self, connection: Http2Protocol, number: int, *, ended: bool, expected: int, expects: bool) -> None:
        super().__init__(ended, expects and not ended)
        self._connection = connection
        self.id = number
        self.expected = expected
        self.gone = False
        self.tunnel = False
        self.held = 0
        self.received = 0
        self.read_deadline = inf
        self._receive_window = 0 if ended else connection.stream_window
        self._body_ends = inf
        self._pieces: list[bytes] = []
        self._taken = 0
        self._paid = 0
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
                if self.gone or self.phase == DONE:
                    return {"type": "http.disconnect"}
                raise self._error
            if self.complete and not self._delivered:
                return self._last(b"")
            if self.gone or (self.phase == DONE and (not self.tunnel or self._delivered)):
                return {"type": "http.disconnect"}
            if self.expects and self.phase == BEFORE_HEAD:
                self.expects = False
                self._connection.write_headers(self.id, status_field(100), 0)
                self._restart_body_clock()
            await self._wait(self._connection.loop)
