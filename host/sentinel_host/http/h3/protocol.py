"""One HTTP/3 connection: aioquic's events to the streams of HTTP/2, and their frames to aioquic.

Rule 1: What an application writes beyond `_SEND_AHEAD` bytes that the client has not acknowledged waits: that is the
        window of its stream here. QUIC's own windows are aioquic's affair.
Rule 2: Codes of errors are translated in one place; nothing but their numbers differs.
Rule 3: A connection that closes waits until the client has acknowledged what it was sent, for as long as a slow reader
        of HTTP/1 is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Final, cast

from aioquic.h3.connection import ErrorCode as H3ErrorCode
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.events import (
    ConnectionIdIssued,
    ConnectionIdRetired,
    ConnectionTerminated,
    HandshakeCompleted,
    ProtocolNegotiated,
    QuicEvent,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)
from hpack import Decoder

from sentinel_host.http.h2 import Http2Protocol
from sentinel_host.http.h2.hpack import weight
from sentinel_host.http.h2.wire import END_STREAM, MAX_WINDOW, ConnectionFault, ErrorCode
from sentinel_host.http.h3.quic import Quic, say_goaway
from sentinel_host.http.server.connections import Connections, Listener

_SEND_AHEAD: Final = 256 * 1024
# uvloop's timers count whole milliseconds.
_LEAST_WAIT: Final = 0.001
_CODES: Final = {
    ErrorCode.NO_ERROR: H3ErrorCode.H3_NO_ERROR,
    ErrorCode.PROTOCOL_ERROR: H3ErrorCode.H3_MESSAGE_ERROR,
    ErrorCode.INTERNAL_ERROR: H3ErrorCode.H3_INTERNAL_ERROR,
    ErrorCode.REFUSED_STREAM: H3ErrorCode.H3_REQUEST_REJECTED,
    ErrorCode.CANCEL: H3ErrorCode.H3_REQUEST_CANCELLED,
    ErrorCode.ENHANCE_YOUR_CALM: H3ErrorCode.H3_EXCESSIVE_LOAD,
}
Address = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """What a connection tells its socket: datagrams, ids that come (true) or go, the handshake's end, and its own."""

    send: Callable[[bytes, Address], None]
    knows: Callable[[bytes, bool], None]
    shaken: Callable[[], None]
    forget: Callable[[], None]


