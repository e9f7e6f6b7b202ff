"""One HTTP/2 connection without I/O: what frames mean (RFC 9113 sections 5 and 6), and the frames
to send.

Rule 1: Only what leaves both sides with different ideas of the connection ends it
        (`ConnectionFault`): framing, header compression, the connection's window. Every other fault
        ends one stream.
Rule 2: Frames that make work and carry nothing come out of a budget; beyond it the connection ends
        with ENHANCE_YOUR_CALM.
Rule 3: A stream that we reset may go on for a while from the peer's side: what comes late is
        counted against the connection's window, given back, and ignored.
Rule 4: Both ends follow the same rules but for who opens streams: a client opens them, a server
        answers on them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sentinel_host.http.batch import Output
from sentinel_host.http.field_section import Fields
from sentinel_host.http.h2 import hpack, wire
from sentinel_host.http.h2.flow import CONNECTION_WINDOW, FlowControl, StreamState
from sentinel_host.http.h2.reader import NO_FRAME, TURN_OVER, FrameReader, unpadded
from sentinel_host.http.h2.wire import END_HEADERS, END_STREAM, ConnectionFault, ErrorCode
from sentinel_host.http.server.budget import Budget
from sentinel_host.http.server.response_fields import frame_response

# What `Http2Connection.read` finds, beside `NO_FRAME` and `TURN_OVER`.
_NOTHING: Final = 0
REQUEST: Final = 1
"""The peer opened a stream: `stream`, `fields`, `is_whole`, `ended`."""
TRAILERS: Final = 2
"""Another field section: `number`, `fields`, `is_whole`, `ended`."""
DATA: Final = 3
"""A piece of a body: `number`, `data`, `ended`."""
RESET: Final = 4
"""The peer reset the stream `number`, which was open."""
STREAM_FAULT: Final = 5
"""The peer broke a rule on the stream `number`, which was reset for it."""
GOAWAY: Final = 6
"""The peer will open no further stream, or answer on none after `goaway_last`: `goaway_code`."""
SETTINGS: Final = 7
"""The server has said what it allows: `max_streams`. For clients only."""
PONG: Final = 8
"""The server has answered a PING. For clients only."""

__all__ = [
    "DATA",
    "GOAWAY",
    "NO_FRAME",
    "PONG",
    "REQUEST",
    "RESET",
    "SETTINGS",
    "STREAM_FAULT",
    "TRAILERS",
    "TURN_OVER",
    "Http2Connection",
]

# Held of one header block, in heads' limits: more than any head that could still be answered with
# 431.
_MAX_BLOCK: Final = 8
# nghttp2 takes as many since CVE-2020-11080: each change of the windows' size goes to every stream.
_MAX_SETTINGS: Final = 32
# Streams that we reset and the peer may not know of yet; more than a budget lets it have refused at
# once.
_MAX_RESET: Final = 512
# RFC 9113 section 6.5.2 has servers allow no fewer; Go's client takes as many for granted until it
# is told.
_STREAMS_UNTIL_SETTLED: Final = 100
# A body that is written with its head: to copy it costs less than another write.
_TOGETHER: Final = 4 * 1024
# Below it one copy is cheaper than a scattered write.
_COPY_BELOW: Final = 16 * 1024
# Compiled, a name of another module is looked up each time.
_encode_section: Final = hpack.encode_section
_message_frames: Final = hpack.message_frames
_frame_response: Final = frame_response


class Http2Connection:
    """One end. It owns the streams that are not closed, their windows and the state of header
    compression.

    ``output`` takes the bytes to send; ``clock`` gives seconds. ``stream_window`` is what one stream
    may send ahead, in bytes; ``max_section`` bounds a field section. ``is_client`` says which end
    it is. A client's `max_streams` is how many streams the server allows at a time, and
    `allows_connect` whether it takes the extended CONNECT of RFC 8441; `is_settled` tells whether
    it has said so.
    """

    __slots__ = (
        "_budget",
        "_clock",
        "_hpack",
        "_is_client",
        "_output",
        "_reader",
        "_reset",
        "_streams",
        "allows_connect",
        "code",
        "data",
        "ended",
        "fields",
        "flow",
        "goaway_code",
        "goaway_last",
        "is_settled",
        "is_whole",
        "last",
        "max_streams",
        "number",
        "stream",
    )

    stream: StreamState

    def __init__(
        self,
        output: Output,
        clock: Callable[[], float],
        budget: Budget,
        *,
        stream_window: int,
        max_section: int,
        is_client: bool = False,
    ) -> None:
        self._output = output
        self._clock = clock
        self._budget = budget
        self._is_client = is_client
        self._reader = FrameReader(_MAX_BLOCK * max_section, b"" if is_client else wire.PREFACE)
        self._hpack = hpack.HpackDecoder(max_section)
        self._streams: dict[int, StreamState] = {}
        # In the order in which they were reset.
        self._reset: dict[int, None] = {}
        self.flow = FlowControl(stream_window)
        # The last stream that was opened.
        self.last = 0
        self.is_settled = False
        self.allows_connect = False
        self.max_streams = _STREAMS_UNTIL_SETTLED
        self.goaway_last = wire.MAX_STREAM
        self.goaway_code = 0
        # Why the peer reset a stream.
        self.code = 0
        self.number = 0
        self.fields: Fields = []
        self.data = b""
        self.is_whole = self.ended = False

    # Reading.

    def feed(self, data: bytes) -> None:
        """Take bytes, cut anywhere."""
        self._reader.feed(data)

    def clear(self) -> None:
        """Forget what has come: none of it will be read."""
        self._reader.clear()

    def begin_turn(self, frames: int) -> None:
        """Let `read` look at that many frames before it says `TURN_OVER`."""
        self._reader.begin_turn(frames)

    @property
    def head_is_begun(self) -> bool:
        """Whether a part of a frame or header block is here; DATA has the clocks of its stream."""
        return self._reader.head_is_begun

    def is_throttled(self) -> bool:
        """Whether the peer has lately used up more of its budget than a client in good faith
        would.
        """
        budget = self._budget
        # The time is asked for only where it matters.
        return budget.is_low() and budget.throttled(self._clock())

    def debit(self) -> None:
        """Count a frame that made work and carried nothing. Raises `ConnectionFault` when the
        budget is used up.
        """
        if not self._budget.spend(self._clock()):
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that carry nothing", "idle_frames")

    def read(self) -> int:
        """Look at frames until one concerns the caller; which, as above. Raises
        `ConnectionFault`.
        """
        reader = self._reader
        while True:
            kind = reader.next()
            if self._is_client and not self.is_settled and kind >= 0 and kind != wire.SETTINGS:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "no SETTINGS before other frames")
            if kind == wire.HEADERS:
                found = self._read_headers(reader.number, reader.flags, reader.payload)
            elif kind == wire.DATA:
                found = self._read_data(reader.number, reader.flags, reader.payload)
            elif kind == wire.WINDOW_UPDATE:
                found = self._read_window_update(reader.number, reader.payload)
            elif kind == wire.RST_STREAM:
                found = self._read_reset(reader.number, reader.payload)
            elif kind == wire.PRIORITY:
                found = self._read_priority(reader.number, reader.payload)
            elif kind == wire.PUSH_PROMISE:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a push that was not allowed")
            elif kind == wire.SETTINGS or kind == wire.PING or kind == wire.GOAWAY:
                if reader.number:
                    raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame of the connection on a stream")
                found = self._read_of_connection(kind, reader.flags, reader.payload)
            elif kind < 0:
                return kind
            else:
                self.debit()
                continue
            if found:
                return found

    def _read_headers(self, number: int, flags: int, block: bytes) -> int:
        if not number & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that no client opens")
        self.fields, self.is_whole = self._hpack.decode(block)
        self.number = number
        ended = self.ended = bool(flags & END_STREAM)
        if number > self.last:
            if self._is_client:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that was never opened")
            self.last = number
            flow = self.flow
            stream = self.stream = StreamState(number, flow.initial_window, 0 if ended else flow.stream_window)
            stream.remote_ended = ended
            self._streams[number] = stream
            return REQUEST
        known = self._streams.get(number)
        if known is None:
            if number not in self._reset:
                if not self._is_client:
                    raise ConnectionFault(ErrorCode.STREAM_CLOSED, "HEADERS on a closed stream")
                # A client may have reset more streams than are remembered.
                self.debit()
            return _NOTHING
        if known.remote_ended:
            return self._fault_on(number, ErrorCode.STREAM_CLOSED)
        if ended:
            self._end_remote(known)
        return TRAILERS

    def _read_data(self, number: int, flags: int, payload: bytes) -> int:
        size = len(payload)
        flow = self.flow
        credit = flow.receive(size)
        if credit:
            self._output.write(wire.window_update(0, credit))
        if flags & wire.PADDED:
            payload = unpadded(payload)
        stream = self._streams.get(number)
        if stream is None:
            if number == 0 or number > self.last:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "DATA on no stream")
            if number in self._reset:
                return _NOTHING
            if self._is_client:
                self.debit()
                return _NOTHING
            return self._fault_on(number, ErrorCode.STREAM_CLOSED)
        if stream.remote_ended:
            return self._fault_on(number, ErrorCode.STREAM_CLOSED)
        stream.receive_window -= size
        if stream.receive_window < 0:
            return self._fault_on(number, ErrorCode.FLOW_CONTROL_ERROR)
        if size != len(payload):
            self.consume(stream, size - len(payload))
        ended = bool(flags & END_STREAM)
        if ended:
            self._end_remote(stream)
        elif not payload:
            self.debit()
            return _NOTHING
        self.number = number
        self.data = payload
        self.ended = ended
        return DATA

    def _read_window_update(self, number: int, payload: bytes) -> int:
        if len(payload) != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE of another size")
        increment = wire.word(payload)
        if number == 0:
            self.flow.open_connection(increment)
            return _NOTHING
        stream = self._streams.get(number)
        if stream is None:
            self._check_opened(number)
            return _NOTHING
        if not increment:
            return self._fault_on(number, ErrorCode.PROTOCOL_ERROR)
        if not self.flow.open_stream(stream, increment):
            return self._fault_on(number, ErrorCode.FLOW_CONTROL_ERROR)
        return _NOTHING

    def _read_reset(self, number: int, payload: bytes) -> int:
        if len(payload) != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM of another size")
        self._check_opened(number)
        stream = self._streams.get(number)
        if stream is None:
            return _NOTHING
        self._drop(stream)
        if not self._is_client:
            # A server resets no more streams than the client has opened.
            self.debit()
        self.code = wire.code(payload)
        self.number = number
        return RESET

    def _check_opened(self, number: int) -> None:
        if number > self.last or not number & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame on a stream that was never opened")

    def _read_priority(self, number: int, payload: bytes) -> int:
        self.debit()
        if number == 0:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PRIORITY of no stream")
        if len(payload) == wire.PRIORITY_SIZE:
            return _NOTHING
        if number > self.last:
            # RFC 9113 section 6.4: no RST_STREAM for a stream that was never opened.
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "PRIORITY of another size")
        return self._fault_on(number, ErrorCode.FRAME_SIZE_ERROR)

    def _read_of_connection(self, kind: int, flags: int, payload: bytes) -> int:
        if kind == wire.GOAWAY:
            if len(payload) < wire.LEAST_GOAWAY:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY too short")
            self.goaway_last = wire.word(payload[:4])
            self.goaway_code = wire.code(payload[4:8])
            return GOAWAY
        if kind == wire.PING:
            if len(payload) != 8:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "PING of another size")
            self.debit()
            if not flags & wire.ACK:
                self._output.write(wire.frame_head(wire.PING, wire.ACK, 0, 8) + payload)
            return PONG if flags & wire.ACK and self._is_client else _NOTHING
        return self._read_settings(flags, payload)

    def _read_settings(self, flags: int, payload: bytes) -> int:
        if len(payload) % 6 or (flags & wire.ACK and payload):
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of another size")
        self.debit()
        if flags & wire.ACK:
            if not self.is_settled and self._is_client:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "no SETTINGS before other frames")
            return _NOTHING
        if len(payload) > 6 * _MAX_SETTINGS:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many settings in one frame")
        for setting, value in wire.read_settings(payload):
            if setting == wire.INITIAL_WINDOW_SIZE:
                self.flow.change_initial_window(value, list(self._streams.values()))
            elif setting == wire.MAX_FRAME_SIZE:
                self.flow.limit_frames(value)
            elif setting == wire.MAX_CONCURRENT_STREAMS:
                self.max_streams = value
            elif setting == wire.ENABLE_CONNECT_PROTOCOL and self._is_client:
                # RFC 8441 section 3: what was 1 stays 1.
                if value > 1 or value < self.allows_connect:
                    raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "ENABLE_CONNECT_PROTOCOL is neither 0 nor 1")
                self.allows_connect = value == 1
            elif setting == wire.ENABLE_PUSH and value > (0 if self._is_client else 1):
                # RFC 9113 section 6.5.2: a server says 0 at most.
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH has a value that it must not have")
        self._output.write(wire.SETTINGS_ACK)
        if not self._is_client:
            return _NOTHING
        if not self.is_settled:
            self.is_settled = True
            if self.max_streams == _STREAMS_UNTIL_SETTLED and not _says_streams(payload):
                self.max_streams = wire.MAX_STREAM
        return SETTINGS

    # Streams.

    def _end_remote(self, stream: StreamState) -> None:
        stream.remote_ended = True
        if stream.local_ended:
            self._drop(stream)

    def _end_local(self, stream: StreamState) -> None:
        stream.local_ended = True
        if stream.remote_ended:
            self._drop(stream)

    def _drop(self, stream: StreamState) -> None:
        if stream.is_kept:
            stream.is_kept = False
            # Where the key is known to be there, `del` takes three fifths of what `pop` does.
            del self._streams[stream.number]

    def _fault_on(self, number: int, code: ErrorCode) -> int:
        self.fault(number, code)
        self.number = number
        return STREAM_FAULT

    def fault(self, number: int, code: ErrorCode) -> None:
        """Reset a stream for what the peer did; that too is work it makes. Raises
        `ConnectionFault`.
        """
        self.debit()
        self._output.write(wire.reset(number, code))
        self._forget(number)

    def reset(self, stream: StreamState, code: ErrorCode) -> None:
        """Reset a stream, unless it is closed."""
        if stream.is_kept:
            self._output.write(wire.reset(stream.number, code))
            self._forget(stream.number)

    def _forget(self, number: int) -> None:
        stream = self._streams.get(number)
        if stream is not None:
            self._drop(stream)
            self._reset[number] = None
            if len(self._reset) > _MAX_RESET:
                del self._reset[next(iter(self._reset))]

    # Writing.

    def open(self, fields: Fields, end: bool) -> StreamState:
        """Open a stream with a request's fields; for clients, while `last` is below
        `wire.MAX_STREAM`.
        """
        number = self.last + 2 if self.last else 1
        self.last = number
        flow = self.flow
        stream = self._streams[number] = StreamState(number, flow.initial_window, flow.stream_window)
        self.send_headers(stream, 0, fields, end)
        return stream

    def send_ping(self) -> None:
        """Ask the peer whether it is there."""
        self._output.write(wire.frame_head(wire.PING, 0, 0, 8) + bytes(8))

    def send_preface(self, settings: dict[int, int]) -> None:
        """A client's preface, our SETTINGS, and a window for all streams together."""
        self._output.write(
            (wire.PREFACE if self._is_client else b"")
            + wire.settings({**settings, wire.INITIAL_WINDOW_SIZE: self.flow.stream_window})
            + wire.window_update(0, CONNECTION_WINDOW - wire.DEFAULT_WINDOW)
        )

    def send_goaway(self, last: int, code: ErrorCode, reason: str = "") -> None:
        """Say that streams after ``last`` are not served; the reason is for people who debug a
        client.
        """
        self._output.write(wire.goaway(last, code, reason))

    def send_headers(self, stream: StreamState, status: int, fields: Fields, end: bool) -> None:
        """A field section, in as many frames as the peer's frame size asks for; ``status`` begins
        it unless it is 0.
        """
        frame = _message_frames(stream.number, status, fields, None, end, self.flow.max_frame)
        if frame is not None:
            self._output.write(frame)
        else:
            self._send_in_frames(stream.number, _encode_section(status, fields), END_STREAM if end else 0)
        if end:
            self._end_local(stream)

    def _send_in_frames(self, number: int, block: bytes, flags: int) -> None:
        size = self.flow.max_frame
        self._output.write(wire.frame_head(wire.HEADERS, flags, number, size) + block[:size])
        for start in range(size, len(block), size):
            piece = block[start : start + size]
            last = END_HEADERS if start + size >= len(block) else 0
            self._output.write(wire.frame_head(wire.CONTINUATION, last, number, len(piece)) + piece)

    def send_response(
        self, stream: StreamState, status: int, fields: Fields, data: bytes | memoryview, end: bool
    ) -> bool:
        """HEADERS, and a DATA frame if there is room for it; whether there was."""
        flow = self.flow
        size = len(data)
        if size > flow.room(stream):
            self.send_headers(stream, status, fields, False)
            return False
        if size <= _TOGETHER and isinstance(data, bytes):
            frames = _message_frames(stream.number, status, fields, data, end, flow.max_frame)
            if frames is not None:
                flow.spend(stream, size)
                self._output.write(frames)
                if end:
                    self._end_local(stream)
                return True
        self.send_headers(stream, status, fields, False)
        self.send_data(stream, data, end)
        return True

    def send_whole(self, stream: StreamState, status: int, fields: Fields, date: bytes, data: bytes) -> bool:
        """HEADERS, and a DATA frame that ends the stream, for an ordinary response with a short body, if there is room
        for it; whether they were sent.
        """
        flow = self.flow
        size = len(data)
        if size > _TOGETHER or size > flow.room(stream):
            return False
        frames = _frame_response(stream.number, status, fields, date, data, flow.max_frame)
        if frames is None:
            return False
        flow.spend(stream, size)
        self._output.write(frames)
        self._end_local(stream)
        return True

    def send_data(self, stream: StreamState, data: bytes | memoryview, end: bool) -> None:
        """One DATA frame, for which there is room (`FlowControl.room`)."""
        size = len(data)
        self.flow.spend(stream, size)
        head = wire.frame_head(wire.DATA, END_STREAM if end else 0, stream.number, size)
        if size <= _COPY_BELOW and isinstance(data, bytes):
            self._output.write(head + data)
        else:
            self._output.write(head)
            self._output.write(data)
        if end:
            self._end_local(stream)

    def consume(self, stream: StreamState, size: int) -> bool:
        """Count what was taken of a stream's DATA; whether the peer was told that it may send
        more.
        """
        credit = self.flow.consume(stream, size)
        if credit:
            self._output.write(wire.window_update(stream.number, credit))
        return credit > 0


def _says_streams(payload: bytes) -> bool:
    """Whether a SETTINGS frame bounds the streams; without it they have no bound (RFC 9113 section
    6.5.2).
    """
    return any(setting == wire.MAX_CONCURRENT_STREAMS for setting, _ in wire.read_settings(payload))
