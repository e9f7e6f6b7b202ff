"""The sending half of an HTTP/2 connection: frames, and the windows that the peer opens.

Rule 1: A stream that its own window stops waits for that window alone.
Rule 2: Streams that the connection's window stops wait in turn. Only the first is woken, and whoever has used up the
        window goes to the end: a large download cannot starve the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from sentinel_host.http.h1.writing import WritingSide
from sentinel_host.http.h2 import wire
from sentinel_host.http.h2.wire import END_HEADERS, END_STREAM, ErrorCode
from sentinel_host.http.server.connections import Connections
from sentinel_host.http.server.writer import COPY_BELOW

# Larger frames save a little and make the others wait.
MOST_FRAME: Final = 64 * 1024


class SendingSide(WritingSide):
    """``window`` is the connection's, in bytes; ``initial_window`` and ``max_frame`` are the peer's settings.

    ``credited`` counts by how much the peer has opened the connection's window so far.
    """

    __slots__ = ("_turns", "credited", "initial_window", "max_frame", "window")

    def __init__(self, connections: Connections) -> None:
        super().__init__(connections)
        self._turns: deque[asyncio.Future[None]] = deque()
        self.window = wire.DEFAULT_WINDOW
        self.credited = 0
        self.initial_window = wire.DEFAULT_WINDOW
        self.max_frame = wire.DEFAULT_FRAME

    def write_headers(self, stream: int, block: bytes, flags: int) -> None:
        """A header block, in as many frames as the peer's frame size asks for."""
        size = self.max_frame
        if len(block) <= size:
            self.write(wire.frame_head(wire.HEADERS, flags | END_HEADERS, stream, len(block)) + block)
            return
        self.write(wire.frame_head(wire.HEADERS, flags, stream, size) + block[:size])
        for start in range(size, len(block), size):
            piece = block[start : start + size]
            last = END_HEADERS if start + size >= len(block) else 0
            self.write(wire.frame_head(wire.CONTINUATION, last, stream, len(piece)) + piece)

    def write_data(self, stream: int, data: bytes | memoryview, *, end: bool) -> None:
        """One DATA frame; the caller settles its flow control with the stream, the connection's is settled here."""
        size = len(data)
        self.window -= size
        head = wire.frame_head(wire.DATA, END_STREAM if end else 0, stream, size)
        if size > COPY_BELOW or type(data) is not bytes:
            self.write(head)
            self.write(data)
        else:
            self.write(head + data)

    def write_reset(self, stream: int, code: ErrorCode) -> None:
        """End one stream."""
        self.write(wire.reset(stream, code))

    # The connection's window.

    def turn_needed(self) -> bool:
        """Whether a stream has to wait before it may use the connection's window."""
        return self.window <= 0 or bool(self._turns)

    async def turn(self) -> None:
        """Wait until the connection's window is this stream's to use; `pass_on` gives the rest of it away."""
        waiter = self.loop.create_future()
        self._turns.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self.pass_on()
            raise

    def pass_on(self) -> None:
        """Wake whoever is next, if there is anything to use."""
        while self._turns and self.window > 0:
            waiter = self._turns.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _end_turns(self) -> None:
        while self._turns:
            waiter = self._turns.popleft()
            if not waiter.done():
                waiter.set_result(None)
