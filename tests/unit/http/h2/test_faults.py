"""What a client may not send: what ends its connection, and what ends one stream (RFC 9113)."""

from __future__ import annotations

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from sentinel_host.http.h2.connection import RESET, STREAM_FAULT
from sentinel_host.http.h2.wire import ErrorCode
from tests.unit.http.h2.core import FAULT, Core, raw

PROTOCOL_ERROR = ErrorCode.PROTOCOL_ERROR
FLOW_CONTROL_ERROR = ErrorCode.FLOW_CONTROL_ERROR
STREAM_CLOSED = ErrorCode.STREAM_CLOSED
FRAME_SIZE_ERROR = ErrorCode.FRAME_SIZE_ERROR
COMPRESSION_ERROR = ErrorCode.COMPRESSION_ERROR
ENHANCE_YOUR_CALM = ErrorCode.ENHANCE_YOUR_CALM

HEAD = HeadersFrame(1, b"\x82", flags=["END_HEADERS"])
WHOLE = HeadersFrame(1, b"\x82", flags=["END_HEADERS", "END_STREAM"])

CONNECTION_FAULTS: dict[str, tuple[list[Frame | bytes], ErrorCode]] = {
    "SETTINGS on a stream": ([b"\0\0\0\4\0\0\0\0\1"], PROTOCOL_ERROR),
    "SETTINGS of another size": ([b"\0\0\5\4\0\0\0\0\0" + bytes(5)], FRAME_SIZE_ERROR),
    "SETTINGS with a window too large": ([SettingsFrame(settings={4: 1 << 31})], FLOW_CONTROL_ERROR),
    "SETTINGS with a frame size too small": ([SettingsFrame(settings={5: 100})], PROTOCOL_ERROR),
    "SETTINGS acknowledged with more": ([b"\0\0\6\4\1\0\0\0\0" + bytes(6)], FRAME_SIZE_ERROR),
    "WINDOW_UPDATE too short": ([b"\0\0\3\x08\0\0\0\0\0" + bytes(3)], FRAME_SIZE_ERROR),
    "WINDOW_UPDATE too long": ([b"\0\0\5\x08\0\0\0\0\1" + bytes(5)], FRAME_SIZE_ERROR),
    "RST_STREAM too short": ([b"\0\0\3\3\0\0\0\0\1" + bytes(3)], FRAME_SIZE_ERROR),
    "RST_STREAM too long": ([b"\0\0\5\3\0\0\0\0\1" + bytes(5)], FRAME_SIZE_ERROR),
    "GOAWAY too short": ([b"\0\0\4\7\0\0\0\0\0" + bytes(4)], FRAME_SIZE_ERROR),
    "GOAWAY of nothing": ([b"\0\0\0\7\0\0\0\0\0"], FRAME_SIZE_ERROR),
    "PRIORITY of another size on no stream": ([b"\0\0\4\2\0\0\0\0\1" + bytes(4)], FRAME_SIZE_ERROR),
    "padded DATA of nothing": ([b"\0\0\0\0\x08\0\0\0\1"], FRAME_SIZE_ERROR),
    "padded HEADERS of nothing": ([b"\0\0\0\1\x0c\0\0\0\1"], FRAME_SIZE_ERROR),
    "HEADERS with half a priority": ([b"\0\0\4\1\x24\0\0\0\1" + bytes(4)], FRAME_SIZE_ERROR),
    "padded HEADERS with half a priority": ([b"\0\0\5\1\x2c\0\0\0\1" + bytes(5)], FRAME_SIZE_ERROR),
    "padding into a priority": ([b"\0\0\6\1\x2c\0\0\0\1\1" + bytes(5)], PROTOCOL_ERROR),
    "PING too long": ([b"\0\0\x09\6\0\0\0\0\0" + bytes(9)], FRAME_SIZE_ERROR),
    "PING of another size": ([b"\0\0\7\6\0\0\0\0\0" + bytes(7)], FRAME_SIZE_ERROR),
    "DATA on stream zero": ([b"\0\0\1\0\0\0\0\0\0x"], PROTOCOL_ERROR),
    "DATA on a stream never opened": ([DataFrame(9, b"x")], PROTOCOL_ERROR),
    "HEADERS on an even stream": ([HeadersFrame(2, b"\x82", flags=["END_HEADERS"])], PROTOCOL_ERROR),
    "CONTINUATION of nothing": ([ContinuationFrame(1, b"x")], PROTOCOL_ERROR),
    "a frame inside a header block": ([HeadersFrame(1, b"\x82"), DataFrame(1, b"x")], PROTOCOL_ERROR),
    "a block that is none": ([HeadersFrame(1, b"\xff\xff\xff\xff\xff\xff", flags=["END_HEADERS"])], COMPRESSION_ERROR),
    "an index beyond the table": ([HeadersFrame(1, b"\xbe", flags=["END_HEADERS"])], COMPRESSION_ERROR),
    "a string that ends early": ([HeadersFrame(1, b"\x00\x05ab", flags=["END_HEADERS"])], COMPRESSION_ERROR),
    "RST_STREAM on a stream never opened": ([RstStreamFrame(1)], PROTOCOL_ERROR),
    "WINDOW_UPDATE of zero": ([b"\0\0\4\x08\0\0\0\0\0" + bytes(4)], PROTOCOL_ERROR),
    "WINDOW_UPDATE too large": ([WindowUpdateFrame(0, window_increment=(1 << 31) - 1)] * 2, FLOW_CONTROL_ERROR),
    "PUSH_PROMISE": ([b"\0\0\4\5\4\0\0\0\1\0\0\0\2"], PROTOCOL_ERROR),
    "GOAWAY on a stream": ([b"\0\0\x08\7\0\0\0\0\1" + bytes(8)], PROTOCOL_ERROR),
    "PRIORITY of stream zero": ([b"\0\0\5\2\0\0\0\0\0" + bytes(5)], PROTOCOL_ERROR),
    "a frame too large": ([b"\0\x40\x01\0\0\0\0\0\1"], FRAME_SIZE_ERROR),
    "padding longer than the frame": ([b"\0\0\2\1\x0c\0\0\0\1\x05\x82"], PROTOCOL_ERROR),
    "HEADERS on a closed stream": ([HEAD, RstStreamFrame(1), HEAD], STREAM_CLOSED),
    "a setting of push that is none": ([SettingsFrame(settings={2: 2})], PROTOCOL_ERROR),
    "a frame size too large": ([SettingsFrame(settings={5: 1 << 24})], PROTOCOL_ERROR),
    "a window that a setting makes too large": (
        [HEAD, WindowUpdateFrame(1, (1 << 31) - 1 - 65535), SettingsFrame(settings={4: 65536})],
        FLOW_CONTROL_ERROR,
    ),
    "a header block without end": ([HeadersFrame(1, b"\x82"), *[ContinuationFrame(1, b"")] * 257], ENHANCE_YOUR_CALM),
    "a header block too large": (
        [HeadersFrame(1, b"\x82"), *[ContinuationFrame(1, bytes(16384))] * 17],
        ENHANCE_YOUR_CALM,
    ),
    "too many settings in one frame": ([SettingsFrame(settings=dict.fromkeys(range(100, 133), 1))], ENHANCE_YOUR_CALM),
    "too many pings": ([PingFrame(0, bytes(8))] * 501, ENHANCE_YOUR_CALM),
    "too many acknowledged settings": ([SettingsFrame(flags=["ACK"])] * 501, ENHANCE_YOUR_CALM),
    "too many settings": ([SettingsFrame()] * 501, ENHANCE_YOUR_CALM),
    "too many priorities": ([b"\0\0\5\2\0\0\0\0\1" + bytes(5)] * 501, ENHANCE_YOUR_CALM),
    "too many empty frames": ([HEAD, *[DataFrame(1, b"")] * 501], ENHANCE_YOUR_CALM),
    "too many frames of unknown types": ([b"\0\0\0\xfa\0\0\0\0\1"] * 501, ENHANCE_YOUR_CALM),
    "too many faults on streams": ([HEAD, RstStreamFrame(1), *[DataFrame(1, b"x")] * 501], ENHANCE_YOUR_CALM),
}


