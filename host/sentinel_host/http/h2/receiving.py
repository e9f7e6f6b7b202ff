"""The receiving half of an HTTP/2 connection: bytes to frames, frames to what they mean (RFC 9113 sections 4 to 6).

Rule 1: Only what leaves both sides with different ideas of the connection ends it (`ConnectionFault`): framing, header
        compression, the connection's window. Every other fault ends one stream.
Rule 2: The reader never waits. DATA is held by its stream, whose window bounds it; the connection's own window is given
        back as DATA arrives, so that no stream can take it away from the others.
Rule 3: A stream that we ended first may go on for a while from the peer's side: what comes late is counted against the
        connection's window, given back, and ignored.
Rule 4: Frames that make work and carry nothing come out of a budget; beyond it the connection ends with
        ENHANCE_YOUR_CALM. So do header blocks in too many pieces.
"""

from __future__ import annotations

from math import inf
from typing import Final

from sentinel_host.http.h2 import wire
from sentinel_host.http.h2.budget import Budget
from sentinel_host.http.h2.hpack import Fields, HpackDecoder
from sentinel_host.http.h2.request import Malformed, check_trailers
from sentinel_host.http.h2.sending import MOST_FRAME, SendingSide
from sentinel_host.http.h2.stream import DONE, Stream
from sentinel_host.http.h2.wire import ConnectionFault, ErrorCode
from sentinel_host.http.lane.connections import Connections
from sentinel_host.http.lane.limits import LimitExceeded

# Held of one header block, in heads' limits and in frames: more than any head that could still be answered with 431.
_MAX_BLOCK: Final = 8
_MAX_CONTINUATIONS: Final = 256
# What all streams together may send before the connection's window is renewed; Go's net/http has 1 MiB.
_CONNECTION_WINDOW: Final = 1 << 20
# Streams that we ended first and the peer may not know of yet.
_MAX_ENDED_EARLY: Final = 256


