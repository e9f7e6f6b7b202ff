"""HTTP/2's frames as bytes (RFC 9113 sections 4 and 6)."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20

ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5
MAX_HEADER_LIST_SIZE: Final = 6
ENABLE_CONNECT_PROTOCOL: Final = 8  # RFC 8441

# RFC 9113 sections 6.3 and 6.8: what every PRIORITY has, and the least that GOAWAY has.
PRIORITY_SIZE: Final = 5
LEAST_GOAWAY: Final = 8

# RFC 9113 section 6.5.2: what holds until SETTINGS say otherwise.
DEFAULT_WINDOW: Final = 65_535
DEFAULT_FRAME: Final = 16_384
MAX_WINDOW: Final = (1 << 31) - 1
MAX_STREAM: Final = (1 << 31) - 1

FRAME_HEAD: Final = Struct(">HBBBI")
FRAME_HEAD_SIZE: Final = FRAME_HEAD.size
_SETTING: Final = Struct(">HI")
_WORD: Final = Struct(">I")
_TWO_WORDS: Final = Struct(">II")


class ErrorCode(IntEnum):
    """RFC 9113 section 7."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class ConnectionFault(Exception):
    """The peer broke a rule, and its further input cannot be understood: GOAWAY with ``code``.

    ``limit`` names what it exceeded, if that was it.
    """

    def __init__(self, code: ErrorCode, reason: str, limit: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.limit = limit


def frame_head(kind: int, flags: int, stream: int, length: int) -> bytes:
    """The nine bytes before a payload of that length."""
    return FRAME_HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream)


def settings(values: dict[int, int]) -> bytes:
    """A SETTINGS frame."""
    payload = b"".join(_SETTING.pack(*pair) for pair in values.items())
    return frame_head(SETTINGS, 0, 0, len(payload)) + payload


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """The pairs of a SETTINGS frame whose length is a multiple of six."""
    return list(_SETTING.iter_unpack(payload))


def reset(stream: int, code: int) -> bytes:
    """An RST_STREAM frame."""
    return FRAME_HEAD.pack(0, 4, RST_STREAM, 0, stream) + _WORD.pack(code)


def goaway(last_stream: int, code: int, reason: str = "") -> bytes:
    """A GOAWAY frame; the reason is for people who debug a client."""
    text = reason.encode("ascii", "backslashreplace")
    return frame_head(GOAWAY, 0, 0, 8 + len(text)) + _TWO_WORDS.pack(last_stream, code) + text


def window_update(stream: int, increment: int) -> bytes:
    """A WINDOW_UPDATE frame; stream 0 is the connection."""
    return FRAME_HEAD.pack(0, 4, WINDOW_UPDATE, 0, stream) + _WORD.pack(increment)


def word(payload: bytes) -> int:
    """A payload of four bytes as a number without its reserved bit."""
    number: int = _WORD.unpack(payload)[0]
    return number & 0x7FFFFFFF


def code(payload: bytes) -> int:
    """A payload of four bytes as an error code."""
    number: int = _WORD.unpack(payload)[0]
    return number


SETTINGS_ACK: Final = frame_head(SETTINGS, ACK, 0, 0)
