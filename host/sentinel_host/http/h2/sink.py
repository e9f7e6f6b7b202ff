"""A stream of HTTP/2 as a response is written to it (`http.server.sink.StreamSink`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sentinel_host.http.field_section import Fields
from sentinel_host.http.h2.connection import Http2Connection
from sentinel_host.http.h2.flow import StreamState
from sentinel_host.http.h2.wire import ErrorCode
from sentinel_host.http.server.sink import ResetReason, StreamSink
from sentinel_host.http.server.writer import Writer

_CODES: Final = {
    ResetReason.NO_ERROR: ErrorCode.NO_ERROR,
    ResetReason.MALFORMED: ErrorCode.PROTOCOL_ERROR,
    ResetReason.REFUSED: ErrorCode.REFUSED_STREAM,
    ResetReason.CANCELLED: ErrorCode.CANCEL,
    ResetReason.INTERNAL_ERROR: ErrorCode.INTERNAL_ERROR,
}


class Http2Sink(StreamSink):
    """One stream of one connection."""

    __slots__ = ("_connection", "_flow", "_stream", "_writer")

    def __init__(self, connection: Http2Connection, stream: StreamState, writer: Writer) -> None:
        self._connection = connection
        self._flow = connection.flow
        self._stream = stream
        self._writer = writer

    def send_headers(self, status: int, fields: Fields, end: bool) -> None:
        """HEADERS, and CONTINUATION where the peer's frame size asks for it."""
        self._connection.send_headers(self._stream, status, fields, end)

    def send_response(self, status: int, fields: Fields, data: bytes | memoryview, end: bool) -> bool:
        """HEADERS, and one DATA frame with it."""
        return self._connection.send_response(self._stream, status, fields, data, end)

    def send_whole(self, status: int, fields: Fields, date: bytes, data: bytes) -> bool:
        """HEADERS and DATA, made in one pass over the fields."""
        return self._connection.send_whole(self._stream, status, fields, date, data)

    def send_data(self, data: bytes | memoryview, end: bool) -> None:
        """One DATA frame."""
        self._connection.send_data(self._stream, data, end)

    def send_trailers(self, fields: Fields) -> None:
        """HEADERS with END_STREAM."""
        self._connection.send_headers(self._stream, 0, fields, True)

    def reset(self, reason: ResetReason) -> None:
        """RST_STREAM, unless the stream is closed."""
        self._connection.reset(self._stream, _CODES[reason])

    def room(self) -> int:
        """The smallest of both windows and the peer's frame size; 0 while another stream has its
        turn.
        """
        return self._flow.room(self._stream)

    def await_room(self, opened: Callable[[], None]) -> None:
        """Wait for the stream's own window, or in turn for the connection's."""
        self._flow.wait(self._stream, opened)

    def leave_queue(self) -> None:
        """Wait no more, and pass the turn on."""
        self._flow.leave(self._stream)

    def consume(self, size: int) -> bool:
        """Bytes were taken: WINDOW_UPDATE once it is worth a frame."""
        return self._connection.consume(self._stream, size)

    def window_is_low(self) -> bool:
        """Whether half of the stream's window, or more, is used up."""
        return self._stream.receive_window <= self._flow.stream_window // 2

    def waits_for_others(self) -> bool:
        """Whether the stream's own window has room."""
        return self._stream.send_window > 0

    def blocked(self) -> bool:
        """Whether the transport takes nothing more."""
        return self._writer.blocked()

    async def drained(self) -> None:
        """Wait for the transport."""
        await self._writer.drained()

    def credited(self) -> int:
        """By how much the peer has opened the connection's window so far."""
        return self._flow.credited

    def delivery(self, now: float) -> tuple[int, int]:
        """What the kernel knows of the whole connection."""
        taken = self._writer.taken(now)
        return taken, taken + self._writer.unsent()
