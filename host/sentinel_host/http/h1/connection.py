"""One HTTP/1.1 connection without its socket: what its bytes are, and how it goes on after each request (RFC 9112).

Rule 1: Everything that decides what becomes of a connection lives here, and every change of ``state`` is in `_TABLE`.
        Bytes and times come in. What is to be done comes out as a number, the last of `Actions`; what belongs to it is
        in the attributes named there. No call does any I/O, reads a clock or calls back.
Rule 2: One request is served at a time. What a client sends ahead stays bytes, bounded by ``paused``; no second request
        is parsed before the first is answered.
Rule 3: A body that nobody reads stays in the client: ``paused`` says so when the application falls behind.
Rule 4: Every state in which the client is to do something has a deadline.
Rule 5: After a refusal no further byte is interpreted.
Rule 6: An end lets the client read the answer: unread bytes of its own would turn it into a reset (RFC 9112 9.6).
"""

from __future__ import annotations

from math import inf
from typing import Final

from sentinel_host.errors import ClientError
from sentinel_host.fields import read_head
from sentinel_host.http.h1.bodies import ChunkDecoder, LengthDecoder
from sentinel_host.http.h1.framer import ResponseFramer
from sentinel_host.http.h1.head import CHUNKED, as_http11, refusal
from sentinel_host.http.h1.llhttp import ParsedHead
from sentinel_host.http.h1.states import ANSWERING, BODY, DRAINING, ENDING, FAILED, HEAD, TUNNEL, TUNNELLED, UNTIL_CLOSE
from sentinel_host.http.methods import METHODS
from sentinel_host.http.server.limits import LimitExceeded, ServerLimits, limit_of
from sentinel_host.http.server.phases import DONE

# Actions: what the caller is to do.
NOTHING: Final = 0
# Answer a request: ``head``, ``method``, ``http11``, by way of ``response``. Then call `read_ahead`
# until it returns `NOTHING`.
REQUEST: Final = 1
# Give the application ``data`` of the request's body, or of the tunnel; it is the last if ``complete``.
DATA: Final = 2
# Tell the application that the rest of the body will not come: ``error``.
FAULT: Final = 3
# Answer with ``error``, and end as by `LINGER` or, once the client has ended (``eof``), by `CLOSE`.
REFUSAL: Final = 4
# End our side, and call `linger`.
LINGER: Final = 5
# Close. While much is unsent: as by `LINGER`.
CLOSE: Final = 6
# Reset the connection: the client must not take a part for the whole.
RESET: Final = 7
# Close without waiting for the client, which does not do its part.
CUT_OFF: Final = 8
# Speak HTTP/2 from here on; ``data`` is what was read.
UPGRADE: Final = 9
# The time to linger has passed: wait as long again if the answer is still on its way, or close.
LINGERED: Final = 10
# Nothing moved in time. Whether the client takes what is on its way is for `stalled` to know.
STALLED: Final = 11

# Events.
_BODILESS: Final = 0
_WITH_BODY: Final = 1
_BODY_ENDS: Final = 2
_BODY_FAILS: Final = 3
_ANSWERED: Final = 4
_SWITCHED: Final = 5
_ENDS: Final = 6
_EVENTS: Final = 7

_TABLE: Final = {
    HEAD: {_BODILESS: ANSWERING, _WITH_BODY: BODY, _ENDS: ENDING},
    BODY: {_BODY_ENDS: ANSWERING, _BODY_FAILS: FAILED, _ANSWERED: DRAINING, _ENDS: ENDING},
    ANSWERING: {_ANSWERED: HEAD, _SWITCHED: TUNNEL, _ENDS: ENDING},
    DRAINING: {_BODY_ENDS: HEAD, _ENDS: ENDING},
    FAILED: {_ENDS: ENDING},
    TUNNEL: {_ENDS: ENDING},
    ENDING: {_ENDS: ENDING},
}
# The same by number, -1 where there is no way: a look-up costs a few instructions.
_NEXT: Final = tuple(_TABLE[state].get(event, -1) for state in range(len(_TABLE)) for event in range(_EVENTS))

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
RECENT: Final = 0.25
"""Seconds: a connection used this recently may have its next request on the way when the worker shuts down."""
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# What holding a piece costs beside its bytes: a body of single bytes must fill the buffer, not the memory.
_PIECE_COST: Final = 64