class ReceivingSide(SendingSide):
    """Knows the streams; what a request is, and how the connection lives and ends, is for its heir to say."""

    __slots__ = (
        "_block",
        "_block_ends",
        "_block_flags",
        "_block_stream",
        "_budget",
        "_buffer",
        "_continuations",
        "_credit",
        "_ended_early",
        "_greeted",
        "_ignoring",
        "_last",
        "_receive_window",
        "_table",
        "stream_window",
        "streams",
    )

    def __init__(self, connections: Connections) -> None:
        super().__init__(connections)
        limits = connections.limits
        self.streams: dict[int, Stream] = {}
        self.stream_window = min(max(limits.body_buffer, 1024), wire.MAX_WINDOW)
        self._table = HpackDecoder(limits.head_bytes)
        self._budget = Budget(limits.idle_frames, limits.idle_frames_per_second, self.loop.time())
        self._buffer = b""
        self._block = bytearray()
        self._block_stream = 0
        self._block_flags = 0
        self._block_ends = inf
        self._continuations = 0
        self._credit = 0
        self._receive_window = _CONNECTION_WINDOW
        self._ended_early: dict[int, None] = {}
        self._last = 0
        self._greeted = self._ignoring = False

    def _request(self, number: int, fields: Fields, whole: bool, ended: bool) -> None:
        raise NotImplementedError

    def _end(self, code: ErrorCode, reason: str) -> None:
        raise NotImplementedError

    def _peer_leaves(self) -> None:
        raise NotImplementedError

    def watch(self, deadline: float) -> None:
        raise NotImplementedError

    def end_early(self, stream: Stream, code: ErrorCode) -> None:
        """Reset a stream that its peer may still send on."""
        self.write_reset(stream.id, code)
        self._forget(stream)

    def _forget(self, stream: Stream) -> None:
        self.streams.pop(stream.id, None)
        ended = self._ended_early
        ended[stream.id] = None
        if len(ended) > _MAX_ENDED_EARLY:
            del ended[next(iter(ended))]

    def greet(self) -> None:
        """Our SETTINGS, and a window for all streams together."""
        limits = self.connections.limits
        self.write(
            wire.settings(
                {
                    wire.MAX_CONCURRENT_STREAMS: limits.streams_per_connection,
                    wire.INITIAL_WINDOW_SIZE: self.stream_window,
                    wire.MAX_HEADER_LIST_SIZE: limits.head_bytes,
                    wire.ENABLE_CONNECT_PROTOCOL: 1,
                }
            )
            + wire.window_update(0, _CONNECTION_WINDOW - wire.DEFAULT_WINDOW)
        )

    def data_received(self, data: bytes) -> None:
        """Bytes, cut anywhere."""
        if self._ignoring:
            return
        if self._buffer:
            data = self._buffer + data
        try:
            position = self._read(data)
        except ConnectionFault as fault:
            self._end(fault.code, str(fault))
        else:
            self._buffer = data[position:] if position < len(data) else b""
            self._watch_unfinished()

    def _read(self, data: bytes) -> int:
        """Handle whole frames; answer where the first unfinished one begins."""
        position, end = 0, len(data)
        if not self._greeted:
            if end < len(wire.PREFACE) + wire.FRAME_HEAD_SIZE and wire.PREFACE.startswith(data[: len(wire.PREFACE)]):
                return 0
            if not data.startswith(wire.PREFACE) or data[len(wire.PREFACE) + 3] != wire.SETTINGS:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "no preface, or no SETTINGS after it")
            self._greeted = True
            position = len(wire.PREFACE)
        unpack = wire.FRAME_HEAD.unpack_from
        while end - position >= 9:
            high, low, kind, flags, number = unpack(data, position)
            length = high << 8 | low
            if length > wire.DEFAULT_FRAME:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a frame too large")
            if end - position - 9 < length:
                break
            position += 9
            payload = data[position : position + length]
            position += length
            number &= 0x7FFFFFFF
            if self._block_stream and (kind != wire.CONTINUATION or number != self._block_stream):
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame inside a header block")
            if kind == wire.DATA:
                self._data(number, flags, payload)
            elif kind == wire.HEADERS:
                self._headers(number, flags, payload)
            elif kind == wire.WINDOW_UPDATE:
                self._window_update(number, payload)
            else:
                self._other(kind, number, flags, payload)
            if self._ignoring:
                return end
        return position

    def _watch_unfinished(self) -> None:
        """A head that is begun has as long as one on HTTP/1; DATA has the clocks of its stream."""
        if not self._block_stream and (not self._buffer or self._buffer[3:4] == b"\0"):
            self._block_ends = inf
        elif self._block_ends == inf:
            self._block_ends = self.loop.time() + self.connections.limits.head_time
            self.watch(self._block_ends)

    def charge(self) -> None:
        """Count a frame that made work and carried nothing."""
        if not self._budget.spend(self.loop.time()):
            self.connections.hit("idle_frames")
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def _stream_fault(self, number: int, code: ErrorCode) -> None:
        """End one stream for what the peer did; that too is work it makes."""
        self.charge()
        stream = self.streams.get(number)
        if stream is None:
            self.write_reset(number, code)
        else:
            self.connections.hit("refused")
            self.end_early(stream, code)
            stream.leave()

    # Frames.

    def _data(self, number: int, flags: int, payload: bytes) -> None:
        size = len(payload)
        self._receive_window -= size
        if self._receive_window < 0:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window was overrun")
        self._credit += size
        if self._credit >= _CONNECTION_WINDOW // 2:
            self.write(wire.window_update(0, self._credit))
            self._receive_window += self._credit
            self._credit = 0
        if flags & wire.PADDED:
            payload = _unpadded(payload)
        stream = self.streams.get(number)
        if stream is None or stream.complete:
            self._late_data(number, stream)
            return
        if not stream.take_window(size):
            self._stream_fault(number, ErrorCode.FLOW_CONTROL_ERROR)
            return
        if size != len(payload):
            stream.give_credit(size - len(payload))
        ended = flags & wire.END_STREAM
        if payload:
            stream.received += len(payload)
            if stream.expected >= 0:
                stream.expected -= len(payload)
                if stream.expected < 0:
                    self._stream_fault(number, ErrorCode.PROTOCOL_ERROR)
                    return
            most = self.connections.limits.body_bytes
            if most is not None and stream.received > most:
                self.connections.hit("body_bytes")
                stream.fail(LimitExceeded("body_bytes", "request body too large", 413))
                return
            stream.push(payload)
        elif not ended:
            self.charge()
        if ended:
            if stream.expected > 0:
                self._stream_fault(number, ErrorCode.PROTOCOL_ERROR)
            else:
                self._body_ended(stream)

    def _body_ended(self, stream: Stream) -> None:
        stream.end_body()
        if stream.phase is DONE:
            # A tunnel, whose other direction has ended before.
            self.streams.pop(stream.id, None)

    def _late_data(self, number: int, stream: Stream | None) -> None:
        if number == 0 or number > self._last:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "DATA on no stream")
        if number in self._ended_early:
            return
        if stream is not None and stream.failed:
            return
        self._stream_fault(number, ErrorCode.STREAM_CLOSED)

    def open_window(self, number: int, size: int) -> None:
        """Let a stream's peer send that much more."""
        self.write(wire.window_update(number, size))

    def _headers(self, number: int, flags: int, payload: bytes) -> None:
        if not number & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that is not a client's")
        if flags & wire.PADDED:
            payload = _unpadded(payload)
        if flags & wire.WITH_PRIORITY:
            if len(payload) < 5:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short")
            payload = payload[5:]
        if flags & wire.END_HEADERS:
            self._header_block(number, flags, payload)
        else:
            self._block = bytearray(payload)
            self._block_stream = number
            self._block_flags = flags
            self._continuations = 0

    def _continuation(self, number: int, flags: int, payload: bytes) -> None:
        if not self._block_stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._continuations += 1
        self._block += payload
        most = _MAX_BLOCK * self.connections.limits.head_bytes
        if self._continuations > _MAX_CONTINUATIONS or len(self._block) > most:
            self.connections.hit("head_bytes")
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a header block without end")
        if flags & wire.END_HEADERS:
            block, self._block = bytes(self._block), bytearray()
            self._block_stream = 0
            self._header_block(number, self._block_flags, block)

    def _header_block(self, number: int, flags: int, block: bytes) -> None:
        fields, whole = self._table.decode(block)
        ended = bool(flags & wire.END_STREAM)
        if number > self._last:
            self._last = number
            self._request(number, fields, whole, ended)
            return
        stream = self.streams.get(number)
        if stream is None:
            if number not in self._ended_early:
                raise ConnectionFault(ErrorCode.STREAM_CLOSED, "HEADERS on a closed stream")
        elif stream.complete:
            if not stream.failed:
                self._stream_fault(number, ErrorCode.STREAM_CLOSED)
        elif not whole:
            self.connections.hit("head_bytes")
            stream.fail(LimitExceeded("head_bytes", "trailer section too large", 431))
        else:
            self._trailers(stream, fields, ended)

    def _trailers(self, stream: Stream, fields: Fields, ended: bool) -> None:
        try:
            check_trailers(fields)
            if not ended or stream.expected > 0:
                raise Malformed("trailers that do not end the stream, or a body that is too short")
        except Malformed:
            self._stream_fault(stream.id, ErrorCode.PROTOCOL_ERROR)
        else:
            stream.trailers = fields
            self._body_ended(stream)

    def _window_update(self, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE of another size")
        increment = wire.word(payload)
        if number == 0:
            self.window += increment
            if not increment:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a window update of zero")
            if self.window > wire.MAX_WINDOW:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window too large")
            self.pass_on()
            return
        stream = self.streams.get(number)
        if stream is None:
            self._not_idle(number)
        elif not increment:
            self._stream_fault(number, ErrorCode.PROTOCOL_ERROR)
        elif stream.window + increment > wire.MAX_WINDOW:
            self._stream_fault(number, ErrorCode.FLOW_CONTROL_ERROR)
        else:
            stream.window_opened(increment)

    def _not_idle(self, number: int) -> None:
        if number > self._last or not number & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame on a stream that was never opened")

    def _other(self, kind: int, number: int, flags: int, payload: bytes) -> None:
        if kind == wire.CONTINUATION:
            self._continuation(number, flags, payload)
        elif kind == wire.RST_STREAM:
            self._rst_stream(number, payload)
        elif kind == wire.PUSH_PROMISE:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a client does not push")
        elif kind == wire.PRIORITY:
            self.charge()
            if number == 0:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PRIORITY of no stream")
            if len(payload) != 5:
                self._stream_fault(number, ErrorCode.FRAME_SIZE_ERROR)
        elif kind in (wire.SETTINGS, wire.PING, wire.GOAWAY):
            if number:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame of the connection on a stream")
            if kind == wire.SETTINGS:
                self._settings(flags, payload)
            elif kind == wire.PING:
                self._ping(flags, payload)
            else:
                self._peer_leaves()
        else:
            self.charge()

    def _rst_stream(self, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM of another size")
        self._not_idle(number)
        stream = self.streams.pop(number, None)
        if stream is not None:
            stream.leave()
            self.charge()

    def _ping(self, flags: int, payload: bytes) -> None:
        if len(payload) != 8:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "PING of another size")
        self.charge()
        if not flags & wire.ACK:
            self.write(wire.frame_head(wire.PING, wire.ACK, 0, 8) + payload)

    def _settings(self, flags: int, payload: bytes) -> None:
        if len(payload) % 6 or (flags & wire.ACK and payload):
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of another size")
        self.charge()
        if flags & wire.ACK:
            return
        for setting, value in wire.read_settings(payload):
            if setting == wire.INITIAL_WINDOW_SIZE:
                self._initial_window(value)
            elif setting == wire.MAX_FRAME_SIZE:
                if not wire.DEFAULT_FRAME <= value < 1 << 24:
                    raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame size out of range")
                self.max_frame = min(value, MOST_FRAME)
            elif setting == wire.ENABLE_PUSH and value > 1:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1")
        self.write(wire.SETTINGS_ACK)

    def _initial_window(self, value: int) -> None:
        if value > wire.MAX_WINDOW:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window too large")
        difference = value - self.initial_window
        self.initial_window = value
        for stream in self.streams.values():
            if stream.window + difference > wire.MAX_WINDOW:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window too large")
            stream.window_opened(difference)


def _unpadded(payload: bytes) -> bytes:
    """RFC 9113 section 6.1: padding may not be longer than what is left."""
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "padding longer than its frame")
    return payload[1 : len(payload) - payload[0]]
