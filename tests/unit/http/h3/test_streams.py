"""The streams of an HTTP/3 connection between two fakes: how much may be sent, and with which codes
streams end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

pytest.importorskip("aioquic")

from sentinel_host.http.h3.connection import Http3Connection
from sentinel_host.http.h3.quic import Quic
from sentinel_host.http.h3.sink import Http3Sink
from sentinel_host.http.server.sink import ResetReason

AHEAD = 256 * 1024
PIECE = 16 * 1024


class FakeQuic:
    """What a connection of aioquic is asked."""

    def __init__(self) -> None:
        self.unacknowledged: dict[int, int] = {}
        self.ended: set[int] = set()
        self.calls: list[tuple[str, int, int]] = []
        self.held: Callable[[int], int] = lambda number: 0

    def unsent(self, number: int) -> int:
        return self.unacknowledged.get(number, 0)

    def has_ended(self, number: int) -> bool:
        return number in self.ended

    def reset_stream(self, number: int, code: int) -> None:
        self.calls.append(("reset", number, code))

    def stop_stream(self, number: int, code: int) -> None:
        self.calls.append(("stop", number, code))


class Streams:
    """The connection, and how often it had something to transmit."""

    def __init__(self) -> None:
        self.quic = FakeQuic()
        self.written = 0
        self.connection = Http3Connection(cast(Quic, self.quic), self.on_written)

    def on_written(self) -> None:
        self.written += 1


@pytest.mark.parametrize(
    ("unsent", "room"),
    [(0, PIECE), (AHEAD - PIECE, PIECE), (AHEAD - 1, 1), (AHEAD, 0), (AHEAD + 100, 0)],
)
def test_room(unsent: int, room: int) -> None:
    it = Streams()
    it.quic.unacknowledged[0] = unsent
    assert Http3Sink(it.connection, 0, 1000).room() == room


def test_streams_that_wait_are_woken_once_the_client_acknowledges() -> None:
    it = Streams()
    woken: list[int] = []
    for number in (0, 4, 8):
        it.quic.unacknowledged[number] = AHEAD
        Http3Sink(it.connection, number, 1000).await_room(lambda number=number: woken.append(number))  # type: ignore[misc]
    Http3Sink(it.connection, 8, 1000).leave_queue()
    it.connection.wake()
    assert woken == []
    it.quic.unacknowledged.update({0: 0, 8: 0})
    it.connection.wake()
    it.connection.wake()
    assert woken == [0]


@pytest.mark.parametrize(
    ("reason", "code", "resets"),
    [
        (ResetReason.NO_ERROR, 0x100, False),
        (ResetReason.INTERNAL_ERROR, 0x102, True),
        (ResetReason.REFUSED, 0x10B, True),
        (ResetReason.CANCELLED, 0x10C, True),
        (ResetReason.MALFORMED, 0x10E, True),
    ],
)
@pytest.mark.parametrize("ended", [False, True])
def test_how_a_stream_ends(reason: ResetReason, code: int, resets: bool, ended: bool) -> None:
    """RFC 9114 section 8.1. After a whole response only the client's side is stopped."""
    it = Streams()
    if ended:
        it.quic.ended.add(4)
    Http3Sink(it.connection, 4, 1000).reset(reason)
    expected = [("reset", 4, code)] * resets + [("stop", 4, code)] * (not ended)
    assert it.quic.calls == expected
    assert 4 in it.connection.was_reset
    assert it.written == 1


def test_the_streams_that_were_reset_are_bounded() -> None:
    it = Streams()
    for number in range(0, 4000, 4):
        it.connection.reset(number, ResetReason.REFUSED)
    assert len(it.connection.was_reset) == 512
    assert 3996 in it.connection.was_reset


def test_half_a_window_is_told_at_once_and_half_of_it_held_is_low() -> None:
    it = Streams()
    sink = Http3Sink(it.connection, 0, 1000)
    assert [sink.consume(size) for size in (499, 1, 499)] == [False, True, False]
    for held, low in ((0, False), (499, False), (500, True)):
        it.quic.held = lambda number, held=held: held  # type: ignore[misc]
        assert sink.window_is_low() is low
