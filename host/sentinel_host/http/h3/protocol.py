"""Serves one HTTP/3 connection: wires its datagrams, aioquic and its requests.

Rule: A closing connection waits for the client's acknowledgements, as long as for a slow HTTP/1
      reader.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from aioquic.h3.connection import ErrorCode
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

from sentinel_host.http.field_section import Malformed, section_size
from sentinel_host.http.h3.connection import Http3Connection
from sentinel_host.http.h3.quic import Quic
from sentinel_host.http.h3.sink import Http3Sink
from sentinel_host.http.server.budget import Budget
from sentinel_host.http.server.connections import Connections, Listener
from sentinel_host.http.server.request_streams import HEAD_LATE, IDLE, RequestStreams
from sentinel_host.http.server.scope import ScopeBuilder
from sentinel_host.http.server.sink import ResetReason

# uvloop's timers count whole milliseconds.
_LEAST_WAIT: Final = 0.001
Address = tuple[Any, ...]


class _ExcessiveLoad(Exception):
    """The client made more work than its budget allows."""


@dataclass(frozen=True, slots=True)
class Path:
    """What a connection reports to its socket: datagrams, ids that come (true) or go, the end of
    the handshake, and its own end.
    """

    send: Callable[[bytes, Address], None]
    knows: Callable[[bytes, bool], None]
    shaken: Callable[[], None]
    forget: Callable[[], None]


class Http3Protocol:
    """``addresses`` are the client's and ours."""

    __slots__ = (
        "_budget",
        "_closing_ends",
        "_connection",
        "_connections",
        "_heads",
        "_is_closing",
        "_is_lost",
        "_last",
        "_loop",
        "_path",
        "_quic",
        "_requests",
        "_scopes",
        "_timer",
        "_transmit_due",
        "_unsent",
    )

    def __init__(
        self,
        listener: Listener,
        extensions: dict[str, dict[str, Any]],
        connections: Connections,
        quic: Quic,
        addresses: tuple[Address, Address],
        path: Path,
    ) -> None:
        limits = connections.limits
        self._connections = connections
        self._loop = connections.loop
        self._quic = quic
        self._path = path
        self._connection = Http3Connection(quic, self._written)
        self._scopes = ScopeBuilder(addresses[0][:2], addresses[1][:2], "https")
        self._requests = RequestStreams(listener, extensions, connections, self._scopes, "3", self._close_now)
        self._budget = Budget(limits.idle_frames, limits.idle_frames_per_second, self._loop.time())
        self._heads: set[int] = set()
        self._last = 0
        self._timer: asyncio.TimerHandle | None = None
        self._transmit_due = self._is_closing = self._is_lost = False
        self._closing_ends = inf
        # What was unsent when the closing deadline was set.
        self._unsent = 0
        quic.held = self._held
        connections.active.add(self)
        if connections.admit(self._scopes.client_host) is not None:
            connections.hit("connections")
            self._end(ErrorCode.H3_EXCESSIVE_LOAD, "too many connections")

    # What comes.

    def receive(self, data: bytes, address: Address) -> None:
        """One datagram of this connection."""
        self._quic.receive_datagram(data, address, now=self._loop.time())
        self._pump()

    def _pump(self) -> None:
        try:
            while (event := self._quic.next_event()) is not None:
                self._take_event(event)
            self._requests.begin()
            self._requests.watch_head(bool(self._heads))
        except _ExcessiveLoad:
            self._connections.hit("idle_frames")
            self._end(ErrorCode.H3_EXCESSIVE_LOAD, "too many frames that carry nothing")
        self._connection.wake()
        if self._is_closing and not self._quic.has_unsent:
            self._end_quic(ErrorCode.H3_NO_ERROR)
        self._transmit()

    def _take_event(self, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated):
            self._lose()
        elif isinstance(event, ConnectionIdIssued | ConnectionIdRetired):
            self._path.knows(event.connection_id, isinstance(event, ConnectionIdIssued))
        elif isinstance(event, ProtocolNegotiated):
            # The client has named the server that it asks for.
            self._scopes.tell_serves(self._quic.certificates.serves)
            self._connection.begin()
        elif isinstance(event, HandshakeCompleted):
            self._path.shaken()
        if self._is_closing:
            return
        number = getattr(event, "stream_id", -1)
        if isinstance(event, StreamDataReceived) and number % 4 == 0 and not self._knows(number):
            self._heads.add(number)
        for message in self._connection.read(event):
            if isinstance(message, HeadersReceived):
                self._take_headers(message)
            elif isinstance(message, DataReceived):
                self._take_data(message)
        if isinstance(event, StreamReset | StopSendingReceived):
            self._heads.discard(number)
            if number in self._requests.streams:
                self._connection.reset(number, ResetReason.CANCELLED)
                self._requests.reset(number)
                self._debit()

    def _knows(self, number: int) -> bool:
        return number in self._requests.streams or number in self._connection.was_reset

    def _take_headers(self, message: HeadersReceived) -> None:
        number = message.stream_id
        self._heads.discard(number)
        is_whole = section_size(message.headers) <= self._connections.limits.head_bytes
        stream = self._requests.streams.get(number)
        if stream is not None:
            if not stream.body.complete:
                try:
                    stream.push_trailers(message.headers, is_whole, message.stream_ended)
                except Malformed:
                    self._fault(number)
        elif number in self._connection.was_reset:
            return
        elif self._requests.draining:
            self._connection.reset(number, ResetReason.REFUSED)
        else:
            self._last = max(self._last, number)
            limits = self._connections.limits
            sink = Http3Sink(self._connection, number, max(limits.body_buffer, 1024))
            if not self._requests.accept(number, sink, message.headers, is_whole, message.stream_ended):
                self._debit()
            elif self._requests.used == limits.requests_per_connection:
                self._connections.hit("requests_per_connection")
                self._send_goaway()

    def _take_data(self, message: DataReceived) -> None:
        number = message.stream_id
        self._heads.discard(number)
        stream = self._requests.streams.get(number)
        if stream is None or stream.body.complete:
            return
        if not message.data and not message.stream_ended:
            self._debit()
        try:
            stream.push(message.data, message.stream_ended)
        except Malformed:
            self._fault(number)

    def _fault(self, number: int) -> None:
        self._debit()
        self._connection.reset(number, ResetReason.MALFORMED)
        self._requests.fail(number)

    def _debit(self) -> None:
        if not self._budget.spend(self._loop.time()):
            raise _ExcessiveLoad

    def _held(self, number: int) -> int:
        stream = self._requests.streams.get(number)
        return 0 if stream is None else stream.body.held

    # What goes.

    def _written(self) -> None:
        if not self._transmit_due:
            self._transmit_due = True
            self._loop.call_soon(self._transmit_now)

    def _transmit_now(self) -> None:
        self._transmit_due = False
        self._transmit()

    def _transmit(self) -> None:
        now = self._loop.time()
        for data, address in self._quic.datagrams_to_send(now=now):
            self._path.send(data, address)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self._quic.get_timer()
        if at is not None and not self._is_lost:
            self._timer = self._loop.call_at(max(at, now + _LEAST_WAIT), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._quic.handle_timer(now=self._loop.time())
        self._pump()

    # The end.

    def _end(self, code: int, reason: str) -> None:
        """Give the requests up, and say why."""
        if code != ErrorCode.H3_NO_ERROR:
            self._connections.hit("refused")
        self._is_closing = True
        self._requests.cancel_all()
        self._end_quic(code, reason)

    def _close_now(self) -> None:
        """Close once everything that was sent is acknowledged."""
        self._is_closing = self._requests.is_closed = True
        self._unsent = self._quic.all_unsent
        self._closing_ends = self._loop.time() + self._connections.limits.write_stalled
        if not self._quic.has_unsent:
            self._end_quic(ErrorCode.H3_NO_ERROR)

    def _end_quic(self, code: int, reason: str = "") -> None:
        self._quic.close(code, reason_phrase=reason)
        self._transmit()
        self._lose()

    def _send_goaway(self) -> None:
        self._requests.draining = True
        self._connection.send_goaway(self._last + 4 if self._requests.used else 0)

    def wind_down(self) -> None:
        """The worker is shutting down. Requests on their way are refused so that the client may
        retry them.
        """
        self.close_if_idle()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being read or answered."""
        return self._requests.is_idle

    def close_if_idle(self) -> None:
        """Take no more requests, and close with the last."""
        if self._is_closing:
            return
        if not self._requests.draining:
            self._send_goaway()
        if self._requests.is_idle:
            self._close_now()

    def abort(self) -> None:
        """End at once."""
        self._end(ErrorCode.H3_NO_ERROR, "")

    def _lose(self) -> None:
        """The connection is gone. aioquic may say it again."""
        if self._is_lost:
            return
        self._is_lost = self._is_closing = True
        self._connections.active.discard(self)
        self._connections.release(self._scopes.client_host)
        self._requests.cancel_all()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._path.forget()

    # Deadlines.

    def next_deadline(self) -> float:
        """The nearest of all streams', or that of a connection that closes."""
        return self._closing_ends if self._is_closing else self._requests.deadline

    def expire(self, now: float) -> None:
        """A deadline passed."""
        if self._is_closing:
            unsent = self._quic.all_unsent
            limits = self._connections.limits
            if self._unsent - unsent >= limits.body_progress:
                self._unsent = unsent
                self._closing_ends = now + limits.write_stalled
            else:
                self._connections.hit("write_stalled")
                self.abort()
            return
        late = self._requests.expire(now)
        if late == HEAD_LATE:
            self._end(ErrorCode.H3_EXCESSIVE_LOAD, "request head too slow")
        elif late == IDLE:
            self._end(ErrorCode.H3_NO_ERROR, "")