class Http3Protocol(Http2Protocol):
    """``addresses`` are the client's and ours."""

    __slots__ = ("_blocks", "_h3", "_heads", "_path", "_quic", "_timer", "_transmit_due")

    version = "3"

    def __init__(
        self,
        listener: Listener,
        extensions: dict[str, dict[str, Any]],
        connections: Connections,
        quic: Quic,
        addresses: tuple[Address, Address],
        path: Path,
    ) -> None:
        super().__init__(listener, extensions, connections)
        quic.held = self._held
        self._quic = quic
        self._h3: H3Connection | None = None
        self._path = path
        self._timer: asyncio.TimerHandle | None = None
        self._transmit_due = False
        self._heads: set[int] = set()
        self._blocks = Decoder()
        self.window = MAX_WINDOW
        self.initial_window = _SEND_AHEAD
        self.transport = cast(asyncio.Transport, _Transport(self))
        self._client, self._server = addresses[0][:2], addresses[1][:2]
        self.client_host = self._client[0]
        self.tls = True
        self._scheme = "https"
        connections.active.add(self)
        if connections.admit(self.client_host) is not None:
            connections.hit("connections")
            self._end(ErrorCode.ENHANCE_YOUR_CALM, "too many connections")

    # What comes.

    def receive(self, data: bytes, address: Address) -> None:
        """One datagram of this connection."""
        self._quic.receive_datagram(data, address, now=self.loop.time())
        self._pump()

    def _pump(self) -> None:
        try:
            while (event := self._quic.next_event()) is not None:
                self._take_event(event)
            self._begin_requests()
            self._watch_heads()
        except ConnectionFault as fault:
            self._end(fault.code, str(fault))
        for stream in list(self.streams.values()):
            room = _SEND_AHEAD - self._quic.unsent(stream.id)
            if room > stream.window:
                stream.window_opened(room - stream.window)
        if self._ignoring and not self._quic.has_unsent:
            self._end_quic(ErrorCode.NO_ERROR)
        self._transmit()

    def _take_event(self, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated):
            self.connection_lost(None)
        elif isinstance(event, ConnectionIdIssued | ConnectionIdRetired):
            self._path.knows(event.connection_id, isinstance(event, ConnectionIdIssued))
        elif isinstance(event, ProtocolNegotiated):
            self._h3 = H3Connection(self._quic)
        elif isinstance(event, HandshakeCompleted):
            self._path.shaken()
        if self._h3 is None or self._ignoring:
            return
        number = getattr(event, "stream_id", -1)
        if isinstance(event, StreamDataReceived) and number % 4 == 0 and not self._knows(number):
            self._heads.add(number)
        for message in self._h3.handle_event(event):
            if isinstance(message, HeadersReceived):
                self._take_headers(message)
            elif isinstance(message, DataReceived):
                self._heads.discard(message.stream_id)
                stream = self.streams.get(message.stream_id)
                if stream is not None and not stream.complete:
                    stream.take_window(len(message.data))
                    self._body(message.stream_id, stream, message.data, message.stream_ended)
        if isinstance(event, StreamReset | StopSendingReceived):
            self._heads.discard(number)
            stream = self.streams.pop(number, None)
            if stream is not None:
                self.write_reset(number, ErrorCode.CANCEL)
                stream.leave()
                self.charge()

    def _knows(self, number: int) -> bool:
        return number in self.streams or number in self._ended_early

    def _take_headers(self, message: HeadersReceived) -> None:
        number = message.stream_id
        self._heads.discard(number)
        stream = self.streams.get(number)
        if stream is not None:
            if not stream.complete:
                self._trailers(stream, message.headers, message.stream_ended)
        elif number in self._ended_early:
            return
        elif self._going:
            self._turn_away(number, message.stream_ended, ErrorCode.REFUSED_STREAM)
        else:
            self._last = max(self._last, number)
            whole = weight(message.headers) <= self.connections.limits.head_bytes
            self._request(number, message.headers, whole, message.stream_ended)

    def _watch_heads(self) -> None:
        """A head that is begun has as long as one on HTTP/1."""
        if not self._heads:
            self._block_ends = inf
        elif self._block_ends == inf:
            self._block_ends = self.loop.time() + self.connections.limits.head_time
            self.watch(self._block_ends)

    def _held(self, number: int) -> int:
        stream = self.streams.get(number)
        return 0 if stream is None else stream.held

    def unsent(self) -> int:
        """Bytes that the client has not acknowledged."""
        return sum(self._quic.unsent(number) for number in self.streams) or int(self._quic.has_unsent)

    # What goes.

    def write_headers(self, stream: int, block: bytes, flags: int) -> None:
        """A header block without a dynamic table (`h2.response`), in QPACK."""
        fields = [(bytes(name), bytes(value)) for name, value in self._blocks.decode(block, raw=True)]
        self._written()
        if self._h3 is not None:
            self._h3.send_headers(stream, fields, bool(flags & END_STREAM))

    def write_data(self, stream: int, data: bytes | memoryview, *, end: bool) -> None:
        """As on HTTP/2; the stream's window is what may be on its way."""
        self._written()
        if self._h3 is not None:
            self._h3.send_data(stream, bytes(data), end)

    def write_reset(self, stream: int, code: ErrorCode) -> None:
        """End what is open of a stream: after a whole response that is only what the client still sends."""
        self._written()
        number = _CODES.get(code, H3ErrorCode.H3_GENERAL_PROTOCOL_ERROR)
        if code is not ErrorCode.NO_ERROR:
            self._quic.reset_stream(stream, number)
        if not self._quic.has_ended(stream):
            self._quic.stop_stream(stream, number)

    def open_window(self, number: int, size: int) -> None:
        """What was taken shows in `Quic.held`."""
        self._written()

    def _written(self) -> None:
        if not self._transmit_due:
            self._transmit_due = True
            self.loop.call_soon(self._transmit_now)

    def _transmit_now(self) -> None:
        self._transmit_due = False
        self._transmit()

    def _transmit(self) -> None:
        now = self.loop.time()
        for data, address in self._quic.datagrams_to_send(now=now):
            self._path.send(data, address)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self._quic.get_timer()
        if at is not None and not self.lost:
            self._timer = self.loop.call_at(max(at, now + _LEAST_WAIT), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._quic.handle_timer(now=self.loop.time())
        self._pump()

    # The end.

    def _end(self, code: ErrorCode, reason: str) -> None:
        if code is not ErrorCode.NO_ERROR:
            self.connections.hit("refused")
        self._leave_all()
        self._end_quic(code, reason)

    def _close_now(self) -> None:
        self._ignoring = True
        self._watch_unsent()
        self._idle_ends = self.loop.time() + self.connections.limits.linger
        self.watch(self._idle_ends)
        if not self._quic.has_unsent:
            self._end_quic(ErrorCode.NO_ERROR)

    def _end_quic(self, code: ErrorCode, reason: str = "") -> None:
        self._quic.close(_CODES.get(code, H3ErrorCode.H3_GENERAL_PROTOCOL_ERROR), reason_phrase=reason)
        self._transmit()
        self.connection_lost(None)

    def _say_last(self) -> None:
        self._going = True
        if self._h3 is not None:
            say_goaway(self._h3, self._quic, self._last + 4 if self._used else 0)
            self._written()

    def wind_down(self) -> None:
        """The worker is shutting down. What a client has on its way is refused in a way that lets it ask elsewhere."""
        self.close_if_idle()

    def delivery(self, now: float) -> tuple[int, int]:
        """Nothing is hidden: a stream's window is opened by what was acknowledged of it."""
        return 0, 0

    def abort(self) -> None:
        """End at once."""
        self._leave_all()
        self._end_quic(ErrorCode.NO_ERROR)

    def _reset(self) -> None:
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Once; aioquic may say it again."""
        if self.lost:
            return
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._path.forget()


class _Transport:
    """What streams and deadlines want of a transport."""

    def __init__(self, protocol: Http3Protocol) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return self._protocol.lost

    def get_write_buffer_size(self) -> int:
        return self._protocol.unsent()

    def get_extra_info(self, name: str) -> None:
        """Nothing: the socket is everybody's."""
