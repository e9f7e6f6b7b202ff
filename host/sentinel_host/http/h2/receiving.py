"""The receiving half of an HTTP/2 connection: what frames mean (RFC 9113 sections 5 and 6).

Rule 1: Only what leaves both sides with different ideas of the connection ends it (`ConnectionFault`): framing, header
        compression, the connection's window. Every other fault ends one stream.
Rule 2: The reader never waits. DATA is held by its stream, whose window bounds it; the connection's own window is given
        back as DATA arrives, so that no stream can take it away from the others.
Rule 3: A stream that we ended first may go on for a while from the peer's side: what comes late is counted against the
        connection's window, given back, and ignored.
"""

from __future__ import annotations

from typing import Final

from sentinel_host.http.h2 import wire
from sentinel_host.http.h2.framing import FramingSide, unpadded
from sentinel_host.http.h2.hpack import Fields, HpackDecoder
from sentinel_host.http.h2.request import Malformed, check_trailers
from sentinel_host.http.h2.sending import MOST_FRAME
from sentinel_host.http.h2.stream import Stream
from sentinel_host.http.h2.wire import ConnectionFault, ErrorCode
from sentinel_host.http.server.connections import Connections
from sentinel_host.http.server.limits import LimitExceeded
from sentinel_host.http.server.phases import DONE

# What all streams together may send before the connection's window is renewed; Go's net/http has 1 MiB.
_CONNECTION_WINDOW: Final = 1 << 20
# nghttp2 takes as many since CVE-2020-11080: each change of the windows' size goes to every stream.
_MAX_SETTINGS: Final = 32
# Streams that we ended first and the peer may not know of yet.
_MAX_ENDED_EARLY: Final = 256


class ReceivingSide(FramingSide):
    """Knows the streams; what a request is, and how the connection lives and ends, is for its heir to say."""

    __slots__ = (
        "_credit",
        "_ended_early",
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
        self._credit = 0
        self._receive_window = _CONNECTION_WINDOW
        self._ended_early: dict[int, None] = {}
        self._last = 0

    def _request(self, number: int, fields: Fields, whole: bool, ended: bool) -> None:
        raise NotImplementedError

    def _peer_leaves(self) -> None:
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
            payload = unpadded(payload)
        stream = self.streams.get(number)
        if stream is None or stream.complete:
            self._late_data(number, stream)
            return
        if not stream.take_window(size):
            self._stream_fault(number, ErrorCode.FLOW_CONTROL_ERROR)
            return
        if size != len(payload):
            stream.give_credit(size - len(payload))
        self._body(number, stream, payload, bool(flags & wire.END_STREAM))

    def _body(self, number: int, stream: Stream, payload: bytes, ended: bool) -> None:
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
        if stream.phase == DONE:
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
            self.credited += increment
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
            if len(payload) != wire.PRIORITY_SIZE:
                if number > self._last:
                    # RFC 9113 section 6.4: no RST_STREAM for a stream that was never opened.
                    raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "PRIORITY of another size")
                self._stream_fault(number, ErrorCode.FRAME_SIZE_ERROR)
        elif kind in (wire.SETTINGS, wire.PING, wire.GOAWAY):
            if number:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame of the connection on a stream")
            if kind == wire.SETTINGS:
                self._settings(flags, payload)
            elif kind == wire.PING:
                self._ping(flags, payload)
            else:
                if len(payload) < wire.LEAST_GOAWAY:
                    raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY too short")
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
        if len(payload) > 6 * _MAX_SETTINGS:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many settings in one frame")
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
