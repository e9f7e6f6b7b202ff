"""The frames that an HTTP/2 core writes, and which of them close a stream."""

from __future__ import annotations

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from sentinel_host.http.h2.connection import DATA, STREAM_FAULT
from sentinel_host.http.h2.hpack import encode_section
from sentinel_host.http.h2.wire import ErrorCode
from tests.unit.http.h2.core import FAULT, Core, raw

HEAD = HeadersFrame(1, b"\x82", flags=["END_HEADERS"])
WHOLE = HeadersFrame(1, b"\x82", flags=["END_HEADERS", "END_STREAM"])


def test_the_preface() -> None:
    core = Core(window=70000)
    core.connection.send_preface({3: 100})
    settings, window = core.written()
    assert isinstance(settings, SettingsFrame)
    assert isinstance(window, WindowUpdateFrame)
    assert (settings.settings, window.stream_id, window.window_increment) == ({3: 100, 4: 70000}, 0, (1 << 20) - 65535)


@pytest.mark.parametrize("size", [0, 16383, 16384, 16385, 16386, 40000])
def test_a_header_block_in_frames_of_the_peers_size(size: int) -> None:
    core = Core().opened()
    core.feed(raw(WHOLE))
    fields = [(b"x", b"v" * (size - 100)), (b"y", b"w" * 92)] if size > 100 else []
    block = encode_section(200, fields)
    core.connection.send_headers(core.streams[1], 200, fields, True)
    frames = core.written()
    assert [type(frame) for frame in frames[1:]] == [ContinuationFrame] * (len(frames) - 1)
    assert b"".join(frame.data for frame in frames if isinstance(frame, HeadersFrame | ContinuationFrame)) == block
    assert all(frame.body_len <= 16384 for frame in frames)
    assert ["END_HEADERS" in frame.flags for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert ["END_STREAM" in frame.flags for frame in frames] == [True] + [False] * (len(frames) - 1)


@pytest.mark.parametrize("data", [b"", b"x", bytes(16384), bytes(16385), memoryview(b"view")])
@pytest.mark.parametrize("end", [False, True])
def test_data(data: bytes | memoryview, end: bool) -> None:
    core = Core().opened()
    core.feed(raw(WHOLE, SettingsFrame(settings={5: 20000})))
    core.written()
    core.connection.send_data(core.streams[1], data, end)
    (frame,) = core.written()
    assert isinstance(frame, DataFrame)
    assert (frame.data, "END_STREAM" in frame.flags) == (bytes(data), end)
    assert core.streams[1].send_window == 65535 - len(data) == core.connection.flow.send_window


def end(core: Core) -> None:
    core.connection.send_data(core.streams[1], b"", True)


def reset(core: Core) -> None:
    core.connection.reset(core.streams[1], ErrorCode.NO_ERROR)


LAST = DataFrame(1, b"x", flags=["END_STREAM"])
MORE = DataFrame(1, b"y")
STATES: dict[str, tuple[list[Frame | str], list[object]]] = {
    "open": ([HEAD, MORE], [(DATA, 1, b"y", False)]),
    "half-closed (local)": ([HEAD, "end", MORE, LAST], [(DATA, 1, b"y", False), (DATA, 1, b"x", True)]),
    "half-closed (remote)": ([HEAD, LAST, MORE], [(DATA, 1, b"x", True), (STREAM_FAULT, 1)]),
    "closed": ([HEAD, "end", LAST, MORE], [(DATA, 1, b"x", True), (STREAM_FAULT, 1)]),
    "closed by the answer": ([WHOLE, "end", MORE], [(STREAM_FAULT, 1)]),
    "reset": ([HEAD, "reset", MORE, LAST], []),
    "reset after the answer": ([HEAD, "end", "reset", MORE, LAST], []),
    "closed, with a head": ([WHOLE, "end", HEAD], [(FAULT, ErrorCode.STREAM_CLOSED)]),
}


@pytest.mark.parametrize("case", STATES)
def test_what_a_stream_still_takes(case: str) -> None:
    steps, expected = STATES[case]
    core = Core().opened()
    found: list[object] = []
    for step in steps:
        if isinstance(step, str):
            (end if step == "end" else reset)(core)
        else:
            found += core.feed(raw(step))
    assert found[1:] == expected


def test_a_closed_stream_is_not_reset() -> None:
    core = Core().opened()
    core.feed(raw(WHOLE))
    end(core)
    core.written()
    reset(core)
    assert core.written() == []


def test_goaway() -> None:
    core = Core().opened()
    core.connection.send_goaway(7, ErrorCode.ENHANCE_YOUR_CALM, "slower")
    (frame,) = core.written()
    assert isinstance(frame, GoAwayFrame)
    assert (frame.last_stream_id, frame.error_code, frame.additional_data) == (7, 11, b"slower")


def test_a_window_update_once_half_of_the_window_was_consumed() -> None:
    core = Core(window=1000).opened()
    core.feed(raw(HEAD, DataFrame(1, bytes(700))))
    stream = core.streams[1]
    assert [core.connection.consume(stream, size) for size in (499, 1)] == [False, True]
    assert [(frame.stream_id, frame.window_increment) for frame in core.written()] == [(1, 500)]
    assert core.feed(raw(DataFrame(1, bytes(800)))) == [(DATA, 1, bytes(800), False)]
    assert core.feed(raw(DataFrame(1, b"x"))) == [(STREAM_FAULT, 1)]


def test_padding_is_consumed_as_it_arrives() -> None:
    core = Core(window=1000).opened()
    core.feed(raw(HEAD, *[DataFrame(1, b"", flags=["PADDED"], pad_length=249)] * 2))
    assert [(frame.stream_id, frame.window_increment) for frame in core.written()] == [(1, 500)]


def test_an_ordinary_response_is_sent_whole() -> None:
    fields = [(b"content-length", b"4"), (b"te", b"x"), (b"x", b"1")]
    core = Core().opened()
    core.feed(raw(WHOLE))
    stream = core.streams[1]
    before = stream.send_window, core.connection.flow.send_window
    assert core.connection.send_whole(stream, 200, fields, b"now", b"four")
    head, data = core.written()
    assert core.decoder.decode(head.data, raw=True) == [
        (b":status", b"200"),
        (b"content-length", b"4"),
        (b"x", b"1"),
        (b"date", b"now"),
    ]
    assert (data.data, data.flags) == (b"four", {"END_STREAM"})
    assert (stream.send_window + 4, core.connection.flow.send_window + 4) == before
    # The stream is closed: what comes on it is a fault.
    assert core.feed(raw(HEAD)) == [(FAULT, ErrorCode.STREAM_CLOSED)]


@pytest.mark.parametrize("size", [4097, 5])
def test_a_whole_response_without_room_or_too_long_is_not_sent(size: int) -> None:
    core = Core().opened()
    if size < 4096:
        core.feed(SettingsFrame(settings={SettingsFrame.INITIAL_WINDOW_SIZE: 4}).serialize())
    core.feed(raw(WHOLE))
    core.written()
    stream = core.streams[1]
    assert not core.connection.send_whole(stream, 200, [(b"content-length", b"%d" % size)], b"", bytes(size))
    assert core.written() == []
    assert not stream.local_ended
