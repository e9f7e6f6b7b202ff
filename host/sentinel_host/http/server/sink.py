"""What the response of one stream is written to: HTTP/2 sends it as frames, HTTP/3 through aioquic.

Rule: A sink knows the fields and bytes of one stream, and how much its peer lets it send. ASGI,
      limits and deadlines belong to `stream.Stream`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from sentinel_host.http.field_section import Fields


class ResetReason(Enum):
    """Why a stream is reset. Each protocol has its own numbers for these."""

    NO_ERROR = "the response is complete, the rest of the request is not wanted"
    MALFORMED = "the request is malformed"
    REFUSED = "the request was not processed and may be tried again"
    CANCELLED = "the client does not do its part"
    INTERNAL_ERROR = "the response breaks off"


class StreamSink(Protocol):
    """One stream towards a client.

    What a stream sends is checked before: field names are lower-case, values have no control
    characters, and DATA never exceeds `room`. Sinks inherit from this, for compiled code then calls
    them directly.
    """

    __slots__ = ()

    def send_headers(self, status: int, fields: Fields, end: bool) -> None:
        """Send a head, interim (1xx) or final; ``end`` when nothing follows it."""

    def send_response(self, status: int, fields: Fields, data: bytes | memoryview, end: bool) -> bool:
        """Send a final head, and with it a piece of the body if there is `room` for it; false if
        there was none.
        """

    def send_whole(self, status: int, fields: Fields, date: bytes, data: bytes) -> bool:
        """Send a whole response if it is ordinary, to a request other than HEAD, and if there is `room` for it; false
        if not.

        Its fields are checked here, and it gets the Date if it has none. Nothing is sent of others.
        """

    def send_data(self, data: bytes | memoryview, end: bool) -> None:
        """Send a piece of the body; at most `room` bytes."""

    def send_trailers(self, fields: Fields) -> None:
        """Send a trailer section, which ends the response."""

    def reset(self, reason: ResetReason) -> None:
        """End what is still open of the stream. No other method may be called afterwards."""

    def room(self) -> int:
        """How many bytes `send_data` may take now; 0 if the stream must wait."""

    def await_room(self, opened: Callable[[], None]) -> None:
        """Call ``opened`` once there may be room again; `room` may still be 0 then."""

    def leave_queue(self) -> None:
        """Stop waiting for room, and wake the next stream if there is room left."""

    def consume(self, size: int) -> bool:
        """The application took that many bytes of the request; whether the client was told that it
        may send more.
        """

    def window_is_low(self) -> bool:
        """Whether the client may send no more than half a window before the application takes
        something.
        """

    def waits_for_others(self) -> bool:
        """Whether it is the connection's window that gives this stream no room, not its own."""

    def blocked(self) -> bool:
        """Whether the connection's transport takes nothing more at present, or is closing."""

    async def drained(self) -> None:
        """Wait until the transport takes more, or is gone."""

    def credited(self) -> int:
        """A number that grows by what the client lets all streams of the connection send."""

    def delivery(self, now: float) -> tuple[int, int]:
        """What the client has acknowledged of all that was written on this connection, and how much
        that was.
        """