@pytest.mark.parametrize("case", CONNECTION_FAULTS)
def test_faults_of_the_connection(case: str) -> None:
    frames, code = CONNECTION_FAULTS[case]
    core = Core().opened()
    assert core.feed(raw(*frames))[-1] == (FAULT, code)


@pytest.mark.parametrize("case", [case for case, (frames, _) in CONNECTION_FAULTS.items() if len(frames) < 4])
def test_faults_of_the_connection_in_single_bytes(case: str) -> None:
    frames, code = CONNECTION_FAULTS[case]
    core = Core().opened()
    for byte in raw(*frames):
        found = core.feed(bytes((byte,)))
        if (FAULT, code) in found:
            return
    raise AssertionError(f"no fault in {case}")


STREAM_FAULTS: dict[str, tuple[list[Frame | bytes], ErrorCode]] = {
    "DATA after the end": ([WHOLE, DataFrame(1, b"x")], STREAM_CLOSED),
    "HEADERS after the end": ([WHOLE, HEAD], STREAM_CLOSED),
    "DATA after a reset": ([HEAD, RstStreamFrame(1), DataFrame(1, b"x")], STREAM_CLOSED),
    "a window of the stream that is overrun": ([HEAD, *[DataFrame(1, bytes(16384))] * 5], FLOW_CONTROL_ERROR),
    "padding that overruns the window": (
        [HEAD, *[DataFrame(1, bytes(16000), flags=["PADDED"], pad_length=255)] * 5],
        FLOW_CONTROL_ERROR,
    ),
    "a window update of zero": ([HEAD, b"\0\0\4\x08\0\0\0\0\1" + bytes(4)], PROTOCOL_ERROR),
    "a window too large": ([HEAD, WindowUpdateFrame(1, (1 << 31) - 1)], FLOW_CONTROL_ERROR),
    "PRIORITY of another size": ([HEAD, b"\0\0\4\2\0\0\0\0\1" + bytes(4)], FRAME_SIZE_ERROR),
}


