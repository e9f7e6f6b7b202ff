"""How a connection goes on after a response, and how it ends: next request, drain, linger, close or reset.

Rule 1: After a refusal no further byte is interpreted.
Rule 2: A close lets the client read the answer: unread bytes of its own would turn it into a reset (RFC 9112 9.6).
"""

from __future__ import annotations

from math import inf
from typing import Final

from sentinel_host.errors import ClientError
from sentinel_host.http.h1.exchange import Exchange
from sentinel_host.http.h1.reading import ReadingSide
from sentinel_host.http.h1.response import plain_response
from sentinel_host.http.h1.states import HEAD_NEXT, IGNORED, REQUEST_NEXT, TUNNEL, TUNNEL_NEXT, UNTIL_CLOSE
from sentinel_host.http.server.limits import LimitExceeded, limit_of
from sentinel_host.http.server.phases import BODY, DONE
from sentinel_host.http.server.writer import LEFT_TO_KERNEL

RECENT: Final = 0.25
"""Seconds: a connection used this recently may have its next request on the way when the worker shuts down."""


class EndingSide(ReadingSide):
    """Decides what becomes of a connection once its exchange has ended, or must end."""

    __slots__ = ("_requests",)

    _requests: int

    def closes_after(self, exchange: Exchange, asked: bool, more: bool) -> bool:
        """Whether the connection ends with this response, as far as that is known when its head is written."""
        unread = not exchange.complete and (exchange.expects or (not more and not self._drainable()))
        if asked or unread or self.connections.closing:
            self._closing = True
        return self._closing

    def answer_failure(self, exchange: Exchange, status: int, reason: str) -> None:
        """The application did not complete its response: say so while there is no head, or end what was begun."""
        self._closing = True
        if exchange.phase < BODY and not self.writer.lost:
            answer = plain_response(status, reason, self.connections.date)
            if exchange.scope["method"] == "HEAD":
                answer = answer[: answer.index(b"\r\n\r\n") + 4]
            self.writer.write(answer)
            exchange.phase = DONE

    def finished(self, exchange: Exchange) -> None:
        """The application returned: the next request, or the end."""
        self._exchange = None
        if self.writer.lost:
            return
        if exchange.phase != DONE:
            if exchange.framing == UNTIL_CLOSE or exchange.framing == TUNNEL:
                self.writer.reset()
            else:
                self._shut()
        elif self._closing:
            if self._reading == REQUEST_NEXT and not self._buffer:
                self._shut()
            else:
                self._linger()
        elif self._reading == REQUEST_NEXT:
            self._next()
        elif self._drainable():
            self._drain_left = self.connections.limits.drain_bytes
            self.read_deadline = self.loop.time() + self.connections.limits.linger
            self._want_more()
        else:
            self._linger()

    def _refuse(self, error: ClientError) -> None:
        """Answer without the application, and interpret nothing more of this connection."""
        self.connections.hit(limit_of(error))
        self.writer.write(plain_response(error.status, str(error), self.connections.date))
        self._linger()

    def _shut(self) -> None:
        """Close, and leave no more to the kernel than it may have of a client that does not read."""
        self._reading = IGNORED
        self.writer.flush()
        much = self.writer.unsent() > LEFT_TO_KERNEL and not self.connections.closing
        if much and self.transport.can_write_eof():
            self._end_writing()
        else:
            self.read_deadline = inf
            self.writer.close()

    def _linger(self) -> None:
        """Let the client read the answer before unread bytes of its own turn the close into a reset (RFC 9112 9.6)."""
        self._reading = IGNORED
        self._buffer = b""
        if self._eof:
            self._shut()
        else:
            self._end_writing()

    def _end_writing(self) -> None:
        self.writer.flush()
        self._wait_for_reader()
        self._want_more()
        self.writer.end()

    def _wait_for_reader(self) -> None:
        self.read_deadline = self.loop.time() + self.connections.limits.linger
        if self.writer.deadline == inf:
            self.writer.watch()

    def next_deadline(self) -> float:
        """When `expire` is to be called."""
        return min(self.read_deadline, self.writer.deadline)

    def abort(self) -> None:
        """End at once: grace is over."""
        self.writer.abort()

    def wind_down(self) -> None:
        """The worker is shutting down: close now if nothing is on its way, or after the next response."""
        if self._requests:
            self.close_if_idle()

    def close_if_idle(self) -> None:
        """Close unless a request is being read or answered, or a client in full flow may just be sending its next."""
        idle = self._exchange is None and self._reading == HEAD_NEXT and not self._buffer
        if idle and self.loop.time() - self._idle_since > RECENT:
            self._shut()

    def expire(self, now: float) -> None:
        """A deadline passed."""
        if self.writer.deadline <= now:
            self.writer.expire(now)
            return
        if self.read_deadline > now:
            return
        exchange = self._exchange
        if self._reading == HEAD_NEXT:
            if self._buffer:
                self._refuse(LimitExceeded("head_time", "request head too slow", 408))
            else:
                if not self.connections.closing:
                    self.connections.hit("keep_alive_idle" if self._requests else "head_time")
                self._shut()
        elif exchange is None:
            if self._reading == IGNORED and self.writer.unsent() > LEFT_TO_KERNEL:
                # The answer is still on its way to a slow reader, whom the write deadline watches.
                self._wait_for_reader()
            else:
                self._shut()
        elif self._reading == TUNNEL_NEXT:
            # Both directions count, and so does what the client still reads.
            if exchange.wrote or self.writer.still_reads(now):
                exchange.wrote = False
                self.read_deadline = now + self.connections.limits.tunnel_idle
            else:
                self.connections.hit("tunnel_idle")
                self.writer.cut_off()
        elif self._eof:
            if exchange.wrote or self.writer.still_reads(now):
                exchange.wrote = False
                self.read_deadline = now + self.connections.limits.half_closed
            else:
                self.connections.hit("half_closed")
                self.writer.cut_off()
        elif self._body_ends <= now:
            self._body_failed(LimitExceeded("body_time", "request body too slow", 408))
        elif exchange.wrote or self.writer.paused or self.writer.still_reads(now):
            # Who waits for the response may well have nothing to say meanwhile. While it does not leave, the write
            # deadline watches the client.
            exchange.wrote = False
            self._restart_body_clock()
        else:
            self._body_failed(LimitExceeded("body_idle", "request body too slow", 408))
