"""Bytes to frames, and header blocks put together from theirs (RFC 9113 sections 4 and 6.2, 6.10).

Rule 1: A fault of framing ends the connection: the beginning of the next frame is unknown.
Rule 2: A header block in too many pieces ends the connection with ENHANCE_YOUR_CALM.
Rule 3: A turn is bounded by frames, of which a header block counts as several.
"""

from __future__ import annotations

from typing import Final

from sentinel_host.http.h2 import wire
from sentinel_host.http.h2.wire import ConnectionFault, ErrorCode

NO_FRAME: Final = -1
"""No whole frame is there."""
TURN_OVER: Final = -2
"""The turn's frames are used up, and more bytes are there."""

# A block with more pieces is larger than one that could still be answered with 431.
_MAX_CONTINUATIONS: Final = 256
# A header block counts as a quarter of a turn of 64 frames, one of 16 KiB as all of it.
_BLOCK: Final = 4
_BLOCK_SHIFT: Final = 8


class FrameReader:
    """``kind``, ``number``, ``flags`` and ``payload`` are the last frame's; HEADERS come with their
    whole block.

    ``preface`` is what the peer sends before its first frame; ``max_block`` bounds a header block,
    in bytes.
    """

    __slots__ = (
        "_at",
        "_block",
        "_block_flags",
        "_block_stream",
        "_buffer",
        "_continuations",
        "_left",
        "_max_block",
        "_preface",
        "flags",
        "number",
        "payload",
    )

    def __init__(self, max_block: int, preface: bytes = b"") -> None:
        self._max_block = max_block
        self._preface = preface
        self._buffer = b""
        self._at = self._left = 0
        self._block = bytearray()
        self._block_stream = 0
        self._block_flags = 0
        self._continuations = 0
        self.number = self.flags = 0
        self.payload = b""

    def feed(self, data: bytes) -> None:
        """Take bytes, cut anywhere."""
        if self._buffer:
            data = self._buffer[self._at :] + data
        self._buffer = data
        self._at = 0

    def clear(self) -> None:
        """Forget what has come: none of it will be read."""
        self._buffer = b""
        self._at = 0

    def begin_turn(self, frames: int) -> None:
        """Let `next` find that many frames before it says `TURN_OVER`."""
        self._left = frames

    @property
    def head_is_begun(self) -> bool:
        """Whether a part of a frame is here that carries no body, or a part of a header block."""
        buffer = self._buffer
        return bool(self._block_stream) or (bool(buffer) and buffer[self._at + 3 : self._at + 4] != b"\0")

    def next(self) -> int:
        """The type of the next frame, `NO_FRAME` or `TURN_OVER`. Raises `ConnectionFault`."""
        while True:
            data = self._buffer
            position = self._at
            end = len(data)
            if self._left <= 0 and position < end:
                return TURN_OVER
            if self._preface:
                if not self._read_preface(data):
                    return NO_FRAME
                continue
            if end - position < 9:
                return self._no_frame(position)
            # Compiled, byte by byte is a fifth of what unpacking takes.
            length = data[position] << 16 | data[position + 1] << 8 | data[position + 2]
            if length > wire.DEFAULT_FRAME:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a frame too large")
            if end - position - 9 < length:
                return self._no_frame(position)
            self._left -= 1
            kind = data[position + 3]
            flags = data[position + 4]
            number = (data[position + 5] & 0x7F) << 24 | data[position + 6] << 16
            number |= data[position + 7] << 8 | data[position + 8]
            position += 9
            payload = data[position : position + length]
            self._at = position + length
            if self._block_stream and (kind != wire.CONTINUATION or number != self._block_stream):
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame inside a header block")
            if kind == wire.HEADERS:
                if not self._read_headers(number, flags, payload):
                    continue
            elif kind == wire.CONTINUATION:
                if not self._read_continuation(flags, payload):
                    continue
                kind = wire.HEADERS
            else:
                self.number = number
                self.flags = flags
                self.payload = payload
            return kind

    def _no_frame(self, position: int) -> int:
        if position:
            self._buffer = self._buffer[position:]
            self._at = 0
        return NO_FRAME

    def _read_preface(self, data: bytes) -> bool:
        preface = self._preface
        size = len(preface)
        if len(data) < size + wire.FRAME_HEAD_SIZE and preface.startswith(data[:size]):
            return False
        if not data.startswith(preface) or data[size + 3] != wire.SETTINGS:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "no preface, or no SETTINGS after it")
        self._preface = b""
        self._at = size
        return True

    def _read_headers(self, number: int, flags: int, payload: bytes) -> bool:
        """Whether the block is whole."""
        if flags & wire.PADDED:
            payload = unpadded(payload, wire.PRIORITY_SIZE if flags & wire.WITH_PRIORITY else 0)
        if flags & wire.WITH_PRIORITY:
            if len(payload) < wire.PRIORITY_SIZE:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short")
            payload = payload[wire.PRIORITY_SIZE :]
        if not number:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "HEADERS on no stream")
        if flags & wire.END_HEADERS:
            self._whole_block(number, flags, payload)
            return True
        self._block = bytearray(payload)
        self._block_stream = number
        self._block_flags = flags
        self._continuations = 0
        return False

    def _read_continuation(self, flags: int, payload: bytes) -> bool:
        """Whether the block is whole."""
        if not self._block_stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._continuations += 1
        self._block += payload
        if self._continuations > _MAX_CONTINUATIONS or len(self._block) > self._max_block:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a header block without end", "head_bytes")
        if not flags & wire.END_HEADERS:
            return False
        self._whole_block(self._block_stream, self._block_flags, bytes(self._block))
        self._block = bytearray()
        self._block_stream = 0
        return True

    def _whole_block(self, number: int, flags: int, block: bytes) -> None:
        # The frame itself is counted already.
        self._left -= _BLOCK - 1 + (len(block) >> _BLOCK_SHIFT)
        self.number = number
        self.flags = flags
        self.payload = block


def unpadded(payload: bytes, fixed: int = 0) -> bytes:
    """RFC 9113 sections 4.2, 6.1 and 6.2: a frame has its ``fixed`` bytes, and padding no longer
    than what is left.
    """
    if len(payload) < 1 + fixed:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a padded frame too short")
    if payload[0] >= len(payload) - fixed:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "padding longer than its frame")
    return payload[1 : len(payload) - payload[0]]
