"""The streams of one HTTP/3 connection, over aioquic: fields to QPACK, bodies to QUIC.

Rule 1: A stream has room for `_SEND_AHEAD` unacknowledged bytes. Beyond that the application waits.
        aioquic handles QUIC's own windows.
Rule 2: After we reset a stream, the client may send on for a while: late input is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aioquic.h3.connection import ErrorCode, H3Connection

from sentinel_host.http.field_section import Fields
from sentinel_host.http.h3.quic import Quic, send_goaway
from sentinel_host.http.server.sink import ResetReason

_SEND_AHEAD: Final = 256 * 1024
# As on HTTP/2: larger pieces would make the other streams wait.
_MOST: Final = 16 * 1024
_MAX_RESET: Final = 512
_CODES: Final = {
    ResetReason.NO_ERROR: ErrorCode.H3_NO_ERROR,
    ResetReason.MALFORMED: ErrorCode.H3_MESSAGE_ERROR,
    ResetReason.REFUSED: ErrorCode.H3_REQUEST_REJECTED,
    ResetReason.CANCELLED: ErrorCode.H3_REQUEST_CANCELLED,
    ResetReason.INTERNAL_ERROR: ErrorCode.H3_INTERNAL_ERROR,
}


class Http3Connection:
    """``written`` is called when there is something to transmit. ``was_reset`` has the streams that
    we reset last.
    """

    __slots__ = ("_h3", "_quic", "_waiting", "_written", "was_reset")

    def __init__(self, quic: Quic, written: Callable[[], None]) -> None:
        self._quic = quic
        self._h3: H3Connection | None = None
        self._written = written
        self._waiting: dict[int, Callable[[], None]] = {}
        self.was_reset: dict[int, None] = {}

    def begin(self) -> None:
        """The protocol was negotiated: send SETTINGS."""
        self._h3 = H3Connection(self._quic)

    def read(self, event: Any) -> list[Any]:
        """What an event of QUIC is in HTTP/3, as aioquic's events; nothing before `begin`."""
        return [] if self._h3 is None else self._h3.handle_event(event)

    def send_headers(self, number: int, fields: Fields, end: bool) -> None:
        """A field section, in QPACK."""
        if self._h3 is not None:
            self._h3.send_headers(number, fields, end)
        self._written()

    def send_data(self, number: int, data: bytes | memoryview, end: bool) -> None:
        """A DATA frame; `room` says how large it may be."""
        if self._h3 is not None:
            self._h3.send_data(number, bytes(data), end)
        self._written()

    def send_goaway(self, following: int) -> None:
        """No request from stream ``following`` on is served."""
        if self._h3 is not None:
            send_goaway(self._h3, self._quic, following)
            self._written()

    def reset(self, number: int, reason: ResetReason) -> None:
        """End what is open of a stream: after a whole response that is only what the client still
        sends.
        """
        code = _CODES[reason]
        if reason is not ResetReason.NO_ERROR:
            self._quic.reset_stream(number, code)
        if not self._quic.has_ended(number):
            self._quic.stop_stream(number, code)
        self.was_reset[number] = None
        if len(self.was_reset) > _MAX_RESET:
            del self.was_reset[next(iter(self.was_reset))]
        self._written()

    def consumed(self) -> None:
        """The application took something of a body: aioquic tells the client with what it sends
        next.
        """
        self._written()

    def held(self, number: int) -> int:
        """How many bytes of a stream have arrived and were not taken."""
        return self._quic.held(number)

    def room(self, number: int) -> int:
        """How many bytes `send_data` may take."""
        return max(0, min(_SEND_AHEAD - self._quic.unsent(number), _MOST))

    def wait(self, number: int, opened: Callable[[], None]) -> None:
        """Have ``opened`` called once there is room."""
        self._waiting[number] = opened

    def leave(self, number: int) -> None:
        """The stream waits no more."""
        self._waiting.pop(number, None)

    def wake(self) -> None:
        """The client has acknowledged something: streams that have room again go on."""
        for number in [number for number in self._waiting if self.room(number)]:
            self._waiting.pop(number)()
