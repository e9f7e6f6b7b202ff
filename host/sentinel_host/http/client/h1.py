"""The state of one HTTP/1.1 connection to an upstream, without I/O (RFC 9112).

Rules:
1. Everything that changes the state is in this file. Bytes and times come in; numbers, pieces of
   bodies and heads come out. Transport, timers and tasks belong to `connection.ClientConnection`.
2. At most one request at a time. A byte that arrives while none is under way, or after the end of
   its response, closes the connection: it could be taken for the response to another client's
   request.
3. The connection may serve again only when the request has been written whole, its response has
   been read whole, and both sides allow another.
4. Bytes of a body that arrived before a fault are delivered before the error.

What each state makes of what happens is `_TABLE`. The other transitions follow the messages
themselves:

    IDLE ── begin ──► QUEUED ── sent ──► HEAD ── head ──► LENGTH, CHUNKED, UNTIL_CLOSE ── finish ──►
    IDLE
                                          └── 101 that was asked for ──► TUNNEL
    every state ── close ──► CLOSED
"""

from __future__ import annotations

from typing import Final

from sentinel_host.errors import Progress
from sentinel_host.http.chunked import OF_RESPONSES, ChunkedDecoder, MalformedBody
from sentinel_host.http.client.head import (
    MAX_FIELDS,
    MalformedHead,
    ResponseHeadParser,
    UpstreamHead,
    no_head,
    read_plain,
)
from sentinel_host.http.client.request import Headers, UpstreamRequest
from sentinel_host.http.client.target import Timeouts

IDLE: Final = 0
QUEUED: Final = 1  # a request has been accepted; not a byte of it has been written
HEAD: Final = 2
# A body that is being read, by its framing (RFC 9112 section 6.3).
LENGTH: Final = 3
CHUNKED: Final = 4
UNTIL_CLOSE: Final = 5
TUNNEL: Final = 6
CLOSED: Final = 7

# What came of it, as bits.
NOTHING: Final = 0
HEAD_CAME: Final = 1  # `head` is the final response's
STOP_UPLOAD: Final = 2  # nobody reads the rest of the request's body
OVER: Final = 4  # the response is whole: `finish`
HALF_CLOSED: Final = 8  # the tunnel's other end sends no more, and may still read
MALFORMED: Final = 16  # `fault` says how
UNASKED: Final = 32  # close: nothing was asked
NOT_SENT: Final = 64  # close: the request is still whole in here
NO_RESPONSE: Final = 128  # close: it ended before the head did
BROKEN_OFF: Final = 256  # close: it ended before the body did

# By state, for: bytes, the end of the stream, the connection closed without an error, and with one.
# NOTHING under "bytes" stands for reading them.
_TABLE: Final = (
    (UNASKED, UNASKED, UNASKED, UNASKED),  # IDLE
    (NOT_SENT, NOT_SENT, NOT_SENT, NOT_SENT),  # QUEUED
    (NOTHING, NO_RESPONSE, NO_RESPONSE, NO_RESPONSE),  # HEAD
    (NOTHING, BROKEN_OFF, BROKEN_OFF, BROKEN_OFF),  # LENGTH
    (NOTHING, BROKEN_OFF, BROKEN_OFF, BROKEN_OFF),  # CHUNKED
    (NOTHING, OVER, OVER, BROKEN_OFF),  # UNTIL_CLOSE
    (NOTHING, HALF_CLOSED, OVER, BROKEN_OFF),  # TUNNEL
    (NOTHING, NOTHING, NOTHING, NOTHING),  # CLOSED
)

# What a look at the clock says.
IN_TIME: Final = 0
SILENT: Final = 1
"""Nothing has happened for a while: ask the kernel whether the upstream takes what was sent, then
call `progressed`.
"""
OVERDUE: Final = 2
"""As SILENT, and unless there was progress the time is over: `lateness` says which."""
EXPIRED: Final = 3
"""It has been idle for so long that it is to be closed."""

_COPY_BELOW: Final = 16384
"""Bytes that cost less to copy than to be written by themselves, as the server does with more."""

# Never added to: a body that has trailers brings a list of its own.
_NO_TRAILERS: Final[Headers] = []

_LOOKS: Final = 8
"""A time-out's eighth passes in silence before the kernel is asked: that takes 5 µs."""


