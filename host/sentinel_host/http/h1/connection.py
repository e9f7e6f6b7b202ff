"""One HTTP/1.1 server connection without its socket: reading, keep-alive, drain, deadlines (RFC
9112).

Rule 1: This module alone decides what a connection does next. Every change of ``state`` is in
        `states.TRANSITIONS`. Bytes and times come in; a number of `h1.actions` comes out. No call
        does I/O, reads a clock or calls back.
Rule 2: Requests are served one at a time. Pipelined requests stay bytes until the response before
        them is complete; ``paused`` bounds how many bytes.
Rule 3: When the application reads a body too slowly, ``paused`` stops reading from the socket.
Rule 4: Every state that waits for the client has a deadline.
Rule 5: After a refusal no further byte is interpreted.
Rule 6: The connection lingers after its last response. Closing with unread bytes in the socket
        would reset it, and the client might lose the response (RFC 9112 9.6).
"""

from __future__ import annotations

from math import inf
from typing import Final

from sentinel_host.errors import ClientError
from sentinel_host.http.h1.actions import (
    CLOSE,
    CUT_OFF,
    DATA,
    FAULT,
    LINGER,
    LINGERED,
    NOTHING,
    REFUSAL,
    REQUEST,
    RESET,
    STALLED,
    UPGRADE,
)
from sentinel_host.http.h1.bodies import ChunkDecoder, LengthDecoder
from sentinel_host.http.h1.framer import ResponseFramer
from sentinel_host.http.h1.head import CHUNKED
from sentinel_host.http.h1.head_reader import COMPLETE, PREFACE, REFUSED, HeadReader
from sentinel_host.http.h1.parsed_head import ParsedHead
from sentinel_host.http.h1.states import (
    ANSWERED,
    ANSWERING,
    BODILESS,
    BODY,
    BODY_ENDS,
    BODY_FAILS,
    DRAINING,
    ENDING,
    ENDS,
    EVENTS,
    HEAD,
    SWITCHED,
    TRANSITIONS,
    TUNNEL,
    TUNNELLED,
    UNTIL_CLOSE,
    WITH_BODY,
)
from sentinel_host.http.relay import KEPT
from sentinel_host.http.server.limit_exceeded import LimitExceeded, limit_of
from sentinel_host.http.server.limits import ServerLimits
from sentinel_host.http.server.phases import DONE

# The transitions as a flat tuple, with -1 for one that does not exist: a look-up costs a few
# instructions.
_NEXT: Final = tuple(TRANSITIONS[state].get(event, -1) for state in range(len(TRANSITIONS)) for event in range(EVENTS))
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
RECENT: Final = 0.25
"""Seconds: a connection used this recently may have its next request on the way when the worker
shuts down.
"""
# Memory of a held piece beside its bytes. Without it, a body of single-byte pieces could exhaust
# memory.
_PIECE_COST: Final = 64


