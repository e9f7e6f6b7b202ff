"""Frames to bytes and back: four bytes of length, big-endian, then a MessagePack `Frame`. Knows no
socket.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from sentinel_host.control.messages import Frame
from sentinel_host.errors import SentinelError

# A worker's snapshot with a thousand routes is half a megabyte; gRPC's default for one message is 4
# MiB.
FRAME_LIMIT: Final = 16 << 20
_HEADER: Final = 4

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Frame)


class ControlError(SentinelError):
    """The other side of a control channel sent what is no frame, ended, or did not answer."""


def encode(frame: Frame) -> bytes:
    """One frame, ready to send.

    Raises `ControlError` when it is beyond the limit.
    """
    body = _encoder.encode(frame)
    if len(body) > FRAME_LIMIT:
        raise ControlError(f"a control message of {len(body)} bytes is beyond {FRAME_LIMIT}")
    return len(body).to_bytes(_HEADER, "big") + body


class FrameDecoder:
    """Takes bytes however they were cut, gives whole frames. After an error it is of no more
    use.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that ``data`` completes.

        Raises `ControlError` for a length beyond the limit and for what is no `Frame`.
        """
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _HEADER:
            size = int.from_bytes(buffer[:_HEADER], "big")
            if size > FRAME_LIMIT:
                raise ControlError(f"a control message of {size} bytes is beyond {FRAME_LIMIT}")
            if len(buffer) < _HEADER + size:
                return
            body = bytes(buffer[_HEADER : _HEADER + size])
            del buffer[: _HEADER + size]
            try:
                frame = _decoder.decode(body)
            except msgspec.DecodeError as error:
                raise ControlError(f"not a control message: {error}") from None
            yield frame
