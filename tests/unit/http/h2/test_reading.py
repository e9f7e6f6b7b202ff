"""What an HTTP/2 core finds in bytes, however they are cut."""

from __future__ import annotations

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from sentinel_host.http.h2.connection import DATA, GOAWAY, REQUEST, RESET, STREAM_FAULT, TRAILERS
from tests.unit.http.h2.core import FAULT, OPENING, PREFACE, Core, Found, raw

GET = [(b":method", b"GET"), (b":path", b"/"), (b"cookie", b"a=1"), (b"cookie", b"b=2")]
SUM = [(b"x-sum", b"1")]


def conversation(core: Core) -> tuple[bytes, list[Found]]:
    """Every frame that a client may send, and what is found in them."""
    split = core.block(GET)
    padded = HeadersFrame(3, core.block(GET), flags=["END_HEADERS", "PADDED", "PRIORITY"], pad_length=9)
    padded.depends_on = 1
    sent = raw(
        OPENING,
        SettingsFrame(0, {4: 100, 5: 20000}),
        HeadersFrame(1, split[:1], flags=["END_STREAM"]),
        ContinuationFrame(1, split[1:2]),
        ContinuationFrame(1, split[2:], flags=["END_HEADERS"]),
        PriorityFrame(9, stream_weight=3),
        padded,
        DataFrame(3, b"one", flags=["PADDED"], pad_length=20),
        PingFrame(0, b"12345678"),
        DataFrame(3, b""),
        DataFrame(3, b"two"),
        WindowUpdateFrame(3, 5),
        HeadersFrame(3, core.block(SUM), flags=["END_HEADERS", "END_STREAM"]),
        b"\0\0\3\xfa\0\0\0\0\1???",
        HeadersFrame(5, core.block(GET), flags=["END_HEADERS"]),
        DataFrame(5, b"end", flags=["END_STREAM"]),
        DataFrame(5, b"more"),
        HeadersFrame(7, core.block(GET), flags=["END_HEADERS"]),
        RstStreamFrame(7, 8),
        GoAwayFrame(0, 0, 0, b"bye"),
    )
    found: list[Found] = [
        (REQUEST, 1, GET, True, True),
        (REQUEST, 3, GET, True, False),
        (DATA, 3, b"one", False),
        (DATA, 3, b"two", False),
        (TRAILERS, 3, SUM, True, True),
        (REQUEST, 5, GET, True, False),
        (DATA, 5, b"end", True),
        (STREAM_FAULT, 5),
        (REQUEST, 7, GET, True, False),
        (RESET, 7),
        (GOAWAY,),
    ]
    return sent, found


def test_one_piece() -> None:
    core = Core()
    sent, found = conversation(core)
    assert core.feed(sent) == found
    kinds = [type(frame).__name__ for frame in core.written()]
    assert kinds == ["SettingsFrame", "SettingsFrame", "PingFrame", "RstStreamFrame"]
    assert core.connection.last == 7


def test_any_two_pieces() -> None:
    sent, found = conversation(Core())
    whole = Core()
    whole.feed(sent)
    for cut in range(1, len(sent)):
        core = Core()
        assert core.feed(sent[:cut]) + core.feed(sent[cut:]) == found, cut
        assert core.out == whole.out


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10, 100])
def test_small_pieces(size: int) -> None:
    core = Core()
    sent, found = conversation(core)
    assert [each for at in range(0, len(sent), size) for each in core.feed(sent[at : at + size])] == found


@pytest.mark.parametrize("turn", [1, 2, 5])
def test_turns(turn: int) -> None:
    core = Core()
    sent, found = conversation(core)
    assert core.feed(sent, turn) == found


def test_a_turn_has_that_many_frames_and_a_head_counts_as_several() -> None:
    core = Core().opened()
    pings = raw(PingFrame(0, b"12345678")) * 10
    core.connection.feed(pings)
    core.connection.begin_turn(4)
    core.connection.read()
    assert len(core.written()) == 4
    core.read()
    core.connection.feed(raw(HeadersFrame(1, core.block(), flags=["END_HEADERS"])) + pings)
    core.connection.begin_turn(6)
    assert core.connection.read() == REQUEST
    core.connection.read()
    assert len(core.written()) == 6 + 2


@pytest.mark.parametrize(
    ("sent", "begun"),
    [
        (b"", False),
        (PREFACE[:1], True),
        (PREFACE[:20], True),
        (OPENING[:-1], True),
        (OPENING, False),
        (OPENING + b"\0", True),
        (OPENING + b"\0\0\5\1", True),
        (OPENING + raw(HeadersFrame(1, b"\x82")), True),
        (OPENING + raw(HeadersFrame(1, b"\x82", flags=["END_HEADERS"])), False),
        (OPENING + raw(HeadersFrame(1, b"\x82", flags=["END_HEADERS"])) + b"\0\0\5\0\0\0\0\0\1x", False),
    ],
)
def test_whether_a_head_is_begun(sent: bytes, begun: bool) -> None:
    core = Core()
    core.feed(sent)
    assert core.connection.head_is_begun == begun


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n" + bytes(20),
        b"PRI * HTTP/2.0\r\n\r\nSX",
        PREFACE + raw(PingFrame(0, b"12345678")),
        PREFACE + raw(PriorityFrame(1)),
    ],
)
def test_what_is_no_preface(sent: bytes) -> None:
    (found,) = Core().feed(sent)
    assert found[0] == FAULT


def test_a_section_beyond_the_limit_is_not_whole() -> None:
    core = Core(section=100).opened()
    large = HeadersFrame(1, core.block([(b"x", b"v" * 200)]), flags=["END_HEADERS"])
    (found,) = core.feed(raw(large))
    assert found == (REQUEST, 1, [], False, False)
    small = HeadersFrame(3, core.block([(b"x", b"v" * 90)]), flags=["END_HEADERS"])
    assert core.feed(raw(small)) == [(REQUEST, 3, [(b"x", b"v" * 90)], True, False)]