class Http1Connection:
    """The state of one connection, which `Http1Protocol` drives.

    - ``read_deadline``: when `expire` is to be called.
    - ``paused``: no more input is wanted for now.
    - ``expects``: the client waits for 100 Continue.
    - ``eof``: the client has ended its side.
    - ``buffer``: received bytes that are not interpreted yet.
    - ``held``: bytes of body that wait for the application, plus a fixed cost for each piece.
    - ``progressed``: set by the writer of a response. A client is not late while something moves.
    """

    __slots__ = (
        "_body",
        "_body_ends",
        "_closing",
        "_credit",
        "_drain_left",
        "_heads",
        "_idle_since",
        "_limits",
        "_limits_hit",
        "_requests",
        "_stopping",
        "buffer",
        "complete",
        "data",
        "eof",
        "error",
        "expects",
        "head",
        "held",
        "http11",
        "method",
        "paused",
        "progressed",
        "read_deadline",
        "response",
        "state",
        "trailers",
    )

    _body: LengthDecoder | ChunkDecoder
    response: ResponseFramer
    error: ClientError

    def __init__(self, limits: ServerLimits, limits_hit: dict[str, int], now: float, *, upgradable: bool) -> None:
        """Begin at ``now``. Limits that are reached are counted in ``limits_hit``.

        If ``upgradable``, HTTP/2's preface is recognised and gives `UPGRADE`.
        """
        self._limits = limits
        self._limits_hit = limits_hit
        self._heads = HeadReader(limits, upgradable=upgradable)
        self._idle_since = now
        self.buffer = b""
        self._body_ends = inf
        self._requests = self.held = self._credit = self._drain_left = 0
        self._closing = self._stopping = False
        self.state = HEAD
        self.read_deadline = now + limits.head_time
        self.paused = self.eof = self.expects = self.complete = self.progressed = False
        self.head: ParsedHead | None = None
        self.method = ""
        self.http11 = True
        self.data = b""
        self.trailers: list[tuple[bytes, bytes]] = []

    def _move(self, event: int) -> None:
        self.state = _NEXT[self.state * EVENTS + event]
        assert self.state >= 0

    def _hit(self, limit: str) -> None:
        self._limits_hit[limit] = self._limits_hit.get(limit, 0) + 1

    # Input.

    def receive(self, data: bytes, now: float) -> int:
        """Bytes, cut anywhere."""
        state = self.state
        if state == HEAD:
            if self.buffer:
                data = self.buffer + data
                self.buffer = b""
            return self._read_head(data, now)
        if state in (BODY, DRAINING):
            return self._read_body(data, now)
        if state == ANSWERING:
            self.buffer += data
            limits = self._limits
            if len(self.buffer) > limits.body_buffer or self.buffer.count(b"\r\n\r\n") >= limits.pipelined_requests:
                self._hit("pipelined_requests")
                self._pause()
        elif state == TUNNEL:
            self.progressed = True
            self._hold(len(data))
            self.data = data
            return DATA
        return NOTHING

    def read_ahead(self, now: float) -> int:
        """Read the body bytes that came with a request's head. Call it until it returns
        `NOTHING`.
        """
        if self.state != BODY:
            return NOTHING
        rest, self.buffer = self.buffer, b""
        action = self._read_body(rest, now) if rest else NOTHING
        if action == NOTHING and self.eof and self.state == BODY:
            # The client ended its side before the head was read: nothing more will come.
            return self._cut_short(now)
        return action

    def receive_eof(self, now: float) -> int:
        """The client has ended its side. Complete requests are still answered (RFC 9112 9.6)."""
        self.eof = True
        state = self.state
        if state == HEAD and self.buffer:
            return self._end_amid_head(now)
        if state in (HEAD, DRAINING, ENDING):
            return self._close()
        if state == TUNNEL:
            self.data = b""
            self.complete = True
            return DATA
        return self._cut_short(now) if state == BODY else self._half_closed(now)

    def _half_closed(self, now: float) -> int:
        self.read_deadline = now + self._limits.half_closed
        return NOTHING

    def _cut_short(self, now: float) -> int:
        action = self._fail(ClientError("request body ended early"), now)
        self._half_closed(now)
        return action

    def _end_amid_head(self, now: float) -> int:
        return self._refuse(ClientError("request head ended early"), now)

    def _pause(self) -> None:
        self.paused = self.paused or not self.eof

    # Heads.

    def _read_head(self, data: bytes, now: float) -> int:
        heads = self._heads
        found = heads.read(data)
        if found == COMPLETE:
            return self._begin(heads, now)
        if found == REFUSED:
            return self._refuse(heads.error, now)
        if found == PREFACE:
            return self.upgrade(data)
        # The head's time runs from its first byte: bytes that come later do not extend it.
        self.read_deadline = min(self.read_deadline, now + self._limits.head_time)
        self.buffer = heads.rest
        self.paused = False
        return NOTHING

    def _begin(self, heads: HeadReader, now: float) -> int:
        limits = self._limits
        head = heads.head
        assert head is not None
        length = head.length
        if limits.body_bytes is not None and length > limits.body_bytes:
            return self._refuse(LimitExceeded("body_bytes", "request body too large", 413), now)
        self._requests += 1
        if self._requests >= limits.requests_per_connection:
            self._hit("requests_per_connection")
            head.close = True
        self._closing = head.close or self._stopping
        self.progressed = False
        rest = self.buffer = heads.rest
        self.head = head
        self.method = heads.method
        self.http11 = heads.http11
        self.response = ResponseFramer(to_head=heads.method == "HEAD", http11=heads.http11)
        if length:
            self._body = ChunkDecoder(limits.body_bytes) if length == CHUNKED else LengthDecoder(length)
            self._body_ends = inf if limits.body_time is None else now + limits.body_time
            self.held = 0
            self.complete = False
            self.expects = head.expects
            self._move(WITH_BODY)
            if head.expects and not rest:
                # The client waits for 100 Continue: it is not late before that was sent.
                self.read_deadline = self._body_ends
            else:
                self._restart_body_clock(now)
            if not rest:
                self.paused = False
        else:
            self.read_deadline = inf
            self.complete = True
            self.expects = False
            self._move(BODILESS)
            if self.eof:
                self._half_closed(now)
        return REQUEST

    # Bodies.

    def _read_body(self, data: bytes, now: float) -> int:
        body = self._body
        limits = self._limits
        received = len(data)
        try:
            data = body.feed(data)
        except ClientError as error:
            return self._fail(error, now)
        done = body.done
        if self.state == DRAINING:
            self._drain_left -= received
            if done:
                self.buffer = body.rest
                self._move(BODY_ENDS)
                return self._go_on(now)
            return self._linger(now) if self._drain_left < 0 else NOTHING
        # Once the response is complete, the rest of the body is dropped.
        wanted = self.response.phase != DONE
        if wanted:
            self.expects = False
            self.data = data
            self.complete = done
            self.trailers = body.trailers
        if done:
            self.buffer = body.rest
            self.read_deadline = inf
            self._move(BODY_ENDS)
            if self.eof:
                self._half_closed(now)
        elif wanted and data and self._hold(len(data)):
            # The application is slow, not the client: only the time for the whole body runs.
            self.read_deadline = self._body_ends
        else:
            self._credit += received
            if self._credit >= limits.body_progress:
                self._restart_body_clock(now)
        return DATA if wanted and (data or done) else NOTHING

    def _hold(self, size: int) -> bool:
        """Count a piece that waits for the application. Returns whether the buffer is full."""
        self.held += size + _PIECE_COST
        if self.held <= self._limits.body_buffer:
            return False
        self._pause()
        return True

    def taken(self, size: int) -> bool:
        """The application took a piece of ``size`` bytes. True, once half of the buffer is free:
        `resume`.
        """
        self.held -= size + _PIECE_COST
        return self.paused and self.held <= self._limits.body_buffer // 2

    def resume(self, now: float) -> None:
        """Read again after a pause."""
        if self.state == BODY:
            self._restart_body_clock(now)
            self.paused = False
        elif self.state == TUNNEL:
            self.paused = False

    # A body of which a relay takes bytes from the socket itself.

    def relayable(self) -> int:
        """How many bytes a relay may take: not the body's end, and none while read bytes wait."""
        if self.state != BODY or self.paused or self.held or self.eof or self.buffer or self.expects:
            return 0
        body = self._body
        return body.remaining - KEPT if isinstance(body, LengthDecoder) and self.response.phase != DONE else 0

    def begin_relay(self) -> None:
        """Leave the socket's bytes to the relay."""
        self.paused = True

    def relayed(self, size: int, now: float) -> None:
        """A relay has taken bytes of the body."""
        body = self._body
        assert isinstance(body, LengthDecoder)
        body.remaining -= size
        self._credit += size
        if self._credit >= self._limits.body_progress and self.state == BODY:
            self._restart_body_clock(now)

    def stall(self, stalled: bool, now: float) -> None:
        """A relay waits for the upstream, or goes on: only the time for the whole body runs
        meanwhile.
        """
        if self.state == BODY:
            if stalled:
                self.read_deadline = self._body_ends
            else:
                self._restart_body_clock(now)

    def end_relay(self, now: float) -> None:
        """Read what follows."""
        self.resume(now)

    def await_body(self, now: float) -> None:
        """100 Continue is sent: the client's time for the body begins."""
        self.expects = False
        self._restart_body_clock(now)

    def _restart_body_clock(self, now: float) -> None:
        self._credit = 0
        self.read_deadline = min(now + self._limits.body_idle, self._body_ends)

    def _fail(self, error: ClientError, now: float) -> int:
        self._hit(limit_of(error))
        if self.state == DRAINING:
            return self._linger(now)
        self._closing = True
        self.read_deadline = inf
        self.error = error
        self._move(BODY_FAILS)
        return FAULT

    # Responses.

    def closes_after(self, asked: bool, more: bool) -> bool:
        """Whether the head of the response must say ``connection: close``.

        ``asked``: the response's framing or its headers need it. ``more``: more of its body
        follows.
        """
        unread = self.state == BODY and (self.expects or (not more and not self._drainable()))
        if asked or unread or self._stopping:
            self._closing = True
        return self._closing

    def close_after_response(self) -> None:
        """Serve no further request on this connection."""
        self._closing = True

    def switch(self, now: float) -> bytes:
        """Become a tunnel. Returns the bytes of the tunnel that were received already."""
        self._move(SWITCHED)
        self._closing = True
        rest, self.buffer = self.buffer, b""
        self.held = 0
        self.complete = self.eof
        self.paused = False
        self.read_deadline = now + self._limits.tunnel_idle
        if rest:
            self.progressed = True
            self._hold(len(rest))
        return rest

    def finish(self, now: float) -> int:
        """The application is done with the request: read the next one, or end."""
        response = self.response
        if response.phase != DONE:
            framing = response.framing
            self._close()
            return RESET if framing in (UNTIL_CLOSE, TUNNELLED) else CLOSE
        if self._closing:
            return self._close() if self.state == ANSWERING and not self.buffer else self._linger(now)
        if self.state == ANSWERING:
            self._move(ANSWERED)
            return self._go_on(now)
        if not self._drainable():
            return self._linger(now)
        self._move(ANSWERED)
        self._drain_left = self._limits.drain_bytes
        self.read_deadline = now + self._limits.linger
        self.paused = False
        return NOTHING

    def _drainable(self) -> bool:
        """Whether the unread rest of a body is short enough to drop it and keep the connection."""
        return not self.eof and self.state == BODY and self._body.remaining <= self._limits.drain_bytes

    def _go_on(self, now: float) -> int:
        data, self.buffer = self.buffer, b""
        self._idle_since = now
        # A shutdown that began after the response's head was sent: the head did not say "close", so
        # a next request may be on its way.
        self.read_deadline = now + (RECENT if self._stopping else self._limits.keep_alive_idle)
        action = NOTHING
        if data:
            action = self._read_head(data, now)
        else:
            self.paused = False
        if self.state == HEAD and self.eof:
            return self._end_amid_head(now) if self.buffer else self._close()
        return action

    # The end.

    def refuse(self, error: ClientError, now: float) -> int:
        """Refuse the connection as a whole."""
        return self._refuse(error, now)

    def upgrade(self, data: bytes) -> int:
        """Hand the connection over to HTTP/2. ``data`` was read already."""
        self._move(ENDS)
        self.data = data
        return UPGRADE

    def linger(self, now: float) -> None:
        """Our side has ended: wait until the client has read and closes."""
        self.read_deadline = now + self._limits.linger
        self.paused = False

    def stop(self, now: float) -> int:
        """The worker is shutting down: close an idle connection now, a busy one after its
        response.
        """
        self._stopping = True
        return self.close_if_idle(now) if self._requests else NOTHING

    @property
    def is_idle(self) -> bool:
        """Whether no request is being read or answered."""
        return self.state == HEAD and not self.buffer

    def close_if_idle(self, now: float) -> int:
        """Close, unless a request is being read or answered, or the connection was used just now
        (`RECENT`).
        """
        if self.is_idle and now - self._idle_since > RECENT:
            return self._close()
        return NOTHING

    def _refuse(self, error: ClientError, now: float) -> int:
        self._hit(limit_of(error))
        self.error = error
        self._linger(now)
        return REFUSAL

    def _linger(self, now: float) -> int:
        self.buffer = b""
        if self.eof:
            return self._close()
        self._move(ENDS)
        self.linger(now)
        return LINGER

    def _close(self) -> int:
        self._move(ENDS)
        self.read_deadline = inf
        return CLOSE

    # Deadlines.

    def expire(self, now: float) -> int:
        """The deadline passed."""
        if self.read_deadline > now:
            return NOTHING
        state = self.state
        if state == HEAD:
            if self.buffer:
                return self._refuse(LimitExceeded("head_time", "request head too slow", 408), now)
            if not self._stopping:
                self._hit("keep_alive_idle" if self._requests else "head_time")
            return self._close()
        if state == ENDING:
            return LINGERED
        if state == DRAINING:
            return self._close()
        if state == BODY and self._body_ends <= now:
            return self._fail(LimitExceeded("body_time", "request body too slow", 408), now)
        if self.progressed:
            return self.stalled(now, still_reads=True)
        return STALLED

    def stalled(self, now: float, *, still_reads: bool) -> int:
        """Nothing moved in time: restart the deadline if the client ``still_reads``, else end.

        A client that waits for a response may have nothing to send meanwhile. In a tunnel, both
        directions count.
        """
        if still_reads:
            self.progressed = False
            if self.state == TUNNEL:
                self.read_deadline = now + self._limits.tunnel_idle
            elif self.eof:
                self._half_closed(now)
            else:
                self._restart_body_clock(now)
            return NOTHING
        if self.state == BODY:
            return self._fail(LimitExceeded("body_idle", "request body too slow", 408), now)
        self._hit("tunnel_idle" if self.state == TUNNEL else "half_closed")
        self._close()
        return CUT_OFF
