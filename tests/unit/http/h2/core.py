"""An HTTP/2 core between two lists: what it was given and found, and what it wrote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import hpack
from hyperframe.frame import Frame, SettingsFrame

from sentinel_host.http.h2 import connection as core
from sentinel_host.http.h2.connection import Http2Connection
from sentinel_host.http.h2.flow import StreamState
from sentinel_host.http.h2.wire import ConnectionFault, ErrorCode
from sentinel_host.http.server.budget import Budget

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
OPENING = PREFACE + SettingsFrame().serialize()
"""What a client begins with."""
FAULT = -9
"""Found in place of a fault of the connection."""
Found = tuple[Any, ...]


def raw(*frames: Frame | bytes) -> bytes:
    """Frames as they are sent."""
    return b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in frames)


class Out:
    """Implements `Output`."""

    def __init__(self, data: list[bytes | memoryview]) -> None:
        self.write = data.append


class Core:
    """A core with a clock that stands still. ``streams`` are those that the client opened."""

    def __init__(self, *, window: int = 65536, section: int = 32768, budget: int = 500) -> None:
        self.now = 0.0
        self.out: list[bytes | memoryview] = []
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.streams: dict[int, StreamState] = {}
        self.connection = Http2Connection(
            Out(self.out), lambda: self.now, Budget(budget, 33, 0.0), stream_window=window, max_section=section
        )

    def opened(self) -> Core:
        """This core, after the client's preface."""
        assert self.feed(OPENING) == []
        self.written()
        return self

    def block(self, fields: Iterable[tuple[bytes, bytes]] = ((b":method", b"GET"),)) -> bytes:
        """A header block as the client's encoder writes it."""
        return self.encoder.encode(fields)

    def feed(self, data: bytes, turn: int = 1 << 30) -> list[Found]:
        """Give bytes; what is found in them, with turns of so many frames. Ends at a fault of the
        connection.
        """
        self.connection.feed(data)
        return self.read(turn)

    def read(self, turn: int = 1 << 30) -> list[Found]:
        """What is found in what was given."""
        found: list[Found] = []
        connection = self.connection
        connection.begin_turn(turn)
        try:
            while (what := connection.read()) != core.NO_FRAME:
                if what == core.TURN_OVER:
                    connection.begin_turn(turn)
                else:
                    found.append(self._found(what))
        except ConnectionFault as fault:
            found.append((FAULT, fault.code))
        return found

    def _found(self, what: int) -> Found:
        connection = self.connection
        number = connection.number
        if what == core.REQUEST:
            self.streams[number] = connection.stream
        if what in (core.REQUEST, core.TRAILERS):
            return what, number, connection.fields, connection.is_whole, connection.ended
        if what == core.DATA:
            return what, number, connection.data, connection.ended
        if what == core.GOAWAY:
            return (what,)
        return what, number

    def written(self) -> list[Frame]:
        """The frames that were written since this was last called."""
        data = b"".join(self.out)
        self.out.clear()
        frames = []
        while data:
            frame, length = Frame.parse_frame_header(memoryview(data)[:9])
            frame.parse_body(memoryview(data)[9 : 9 + length])
            frames.append(frame)
            data = data[9 + length :]
        return frames

    def resets(self) -> list[tuple[int, ErrorCode]]:
        """The streams that were reset since `written` was last called, and why."""
        return [
            (frame.stream_id, ErrorCode(frame.error_code)) for frame in self.written() if hasattr(frame, "error_code")
        ]