class ClientCore:
    """What is known of a connection. Times are seconds of one clock; ``now`` is its reading when
    the call is made.

    ``pieces`` holds what came of the body and was not taken yet; who takes it empties the list.
    ``first`` goes before them: what came with the head of a body that has a length; a view of it, if
    that is so much that it is not copied.
    ``head`` is that of the response under way, ``trailers`` its trailer fields once it is whole.
    ``used`` is true once the connection has served a request. ``uploading`` is true from `sent` on
    while a streamed body is not written whole. ``paused`` is true while nobody takes what was read,
    so that reading has stopped.
    """

    __slots__ = (
        "_decoder",
        "_informational",
        "_keep_alive",
        "_left",
        "_max_head_bytes",
        "_parser",
        "_plain",
        "_request",
        "_since",
        "_timeouts",
        "fault",
        "first",
        "head",
        "paused",
        "pieces",
        "state",
        "trailers",
        "uploading",
        "used",
    )

    def __init__(self, timeouts: Timeouts, max_head_bytes: int, now: float) -> None:
        self.state = IDLE
        self.used = False
        self.uploading = False
        self.paused = False
        self.first: bytes | memoryview | None = None
        self.pieces: list[bytes] = []
        self.head: UpstreamHead | None = None
        self.trailers: Headers = _NO_TRAILERS
        self.fault = ""
        self._timeouts = timeouts
        self._max_head_bytes = max_head_bytes
        # One for all responses: making one takes longer than filling it.
        self._plain = no_head()
        self._since = now
        self._request: UpstreamRequest | None = None
        self._parser: ResponseHeadParser | None = None
        self._decoder: ChunkedDecoder | None = None
        self._informational = 0
        self._left = 0
        self._keep_alive = True

    # The request.

    def begin(self, request: UpstreamRequest, now: float) -> None:
        """Accept a request while IDLE."""
        self.state = QUEUED
        self._since = now
        self._informational = 0
        self._request = request
        self.trailers = _NO_TRAILERS

    def sent(self, uploading: bool) -> None:
        """The request's head is written, with its body or, where that is streamed,
        ``uploading``.
        """
        self.state = HEAD
        self.uploading = uploading

    def uploaded(self, now: float) -> None:
        """The last piece of a streamed body is written."""
        self.uploading = False
        self._since = now

    def progressed(self, now: float) -> None:
        """The upstream took something, or was given something: its time begins again."""
        self._since = now

    # The response.

    def receive(self, data: bytes, now: float) -> int:
        """Read bytes; answers HEAD_CAME, OVER, STOP_UPLOAD, MALFORMED, UNASKED, NOT_SENT or several
        of them.
        """
        state = self.state
        if state == HEAD:
            try:
                at = self._read_head(data, now)
            except MalformedHead as error:
                self.fault = str(error)
                return MALFORMED
            if at < 0:
                return NOTHING
            events = HEAD_CAME
            head = self.head
            assert head is not None
            if head.status >= 400 and self.uploading:
                # RFC 9112 section 9.5: on an error response, stop sending. Others may answer while
                # they still read.
                self._stop_upload()
                events |= STOP_UPLOAD
            if self.state == LENGTH:
                events |= self._begin_body(data, at)
            elif at < len(data):
                events |= self._read_body(data[at:])
            return events
        if state < HEAD or state == CLOSED:
            return _TABLE[state][0]
        self._since = now
        return self._read_body(data)

    def ended(self) -> int:
        """The upstream ended its direction: answers OVER, HALF_CLOSED, NO_RESPONSE, BROKEN_OFF,
        UNASKED or NOT_SENT.
        """
        return self._end(1)

    def lost(self, clean: bool) -> int:
        """The connection is gone, without an error where ``clean``: answers as `ended`."""
        return self._end(2 if clean else 3)

    def _end(self, how: int) -> int:
        event = _TABLE[self.state][how]
        if event == OVER:
            self._keep_alive = False
        return event

    def finish(self, reusable: bool) -> bool:
        """The response is OVER: whether the connection is IDLE again; if not it is to be closed.

        ``reusable`` is false where the transport closes, or still holds bytes of the request.
        """
        self.head = None
        # An idle connection is not to keep them.
        self._plain.headers = _NO_TRAILERS
        self._request = None
        self._decoder = None
        if self.uploading:
            self._stop_upload()
        if not self._keep_alive or not reusable:
            return False
        self.state = IDLE
        self.used = True
        return True

    def close(self) -> None:
        """Nothing more happens, whatever comes."""
        self.state = CLOSED
        self.uploading = False
        self.head = None
        self._request = None
        self._parser = None
        self._decoder = None

    @property
    def is_informed(self) -> bool:
        """Whether the request under way, or the last one, has had interim responses."""
        return self._informational > 0

    @property
    def progress(self) -> Progress:
        """How far the request under way has come."""
        if self.state < HEAD:
            return Progress.UNSENT
        if self.state > HEAD:
            return Progress.RESPONDED
        return Progress.SENT if self._parser is None and not self._informational else Progress.ANSWERED

    def _read_head(self, data: bytes, now: float) -> int:
        """Where in ``data`` the bytes after the final head begin; -1 where it has not ended. Raises
        MalformedHead.
        """
        request = self._request
        assert request is not None
        at = 0
        while True:
            rest = data[at:] if at else data
            parser = self._parser
            if parser is None:
                head = self._plain
                if read_plain(rest, self._max_head_bytes, head):
                    at += head.size
                    break
                parser = self._parser = ResponseHeadParser(self._max_head_bytes)
            end = parser.feed(rest)
            if end < 0:
                return -1
            at += end
            self._parser = None
            head = parser.head
            if head.status >= 200:
                break
            if head.status == 101 and request.upgrade:
                self._switch_protocols(head, request.upgrade)
                return at
            self._informational_received(head, request)
            if self.state == CLOSED or at == len(data):
                return -1
        # Only the whole head counts: single bytes of it, or interim responses, would hold a request
        # for hours.
        self._since = now
        self.head = head
        self._keep_alive = head.keep_alive
        status = head.status
        if request.method == b"HEAD" or status == 204 or status == 304 or head.content_length == 0:
            self._left = 0
            self.state = LENGTH
        elif head.chunked:
            self._decoder = ChunkedDecoder(OF_RESPONSES, self._max_head_bytes)
            self.state = CHUNKED
        elif head.content_length > 0:
            self._left = head.content_length
            self.state = LENGTH
        else:
            self.state = UNTIL_CLOSE
        return at

    def _switch_protocols(self, head: UpstreamHead, protocol: bytes) -> None:
        """From here on bytes are passed, not read (RFC 9110 section 7.8)."""
        if protocol.lower() not in [value.lower() for name, value in head.headers if name == b"upgrade"]:
            raise MalformedHead("it changed to a protocol that was not asked for")
        self.head = head
        self.state = TUNNEL

    def _informational_received(self, head: UpstreamHead, request: UpstreamRequest) -> None:
        if head.status == 101:
            raise MalformedHead("it answered 101 to a request that asked for no upgrade")
        # RFC 9110 section 15.2: any number of them. Together they may take what one head may, and
        # the response's time.
        self._informational += head.size
        if self._informational > self._max_head_bytes:
            raise MalformedHead(f"the informational responses are larger than {self._max_head_bytes} bytes")
        if request.informed is not None:
            request.informed.pass_informational(head.status, head.headers)

    def _begin_body(self, data: bytes, at: int) -> int:
        """Read what comes, from there on, of a body that has a length."""
        left = self._left - (len(data) - at)
        end = len(data)
        if left < 0:
            self._keep_alive = False  # what follows the message is nobody's
            end += left
            left = 0
        self._left = left
        if end > at:
            self.first = memoryview(data)[at:end] if end - at > _COPY_BELOW else data[at:end]
        return NOTHING if left else OVER

    def _read_body(self, data: bytes) -> int:
        state = self.state
        if state == LENGTH:
            left = self._left - len(data)
            if left < 0:
                self._keep_alive = False  # what follows the message is nobody's
                data = data[: self._left]
                left = 0
            self._left = left
            if data:
                self.pieces.append(data)
            return NOTHING if left else OVER
        decoder = self._decoder
        if decoder is None:
            self.pieces.append(data)
            return NOTHING
        try:
            after = decoder.feed(data, self.pieces)
        except MalformedBody as error:
            self.fault = str(error)
            return MALFORMED
        if not decoder.done:
            return NOTHING
        if len(decoder.trailers) > MAX_FIELDS:
            self.fault = f"the response has more than {MAX_FIELDS} trailer fields"
            return MALFORMED
        self.trailers = decoder.trailers
        if after:
            self._keep_alive = False
        return OVER

    def _stop_upload(self) -> None:
        self.uploading = False
        self._keep_alive = False

    @property
    def left(self) -> int:
        """How many bytes of a body with a length have not come; of others none is known to come."""
        return self._left if self.state == LENGTH else 0

    def passed_by(self, size: int, now: float) -> None:
        """So many bytes of a body were taken from the socket itself; its last must not be."""
        self._left -= size
        self._since = now

    # Time.

    def pause(self) -> None:
        """The reader is slow: the upstream's silence does not count."""
        self.paused = True

    def resume(self, now: float) -> None:
        """Reading goes on."""
        self.paused = False
        self._since = now

    def check(self, now: float, waits_for_source: bool) -> int:
        """IN_TIME, SILENT, OVERDUE or EXPIRED.

        ``waits_for_source`` is true while the client has not sent the next piece of a streamed
        body.
        """
        state = self.state
        silent = now - self._since
        if state == IDLE:
            return EXPIRED if silent >= self._timeouts.keepalive else IN_TIME
        limit = self._limit()
        if limit is None or state >= TUNNEL:
            return IN_TIME
        if self.paused or (waits_for_source and self.uploading):
            self._since = now
            return IN_TIME
        if silent >= limit:
            return OVERDUE
        return SILENT if silent >= limit / _LOOKS else IN_TIME

    def lateness(self) -> str:
        """What did not happen in time."""
        what = "no response" if self.state <= HEAD else "the response fell silent"
        return f"{what} within {self._limit():g} s"

    def _limit(self) -> float | None:
        request = self._request
        if self.state <= HEAD:
            own = None if request is None else request.response_timeout
            return self._timeouts.response if own is None else own
        own = None if request is None else request.idle_timeout
        return self._timeouts.idle if own is None else own
