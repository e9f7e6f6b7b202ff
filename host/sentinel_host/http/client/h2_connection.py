"""One HTTP/2 connection to an upstream: the transport of the core, and the streams on it (RFC
9113).

Rules:
1. The core decides what frames mean (`http.h2.connection`), a stream what they mean for its request
   (`h2_stream`).
2. What one upstream sends at once is looked at in turns, so that its frames do not hold up others.
3. Streams above GOAWAY's last, and those that were refused, were seen by nobody: their errors say
   so (`UNSENT`). The others go on.
4. No timer of its own: the owner calls ``check`` every now and then. An upstream that is silent
   while it has something to answer is asked with PING whether it is there.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any, Final, Protocol

from sentinel_host.errors import Progress, UpstreamError, UpstreamTimeout
from sentinel_host.http.batch import Batched, Output, WriteBatch
from sentinel_host.http.client._pending import has_no_pending_input
from sentinel_host.http.client.h2_stream import Http2Stream
from sentinel_host.http.client.request import UpstreamRequest
from sentinel_host.http.client.response import UpstreamResponse
from sentinel_host.http.client.target import Target, Timeouts
from sentinel_host.http.field_section import Fields, Malformed
from sentinel_host.http.h2 import wire
from sentinel_host.http.h2.connection import (
    DATA,
    GOAWAY,
    PONG,
    RESET,
    SETTINGS,
    STREAM_FAULT,
    TURN_OVER,
    Http2Connection,
)
from sentinel_host.http.h2.wire import ConnectionFault, ErrorCode
from sentinel_host.http.server.budget import Budget
from sentinel_host.http.tls.connection import TlsConnection

# Of one turn, some tenths of a millisecond.
_TURN: Final = 128
# What one response may send ahead of its reader; Go's client has 4 MiB, nginx's 64 KiB.
_STREAM_WINDOW: Final = 256 * 1024
# gRPC's servers measure a connection with PING, Go's once a round trip.
_IDLE_FRAMES: Final = 2000
_IDLE_FRAMES_PER_SECOND: Final = 1000
# Streams at a time, whatever the upstream allows: beyond them another connection serves.
_MOST_STREAMS: Final = 1000
# Seconds. gRPC's own keepalive asks no more often than every 10 s, and waits 20 s.
_PING_AFTER: Final = 15.0
_PING_TIME: Final = 10.0
# Bytes that are gathered before they leave at once: asyncio's high-water mark.
_GATHER: Final = 64 * 1024
_COPY_BELOW: Final = 16 * 1024


class Http2ConnectionOwner(Protocol):
    """Who holds connections, and is told what they become; nothing here may raise."""

    def on_room(self, connection: Http2ClientConnection) -> None:
        """The connection may take more streams than before."""
        ...

    def on_closed(self, connection: Http2ClientConnection) -> None:
        """The connection takes no more streams; those that it has may go on."""
        ...

    def on_gone(self, connection: Http2ClientConnection) -> None:
        """The connection is closed, or about to be."""
        ...

    def on_failure(self, error: UpstreamError) -> None:
        """A response broke off after its head."""
        ...


class Http2ClientConnection(Batched, Output):
    """An `asyncio.Protocol` in all but name, for a class that inherits from it is not compiled.

    ``alpn`` is what TLS negotiated: where that is not HTTP/2, the connection is `gone` from the
    beginning, and is to be handed over or abandoned. ``streams`` are under way. ``retires_at``, by
    the loop's clock, and ``requests_left`` are its owner's. ``closed`` is true once it takes no
    more streams, ``gone`` once it is closed.
    """

    __slots__ = (
        "_arrived",
        "_asked_at",
        "_batch",
        "_defers",
        "_descriptor",
        "_gathered",
        "_heard_at",
        "_loop",
        "_max_head_bytes",
        "_out",
        "_owner",
        "_reads_later",
        "_scheme",
        "_settled",
        "_target",
        "_timeouts",
        "_transport",
        "_unsent",
        "_waiting",
        "alpn",
        "closed",
        "core",
        "gone",
        "requests_left",
        "retires_at",
        "streams",
        "write_paused",
    )

    _transport: Any

    def __init__(
        self,
        owner: Http2ConnectionOwner,
        target: Target,
        timeouts: Timeouts,
        max_head_bytes: int,
        batch: WriteBatch,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._owner = owner
        self._target = target
        self._scheme = target.scheme.encode("ascii")
        self._timeouts = timeouts
        self._max_head_bytes = max_head_bytes
        self._batch = batch
        self._loop = loop
        self._transport = None
        self._descriptor = -1
        self._out: list[bytes | memoryview] = []
        self._gathered = 0
        self._defers = 0
        self._heard_at = loop.time()
        self._asked_at = inf
        self._reads_later = False
        self._waiting: list[Http2Stream] = []
        self._settled: asyncio.Future[None] | None = None
        self._unsent: set[Http2Stream] = set()
        # Of which something came in this turn. Their readers go on when all its frames are read.
        self._arrived: list[UpstreamResponse] = []
        self.core: Http2Connection = Http2Connection(
            self,
            loop.time,
            Budget(_IDLE_FRAMES, _IDLE_FRAMES_PER_SECOND, loop.time()),
            stream_window=_STREAM_WINDOW,
            max_section=max_head_bytes,
            is_client=True,
        )
        self.streams: dict[int, Http2Stream] = {}
        self.alpn: str | None = None
        self.closed = False
        self.gone = False
        self.requests_left = 0
        self.retires_at = inf
        self.write_paused = False

    @property
    def room(self) -> int:
        """How many streams may be added now."""
        return 0 if self.closed else min(self.core.max_streams, _MOST_STREAMS) - len(self.streams)

    # The request.

    def start(self, request: UpstreamRequest, section: Fields) -> UpstreamResponse:
        """Have a request leave; the response's ``head`` future tells when its head is there.

        What goes wrong before that is its exception, as with `ClientConnection.start`. ``section``
        is its head.
        """
        body = request.body
        if not self.streams:
            # An upstream may have given up a connection on which nothing was asked.
            self._heard_at = self._loop.time()
            self._defers = 0 if self._out else 2
        ends = isinstance(body, bytes) and not body and not request.upgrade
        state = self.core.open(section, ends)
        stream = Http2Stream(self, state, request, self._timeouts, self._max_head_bytes, self._loop)
        self.streams[state.number] = stream
        self._unsent.add(stream)
        self.requests_left -= 1
        stream.begin()
        if not self.requests_left or state.number >= wire.MAX_STREAM - 1:
            self.retire()
        return stream.response

    async def settled(self) -> bool:
        """Wait until the upstream has said what it allows; false when it closes before that."""
        while not self.core.is_settled and not self.gone:
            if self._settled is None:
                self._settled = self._loop.create_future()
            await asyncio.shield(self._settled)
        return self.core.is_settled

    def _wake_settled(self) -> None:
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes with the others of this turn."""
        out = self._out
        if not out:
            self._batch.add(self)
        out.append(data)
        self._gathered += len(data)
        if self._gathered > _GATHER:
            self.flush()

    def flush(self) -> None:
        """Part of `Batched`: have what was gathered leave."""
        out = self._out
        if not out or self.gone or self._transport is None:
            return
        if self._defers:
            if self._has_pending_input():
                # Perhaps its end: what is asked can still go elsewhere. It is read before this is
                # called again.
                self._defers -= 1
                self._loop.call_soon(self.flush)
                return
            self._defers = 0
        self._out = []
        gathered, self._gathered = self._gathered, 0
        if self._transport.is_closing():
            # None of it leaves: what is asked can still go elsewhere.
            return
        self._unsent.clear()
        if len(out) == 1:
            self._transport.write(out[0])
        elif gathered > _COPY_BELOW:
            self._transport.writelines(out)
        else:
            self._transport.write(b"".join(out))

    def _has_pending_input(self) -> bool:
        # To look into TLS is to take from it.
        return not isinstance(self._transport, TlsConnection) and not has_no_pending_input(self._descriptor)

    # As the carrier of its streams.

    def await_writable(self, stream: Http2Stream) -> None:
        """Part of `StreamCarrier`."""
        self._waiting.append(stream)

    def is_unsent(self, stream: Http2Stream) -> bool:
        """Part of `StreamCarrier`."""
        return stream in self._unsent

    def on_stream_ended(self, stream: Http2Stream) -> None:
        """Part of `StreamCarrier`."""
        if self.streams.pop(stream.state.number, None) is None:
            return
        self._unsent.discard(stream)
        if not self.closed:
            self._owner.on_room(self)
        elif not self.streams and not self.gone:
            self._loop.call_soon(self._close_quietly)

    def on_stream_failed(self, error: UpstreamError) -> None:
        """Part of `StreamCarrier`."""
        self._owner.on_failure(error)

    # The transport.

    def connection_made(self, transport: Any) -> None:
        """`asyncio.Protocol`."""
        self._transport = transport
        self._descriptor = transport.get_extra_info("socket").fileno()
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.alpn = tls.selected_alpn_protocol()
            if self.alpn != "h2":
                self.closed = self.gone = True
                return
        self.core.send_preface({wire.ENABLE_PUSH: 0, wire.MAX_HEADER_LIST_SIZE: self._max_head_bytes})

    def data_received(self, data: bytes) -> None:
        """`asyncio.Protocol`."""
        if self.gone:
            return
        batch = self._batch
        batch.enter()
        try:
            self._receive(data)
        finally:
            batch.leave()

    def _receive(self, data: bytes) -> None:
        core = self.core
        if not core.is_settled and data.startswith(b"HTTP/1."):
            self.break_off("it speaks HTTP/1, not HTTP/2", "malformed")
            return
        self._heard_at = self._loop.time()
        self._asked_at = inf
        core.feed(data)
        if not self._reads_later and self._read():
            self._reads_later = True
            self._transport.pause_reading()
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self.gone:
            return
        if self._read():
            self._loop.call_soon(self._go_on)
            return
        self._reads_later = False
        if not self.gone and not self._transport.is_closing():
            self._transport.resume_reading()

    def _read(self) -> bool:
        """Look at a turn's frames; whether there are more."""
        self.core.begin_turn(_TURN)
        found = 0
        try:
            found = self._read_frames()
        except ConnectionFault as fault:
            self.core.send_goaway(0, fault.code, str(fault))
            self.break_off(f"it broke a rule of HTTP/2: {fault}", "malformed")
        arrived, self._arrived = self._arrived, []
        for response in arrived:
            response.arrival.ring()
        # Who went on may have had the connection close.
        return found == TURN_OVER and not self.gone

    def _read_frames(self) -> int:
        core = self.core
        while not self.gone:
            found = core.read()
            if found < 0:
                return found
            if found == SETTINGS:
                self._wake_settled()
                if not self.closed:
                    self._owner.on_room(self)
            elif found == GOAWAY:
                self._leave()
            elif found != PONG:
                self._read_stream(found)
        return 0

    def _read_stream(self, found: int) -> None:
        core = self.core
        stream = self.streams.get(core.number)
        if stream is None:
            return
        if found == RESET:
            self._reset(stream, core.code)
            return
        if found == STREAM_FAULT:
            self._fail(stream, "it broke a rule of HTTP/2 on the request's stream", "malformed")
            return
        try:
            if found == DATA:
                stream.on_data(core.data, core.ended)
            else:
                stream.on_section(core.fields, core.is_whole, core.ended)
            self._arrived.append(stream.response)
        except Malformed as fault:
            self._fail(stream, str(fault), "malformed", ErrorCode.PROTOCOL_ERROR)

    def _reset(self, stream: Http2Stream, code: int) -> None:
        """RFC 9113 section 8.7: of a stream that was refused, nothing was processed."""
        if code == ErrorCode.REFUSED_STREAM:
            self._fail(stream, "it refused the request's stream", "reset", progress=Progress.UNSENT)
        elif code == ErrorCode.HTTP_1_1_REQUIRED:
            self._fail(stream, "it wants HTTP/1.1 for this request", "reset")
        else:
            self._fail(stream, f"it reset the request's stream: {_name(code)}", "reset")

    def _fail(
        self,
        stream: Http2Stream,
        reason: str,
        kind: str,
        code: ErrorCode | None = None,
        progress: Progress | None = None,
    ) -> None:
        made = stream.progress if progress is None else progress
        stream.fail(UpstreamError(f"upstream {self._target}: {reason}", kind, made), code)

    def _leave(self) -> None:
        """The upstream has said GOAWAY (RFC 9113 section 6.8)."""
        self._retire()
        last = self.core.goaway_last
        for number in [number for number in self.streams if number > last]:
            self._fail(
                self.streams[number],
                f"it goes away: {_name(self.core.goaway_code)}",
                "reset",
                progress=Progress.UNSENT,
            )
        if not self.streams:
            self._loop.call_soon(self._close_quietly)

    def eof_received(self) -> bool:
        """`asyncio.Protocol`."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """`asyncio.Protocol`."""
        self.break_off("the connection closed before a response came", "reset")

    def pause_writing(self) -> None:
        """`asyncio.Protocol`."""
        self.write_paused = True

    def resume_writing(self) -> None:
        """`asyncio.Protocol`."""
        self.write_paused = False
        waiting, self._waiting = self._waiting, []
        for stream in waiting:
            stream.pump()

    def hand_over(self, protocol: Any) -> None:
        """Give the transport to a connection that speaks what TLS negotiated instead."""
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        self._transport = None

    def abandon(self) -> None:
        """Close a connection that negotiated another protocol."""
        self._transport.abort()
        self._transport = None

    # The end.

    def check(self, now: float) -> None:
        """Close what has been idle or silent for too long."""
        for stream in list(self.streams.values()):
            stream.check(now, self._target)
        silent = now - self._heard_at
        if not self.core.is_settled and silent >= self._timeouts.connect:
            self.break_off(f"no SETTINGS within {self._timeouts.connect:g} s", "timeout")
        elif not self.streams:
            if silent >= self._timeouts.keepalive:
                self.retire()
        elif now - self._asked_at >= _PING_TIME:
            self.break_off(f"no answer to PING within {_PING_TIME:g} s", "timeout")
        elif silent >= _PING_AFTER and self._asked_at == inf:
            self._asked_at = now
            self.core.send_ping()

    def retire(self) -> None:
        """Take no more streams, and close with the last."""
        self._retire()
        if not self.streams:
            self._close_quietly()

    def _retire(self) -> None:
        if not self.closed:
            self.closed = True
            self._owner.on_closed(self)

    def _close_quietly(self) -> None:
        if not self.gone and not self.streams:
            self.core.send_goaway(0, ErrorCode.NO_ERROR)
            self._close()

    def break_off(self, reason: str, kind: str = "reset") -> None:
        """Close; requests under way fail with an UpstreamError of this ``kind``."""
        if self.gone:
            return
        streams = list(self.streams.values())
        progress = [stream.progress for stream in streams]
        self._close()
        for stream, made in zip(streams, progress, strict=True):
            how = "the response broke off" if made == Progress.RESPONDED and kind == "reset" else reason
            said = f"upstream {self._target}: {how}"
            stream.fail(UpstreamTimeout(said, made) if kind == "timeout" else UpstreamError(said, kind, made), None)

    def _close(self) -> None:
        self._retire()
        self.flush()
        self.gone = True
        self._wake_settled()
        self._owner.on_gone(self)
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            # Who reads nothing would hold the connection for as long as it likes.
            self._transport.abort()
        else:
            self._transport.close()


def _name(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code}"
