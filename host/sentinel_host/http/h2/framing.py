"""Bytes to frames, and header blocks put together from theirs (RFC 9113 sections 4 and 6.2, 6.10).

Rule 1: A fault of framing ends the connection: where the next frame begins is not known any more.
Rule 2: Frames that make work and carry nothing come out of a budget; beyond it the connection ends with
        ENHANCE_YOUR_CALM. So do header blocks in too many pieces.
Rule 3: A head that is begun has as long as one on HTTP/1.
Rule 4: Of what one client sends at once, only a portion is looked at before the loop serves others.
Rule 5: Who has used up more of that budget than a client in good faith would waits for a turn among all such
        (`DeferredInput`).
Rule 6: Requests begin when their portion was looked at; those of a client as in rule 5, when everything was that has
        come. What is taken back in the same breath has then cost no more than its head.
"""

from __future__ import annotations

from math import inf
from typing import Final

from sentinel_host.http.h2 import wire
from sentinel_host.http.h2.budget import Budget
from sentinel_host.http.h2.sending import SendingSide
from sentinel_host.http.h2.wire import ConnectionFault, ErrorCode
from sentinel_host.http.server.connections import Connections

# Held of one header block, in heads' limits and in frames: more than any head that could still be answered with 431.
_MAX_BLOCK: Final = 8
_MAX_CONTINUATIONS: Final = 256
# Of one turn, some tenths of a millisecond: so many frames, or a quarter as many requests, or a header block of 16 KiB.
_TURN: Final = 64
_REQUEST: Final = 4
_BLOCK_SHIFT: Final = 8
# Of a turn among those that can wait, which go on until their time is up.
_PORTION: Final = 16


class FramingSide(SendingSide):
    """Reads frames; what they mean is for its heirs to say."""

    __slots__ = (
        "_at",
        "_block",
        "_block_ends",
        "_block_flags",
        "_block_stream",
        "_budget",
        "_buffer",
        "_continuations",
        "_greeted",
        "_ignoring",
        "_left",
        "_waiting",
    )

    def __init__(self, connections: Connections) -> None:
        super().__init__(connections)
        limits = connections.limits
        self._budget = Budget(limits.idle_frames, limits.idle_frames_per_second, self.loop.time())
        self._buffer = b""
        self._block = bytearray()
        self._block_stream = 0
        self._block_flags = 0
        self._block_ends = inf
        self._continuations = 0
        self._at = self._left = 0
        self._greeted = self._ignoring = self._waiting = False

    def _data(self, number: int, flags: int, payload: bytes) -> None:
        raise NotImplementedError

    def _header_block(self, number: int, flags: int, block: bytes) -> None:
        raise NotImplementedError

    def _window_update(self, number: int, payload: bytes) -> None:
        raise NotImplementedError

    def _other(self, kind: int, number: int, flags: int, payload: bytes) -> None:
        raise NotImplementedError

    def _begin_requests(self) -> None:
        raise NotImplementedError

    def _end(self, code: ErrorCode, reason: str) -> None:
        raise NotImplementedError

    def watch(self, deadline: float) -> None:
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        """Bytes, cut anywhere."""
        if self._ignoring:
            return
        if self._buffer:
            data = self._buffer[self._at :] + data
        self._buffer = data
        self._at = 0
        if not self._waiting and (self._strained() or self._take(_TURN)):
            self._waiting = True
            self.transport.pause_reading()
            self._wait()

    def _take(self, portion: int) -> bool:
        """Handle that much of what has come; whether there is more."""
        data = self._buffer
        self._left = portion
        try:
            position = self._read(data, self._at)
        except ConnectionFault as fault:
            self._end(fault.code, str(fault))
            return False
        if self._ignoring:
            return False
        if self._left <= 0 and position < len(data):
            self._at = position
            if not self._strained():
                self._begin_requests()
            return True
        self._buffer = data[position:] if position < len(data) else b""
        self._at = 0
        self._begin_requests()
        self._watch_unfinished()
        return False

    def _strained(self) -> bool:
        return self._budget.strained(self.loop.time())

    def _wait(self) -> None:
        if self._strained():
            self.connections.deferred.wait(self._go_on)
        else:
            self.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """The next turn; the connection may have ended meanwhile, or be about to."""
        portion = _PORTION if self._strained() else _TURN
        if not self._ignoring and self._take(portion):
            self._wait()
            return
        self._waiting = False
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def _read(self, data: bytes, position: int) -> int:
        """Handle whole frames, as many as are left of the turn; answer where the first of the others begins."""
        end = len(data)
        if not self._greeted:
            if end < len(wire.PREFACE) + wire.FRAME_HEAD_SIZE and wire.PREFACE.startswith(data[: len(wire.PREFACE)]):
                return 0
            if not data.startswith(wire.PREFACE) or data[len(wire.PREFACE) + 3] != wire.SETTINGS:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "no preface, or no SETTINGS after it")
            self._greeted = True
            position = len(wire.PREFACE)
        unpack = wire.FRAME_HEAD.unpack_from
        while end - position >= 9 and self._left > 0:
            high, low, kind, flags, number = unpack(data, position)
            length = high << 8 | low
            if length > wire.DEFAULT_FRAME:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a frame too large")
            if end - position - 9 < length:
                break
            self._left -= 1
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

    def _headers(self, number: int, flags: int, payload: bytes) -> None:
        if not number & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that is not a client's")
        if flags & wire.PADDED:
            payload = unpadded(payload, wire.PRIORITY_SIZE if flags & wire.WITH_PRIORITY else 0)
        if flags & wire.WITH_PRIORITY:
            if len(payload) < wire.PRIORITY_SIZE:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short")
            payload = payload[wire.PRIORITY_SIZE :]
        if flags & wire.END_HEADERS:
            self._whole_block(number, flags, payload)
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
            self._whole_block(number, self._block_flags, block)

    def _whole_block(self, number: int, flags: int, block: bytes) -> None:
        # The frame itself is counted already.
        self._left -= _REQUEST - 1 + (len(block) >> _BLOCK_SHIFT)
        self._header_block(number, flags, block)


def unpadded(payload: bytes, fixed: int = 0) -> bytes:
    """RFC 9113 sections 4.2, 6.1 and 6.2: a frame has its ``fixed`` bytes, and padding no longer than what is left."""
    if len(payload) < 1 + fixed:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a padded frame too short")
    if payload[0] >= len(payload) - fixed:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "padding longer than its frame")
    return payload[1 : len(payload) - payload[0]]
