"""Flow control (RFC 9113 section 5.2): what either side may send, and which stream goes next.

Rule 1: A stream that its own window stops waits for that window alone.
Rule 2: Streams that the connection's window stops wait in turn. Only the first is woken, and one
        that has used up the window goes to the end: a large download cannot starve the others.
Rule 3: The connection's window is given back when DATA arrives, so that no stream can use it up for
        the others. A stream's window is given back when its DATA is consumed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from sentinel_host.http.h2 import wire
from sentinel_host.http.h2.wire import ConnectionFault, ErrorCode

CONNECTION_WINDOW: Final = 1 << 20
"""What all streams together may send before the connection's window is renewed; Go's net/http has 1
MiB.
"""
# Larger frames save a little and make the others wait.
_MOST_FRAME: Final = 64 * 1024


class StreamState:
    """One stream that is not closed (RFC 9113 section 5.1), and its windows in bytes.

    ``remote_ended`` and ``local_ended``: END_STREAM came, or was sent. ``is_kept``: the connection
    knows the stream by its number. ``send_window`` is below zero after some changes of the peer's
    settings. ``opened`` is called when the stream may have room to send; None while nothing waits.
    """

    __slots__ = (
        "consumed",
        "has_turn",
        "is_kept",
        "is_queued",
        "local_ended",
        "number",
        "opened",
        "receive_window",
        "remote_ended",
        "send_window",
    )

    def __init__(self, number: int, send_window: int, receive_window: int) -> None:
        self.number = number
        self.send_window = send_window
        self.receive_window = receive_window
        self.consumed = 0
        self.local_ended = self.remote_ended = False
        self.has_turn = self.is_queued = False
        self.is_kept = True
        self.opened: Callable[[], None] | None = None


class FlowControl:
    """The connection's windows, in bytes, and the peer's settings of sizes.

    ``credited`` counts by how much the peer has opened the connection's window so far.
    """

    __slots__ = (
        "_credit",
        "_queue",
        "_receive_window",
        "credited",
        "initial_window",
        "max_frame",
        "send_window",
        "stream_window",
    )

    def __init__(self, stream_window: int) -> None:
        self.stream_window = stream_window
        self.send_window = wire.DEFAULT_WINDOW
        self.initial_window = wire.DEFAULT_WINDOW
        self.max_frame = wire.DEFAULT_FRAME
        self.credited = 0
        self._receive_window = CONNECTION_WINDOW
        self._credit = 0
        self._queue: deque[StreamState] = deque()

    # Sending.

    def room(self, stream: StreamState) -> int:
        """How many bytes one DATA frame of the stream may have now."""
        if self._queue and not stream.has_turn:
            return 0
        # Compiled, `min` of three numbers makes objects of them.
        room = stream.send_window
        if self.send_window < room:
            room = self.send_window
        if self.max_frame < room:
            room = self.max_frame
        return room if room > 0 else 0

    def spend(self, stream: StreamState, size: int) -> None:
        """Count the bytes of a DATA frame that is sent."""
        stream.send_window -= size
        self.send_window -= size

    def wait(self, stream: StreamState, opened: Callable[[], None]) -> None:
        """Have ``opened`` called, once, when the stream may have room."""
        had_turn, stream.has_turn = stream.has_turn, False
        stream.opened = opened
        if stream.send_window > 0:
            stream.is_queued = True
            self._queue.append(stream)
        elif had_turn:
            self.pass_on()

    def leave(self, stream: StreamState) -> None:
        """The stream no longer waits, and passes its turn on."""
        stream.has_turn = stream.is_queued = False
        stream.opened = None
        self.pass_on()

    def pass_on(self) -> None:
        """Give the next stream its turn, if the connection's window is open."""
        queue = self._queue
        while queue and self.send_window > 0:
            stream = queue.popleft()
            if stream.is_queued:
                stream.is_queued = False
                stream.has_turn = True
                self._wake(stream)
                return

    def _wake(self, stream: StreamState) -> None:
        opened, stream.opened = stream.opened, None
        if opened is not None:
            opened()

    def open_connection(self, increment: int) -> None:
        """The peer takes more of all streams. Raises `ConnectionFault`."""
        if not increment:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a window update of zero")
        self.send_window += increment
        self.credited += increment
        if self.send_window > wire.MAX_WINDOW:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window too large")
        self.pass_on()

    def open_stream(self, stream: StreamState, increment: int) -> bool:
        """The peer takes more of one stream, or after a change of its settings less; false when
        that is too much.
        """
        if stream.send_window + increment > wire.MAX_WINDOW:
            return False
        stream.send_window += increment
        if stream.send_window > 0 and not stream.is_queued:
            self._wake(stream)
        return True

    def limit_frames(self, size: int) -> None:
        """The peer's SETTINGS_MAX_FRAME_SIZE. Raises `ConnectionFault`."""
        if not wire.DEFAULT_FRAME <= size < 1 << 24:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame size out of range")
        self.max_frame = min(size, _MOST_FRAME)

    def change_initial_window(self, size: int, streams: list[StreamState]) -> None:
        """The peer's SETTINGS_INITIAL_WINDOW_SIZE, which goes for open streams too. Raises
        `ConnectionFault`.
        """
        if size > wire.MAX_WINDOW:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window too large")
        difference = size - self.initial_window
        self.initial_window = size
        for stream in streams:
            if not self.open_stream(stream, difference):
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window too large")

    # Receiving.

    def receive(self, size: int) -> int:
        """Count DATA, padding included; what the connection's window is to be opened by. Raises
        `ConnectionFault`.
        """
        self._receive_window -= size
        if self._receive_window < 0:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window was overrun")
        self._credit += size
        if self._credit < CONNECTION_WINDOW // 2:
            return 0
        credit, self._credit = self._credit, 0
        self._receive_window += credit
        return credit

    def consume(self, stream: StreamState, size: int) -> int:
        """Count what was taken of a stream's DATA; what its window is to be opened by, once that is
        worth a frame.
        """
        if stream.remote_ended:
            return 0
        stream.consumed += size
        if stream.consumed < self.stream_window // 2:
            return 0
        credit, stream.consumed = stream.consumed, 0
        stream.receive_window += credit
        return credit