@pytest.mark.parametrize("case", STREAM_FAULTS)
def test_faults_of_a_stream_leave_the_others(case: str) -> None:
    frames, code = STREAM_FAULTS[case]
    core = Core().opened()
    assert core.feed(raw(*frames))[-1] == (STREAM_FAULT, 1)
    assert core.resets() == [(1, code)]
    assert core.feed(raw(HeadersFrame(3, b"\x82", flags=["END_HEADERS", "END_STREAM"])))[0][1] == 3


IGNORED: dict[str, list[Frame | bytes]] = {
    "DATA": [DataFrame(1, b"late"), DataFrame(1, b"later", flags=["END_STREAM"])],
    "trailers": [HeadersFrame(1, b"\x82", flags=["END_HEADERS", "END_STREAM"])],
    "WINDOW_UPDATE": [WindowUpdateFrame(1, 10)],
    "WINDOW_UPDATE of zero": [b"\0\0\4\x08\0\0\0\0\1" + bytes(4)],
    "RST_STREAM": [RstStreamFrame(1)],
}


@pytest.mark.parametrize("case", IGNORED)
def test_what_comes_late_on_a_stream_that_we_reset_is_ignored(case: str) -> None:
    core = Core().opened()
    core.feed(raw(HEAD))
    core.connection.reset(core.streams[1], ErrorCode.CANCEL)
    assert core.resets() == [(1, ErrorCode.CANCEL)]
    assert core.feed(raw(*IGNORED[case])) == []
    assert core.written() == []
    core.connection.reset(core.streams[1], ErrorCode.CANCEL)
    assert core.written() == []


def test_a_reset_costs_the_client_and_one_of_a_closed_stream_does_not() -> None:
    core = Core(budget=3).opened()
    core.feed(raw(*[HeadersFrame(number, b"\x82", flags=["END_HEADERS"]) for number in (1, 3, 5)]))
    assert core.feed(raw(RstStreamFrame(1), RstStreamFrame(1), RstStreamFrame(1), RstStreamFrame(3))) == [
        (RESET, 1),
        (RESET, 3),
    ]
    assert core.feed(raw(RstStreamFrame(5))) == [(FAULT, ErrorCode.ENHANCE_YOUR_CALM)]


def test_the_budget_fills_again() -> None:
    core = Core().opened()
    pings = raw(PingFrame(0, bytes(8)))
    assert core.feed(pings * 499) == []
    assert core.connection.is_throttled()
    core.now = 100.0
    assert not core.connection.is_throttled()
    assert core.feed(pings * 500) == []
    assert core.feed(pings) == [(FAULT, ErrorCode.ENHANCE_YOUR_CALM)]