class Http1Connection:
    """``read_deadline`` is when `expire` is to be called; ``paused`` says that no more input is wanted for now.

    ``expects`` is true while the client waits for 100 Continue, ``eof`` once it has ended its side. ``buffer`` is what
    was received and not interpreted yet; ``held`` counts what was, and waits for the application. Whoever writes sets
    ``progressed``: a client is not late while something moves.
    """

    __slots__ = (
        "_body",
        "_body_ends",
        "_closing",
        "_credit",
        "_drain_left",
        "_idle_since",
        "_limits",
        "_limits_hit",
        "_requests",
        "_skipped_line",
        "_stopping",
        "_upgradable",
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

        HTTP/2's preface is recognised if ``upgradable``.
        """
        self._limits = limits
        self._limits_hit = limits_hit
        self._upgradable = upgradable
        self._idle_since = now
        self.buffer = b""
        self._body_ends = inf
        self._requests = self.held = self._credit = self._drain_left = 0
        self._skipped_line = self._closing = self._stopping = False
        self.state = HEAD
        self.read_deadline = now + limits.head_time
        self.paused = self.eof = self.expects = self.complete = self.progressed = False
        self.head: ParsedHead | None = None
        self.method = ""
        self.http11 = True
        self.data = b""
        self.trailers: list[tuple[bytes, bytes]] = []

    def _move(self, event: int) -> None:
        self.state = _NEXT[self.state * _EVENTS + event]
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
        """Go on with what came together with a request's head, until there is `NOTHING` left of it."""
        if self.state != BODY:
            return NOTHING
        rest, self.buffer = self.buffer, b""
        action = self._read_body(rest, now) if rest else NOTHING
        if action == NOTHING and self.eof and self.state == BODY:
            # It was sent ahead, and so was its end of stream: nothing more will come.
            return self._cut_short(now)
        return action

    def receive_eof(self, now: float) -> int:
        """The client has ended its side. What it asked for completely is still answered (RFC 9112 9.6)."""
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
        limits = self._limits
        found = read_head(data, limits.head_bytes, limits.header_count)
        if found is not None:
            end, name, http11 = found
            method = METHODS.get(name)
            if method is not None:
                if end == len(data):
                    return self._begin(data, method, http11, b"", now)
                return self._begin(data[:end], method, http11, data[end:], now)
        return self._read_odd_head(data, now)

    def _read_odd_head(self, data: bytes, now: float) -> int:
        """A head that is incomplete, preceded by an empty line, of another version, HTTP/2's preface, or refused."""
        if not self._requests and self._upgradable and _PREFACE.startswith(data[: len(_PREFACE)]):
            if len(data) >= len(_PREFACE):
                return self.upgrade(data)
        elif data[:2] == b"\r\n" and not self._skipped_line:
            self._skipped_line = True
            if len(data) > 2:
                return self._read_head(data[2:], now)
            data = b""
        elif data != b"\r" or self._skipped_line:
            known = as_http11(data)
            if known is not None:
                return self._read_head(known, now)
            error = refusal(data, self._limits.head_bytes, self._limits.header_count)
            if error is not None:
                return self._refuse(error, now)
        # The head's time runs from its first byte; later ones find a deadline that is nearer already.
        self.read_deadline = min(self.read_deadline, now + self._limits.head_time)
        self.buffer = data
        self.paused = False
        return NOTHING

    def _begin(self, data: bytes, method: str, http11: bool, rest: bytes, now: float) -> int:
        limits = self._limits
        try:
            head = ParsedHead(data, http11)
        except ClientError as error:
            return self._refuse(error, now)
        length = head.length
        if limits.body_bytes is not None and length > limits.body_bytes:
            return self._refuse(LimitExceeded("body_bytes", "request body too large", 413), now)
        self._requests += 1
        if self._requests >= limits.requests_per_connection:
            self._hit("requests_per_connection")
            head.close = True
        self._closing = head.close or self._stopping
        self._skipped_line = self.progressed = False
        self.buffer = rest
        self.head = head
        self.method = method
        self.http11 = http11
        self.response = ResponseFramer(to_head=method == "HEAD", http11=http11)
        if length:
            self._body = ChunkDecoder(limits.body_bytes) if length == CHUNKED else LengthDecoder(length)
            self._body_ends = inf if limits.body_time is None else now + limits.body_time
            self.held = 0
            self.complete = False
            self.expects = head.expects
            self._move(_WITH_BODY)
            if head.expects and not rest:
                # The client may wait for the application: it is not late before 100 Continue went out.
                self.read_deadline = self._body_ends
            else:
                self._restart_body_clock(now)
            if not rest:
                self.paused = False
        else:
            self.read_deadline = inf
            self.complete = True
            self.expects = False
            self._move(_BODILESS)
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
                self._move(_BODY_ENDS)
                return self._go_on(now)
            return self._linger(now) if self._drain_left < 0 else NOTHING
        # Nobody reads the rest of a body once its response is complete.
        wanted = self.response.phase != DONE
        if wanted:
            self.expects = False
            self.data = data
            self.complete = done
            self.trailers = body.trailers
        if done:
            self.buffer = body.rest
            self.read_deadline = inf
            self._move(_BODY_ENDS)
            if self.eof:
                self._half_closed(now)
        elif wanted and data and self._hold(len(data)):
            # The application is the slow one: only the body's whole time goes on.
            self.read_deadline = self._body_ends
        else:
            self._credit += received
            if self._credit >= limits.body_progress:
                self._restart_body_clock(now)
        return DATA if wanted and (data or done) else NOTHING

    def _hold(self, size: int) -> bool:
        """Count a piece that waits for the application; whether these are too many for more to be read."""
        self.held += size + _PIECE_COST
        if self.held <= self._limits.body_buffer:
            return False
        self._pause()
        return True

    def taken(self, size: int) -> bool:
        """The application took a piece of that size; whether to `resume`, as half of the buffer is free."""
        self.held -= size + _PIECE_COST
        return self.paused and self.held <= self._limits.body_buffer // 2

    def resume(self, now: float) -> None:
        """Read on."""
        if self.state == BODY:
            self._restart_body_clock(now)
            self.paused = False
        elif self.state == TUNNEL:
            self.paused = False

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
        self._move(_BODY_FAILS)
        return FAULT

    # Responses.

    def closes_after(self, asked: bool, more: bool) -> bool:
        """Whether the connection ends with this response, as far as that is known when its head is written.

        ``asked`` is true if the response needs it, ``more`` if more of its body follows.
        """
        unread = self.state == BODY and (self.expects or (not more and not self._drainable()))
        if asked or unread or self._stopping:
            self._closing = True
        return self._closing

    def close_after_response(self) -> None:
        """Keep the connection for no further request."""
        self._closing = True

    def switch(self, now: float) -> bytes:
        """The connection's bytes are another protocol's from here on; what came of them already."""
        self._move(_SWITCHED)
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
        """The application is done with the request: the next one, or the end."""
        response = self.response
        if response.phase != DONE:
            framing = response.framing
            self._close()
            return RESET if framing in (UNTIL_CLOSE, TUNNELLED) else CLOSE
        if self._closing:
            return self._close() if self.state == ANSWERING and not self.buffer else self._linger(now)
        if self.state == ANSWERING:
            self._move(_ANSWERED)
            return self._go_on(now)
        if not self._drainable():
            return self._linger(now)
        self._move(_ANSWERED)
        self._drain_left = self._limits.drain_bytes
        self.read_deadline = now + self._limits.linger
        self.paused = False
        return NOTHING

    def _drainable(self) -> bool:
        """Whether the rest of a body that nobody reads is worth the wait to keep the connection."""
        return not self.eof and self.state == BODY and self._body.remaining <= self._limits.drain_bytes

    def _go_on(self, now: float) -> int:
        data, self.buffer = self.buffer, b""
        self._idle_since = now
        # A shutdown may have begun since the head of the response went out, and the client could not be told.
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
        """Serve nothing of this connection."""
        return self._refuse(error, now)

    def upgrade(self, data: bytes) -> int:
        """Leave the connection to HTTP/2; ``data`` is what was read of it."""
        self._move(_ENDS)
        self.data = data
        return UPGRADE

    def linger(self, now: float) -> None:
        """Our side has ended: wait for the client to read and to close."""
        self.read_deadline = now + self._limits.linger
        self.paused = False

    def stop(self, now: float) -> int:
        """The worker is shutting down: end now if nothing is on its way, or after the next response."""
        self._stopping = True
        return self.close_if_idle(now) if self._requests else NOTHING

    def close_if_idle(self, now: float) -> int:
        """End unless a request is being read or answered, or a client in full flow may just be sending its next."""
        if self.state == HEAD and not self.buffer and now - self._idle_since > RECENT:
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
        self._move(_ENDS)
        self.linger(now)
        return LINGER

    def _close(self) -> int:
        self._move(_ENDS)
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
        """Give the client as long again if it ``still_reads``, or give it up.

        Whoever waits for the response may well have nothing to say meanwhile. Both directions of a tunnel count.
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
