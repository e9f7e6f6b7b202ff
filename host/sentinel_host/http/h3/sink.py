"""A stream of HTTP/3 as a response is written to it (`http.server.sink.StreamSink`)."""

from __future__ import annotations

from collections.abc import Callable

from sentinel_host.http.field_section import Fields
from sentinel_host.http.h3.connection import Http3Connection
from sentinel_host.http.server.sink import ResetReason, StreamSink


class Http3Sink(StreamSink):
    """One stream of one connection. ``window`` is what the client may send ahead on one stream, in
    bytes.
    """

    __slots__ = ("_connection", "_consumed", "_number", "_window")

    def __init__(self, connection: Http3Connection, number: int, window: int) -> None:
        self._connection = connection
        self._consumed = 0
        self._window = window
        self._number = number

    def send_headers(self, status: int, fields: Fields, end: bool) -> None:
        """A HEADERS frame."""
        self._connection.send_headers(self._number, [(b":status", b"%d" % status), *fields], end)

    def send_response(self, status: int, fields: Fields, data: bytes | memoryview, end: bool) -> bool:
        """A HEADERS frame, and a DATA frame."""
        self.send_headers(status, fields, False)
        if len(data) > self.room():
            return False
        self.send_data(data, end)
        return True

    def send_whole(self, status: int, fields: Fields, date: bytes, data: bytes) -> bool:
        """Never: aioquic takes lists of fields."""
        return False

    def send_data(self, data: bytes | memoryview, end: bool) -> None:
        """A DATA frame."""
        self._connection.send_data(self._number, data, end)

    def send_trailers(self, fields: Fields) -> None:
        """A HEADERS frame that ends the stream."""
        self._connection.send_headers(self._number, fields, True)

    def reset(self, reason: ResetReason) -> None:
        """RESET_STREAM, STOP_SENDING, or both."""
        self._connection.reset(self._number, reason)

    def room(self) -> int:
        """What is left of the bytes that may be on their way."""
        return self._connection.room(self._number)

    def await_room(self, opened: Callable[[], None]) -> None:
        """Wait for acknowledgements."""
        self._connection.wait(self._number, opened)

    def leave_queue(self) -> None:
        """Wait no more."""
        self._connection.leave(self._number)

    def consume(self, size: int) -> bool:
        """Bytes were taken; true once for each half of a window."""
        self._consumed += size
        if self._consumed < self._window // 2:
            return False
        self._consumed = 0
        self._connection.consumed()
        return True

    def window_is_low(self) -> bool:
        """Whether half of a window is here and was not taken."""
        return self._connection.held(self._number) >= self._window // 2

    def waits_for_others(self) -> bool:
        """Never: what a stream may send does not depend on the others."""
        return False

    def blocked(self) -> bool:
        """Never: `room` counts what the socket would hold."""
        return False

    async def drained(self) -> None:
        """At once."""

    def credited(self) -> int:
        """Always 0: HTTP/3's streams share no window here."""
        return 0

    def delivery(self, now: float) -> tuple[int, int]:
        """Always the same: a stream's room follows acknowledgements."""
        return 0, 0
