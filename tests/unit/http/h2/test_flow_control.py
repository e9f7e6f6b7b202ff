"""Whose turn it is to send, and what either side may send."""

from __future__ import annotations

import pytest

from sentinel_host.http.h2.flow import CONNECTION_WINDOW, FlowControl, StreamState
from sentinel_host.http.h2.wire import MAX_WINDOW, ConnectionFault, ErrorCode

FRAME = 16384
WINDOW = 65536


class Flow:
    """Flow control with some streams; ``woken`` lists them as they are told of room."""

    def __init__(self, *streams: int, connection: int = 65535, send_window: int = 1 << 20) -> None:
        self.control = FlowControl(WINDOW)
        self.control.send_window = connection
        self.woken: list[int] = []
        self.streams = {number: StreamState(number, send_window, WINDOW) for number in streams}

    def wait(self, *streams: int) -> None:
        for number in streams:
            self.control.wait(self.streams[number], lambda number=number: self.woken.append(number))  # type: ignore[misc]

    def room(self, number: int) -> int:
        return self.control.room(self.streams[number])

    def send(self, number: int, size: int) -> None:
        """Send, as a stream does that has all to send that it may."""
        self.control.spend(self.streams[number], size)
        self.control.leave(self.streams[number])


@pytest.mark.parametrize(
    ("stream", "connection", "frame", "room"),
    [
        (1 << 20, 1 << 20, FRAME, FRAME),
        (1 << 20, 1 << 20, 20000, 20000),
        (1 << 20, 1 << 20, 1 << 23, 65536),
        (100, 1 << 20, FRAME, 100),
        (1 << 20, 100, FRAME, 100),
        (0, 1 << 20, FRAME, 0),
        (-5, 1 << 20, FRAME, 0),
        (1 << 20, 0, FRAME, 0),
    ],
)
def test_room(stream: int, connection: int, frame: int, room: int) -> None:
    flow = Flow(1, connection=connection, send_window=stream)
    flow.control.limit_frames(frame)
    assert flow.room(1) == room


def test_streams_have_the_connections_window_in_turn() -> None:
    flow = Flow(1, 3, 5, connection=0)
    flow.wait(1, 3, 5)
    flow.control.open_connection(100)
    assert flow.woken == [1]
    # Nobody else may take what the first was woken for, and it goes to the end for more.
    assert (flow.room(1), flow.room(3)) == (100, 0)
    flow.send(1, 100)
    flow.wait(1)
    assert flow.woken == [1]
    flow.control.open_connection(100)
    flow.send(3, 60)
    # What it leaves is the next one's.
    assert flow.woken == [1, 3, 5]
    assert flow.room(5) == 40
    flow.send(5, 40)
    flow.control.open_connection(1)
    assert flow.woken == [1, 3, 5, 1]


def test_a_stream_that_stops_waiting_passes_its_turn_on() -> None:
    flow = Flow(1, 3, 5, connection=0)
    flow.wait(1, 3, 5)
    flow.control.leave(flow.streams[3])
    flow.control.open_connection(10)
    flow.control.leave(flow.streams[1])
    assert flow.woken == [1, 5]


def test_a_stream_waits_for_its_own_window_alone() -> None:
    flow = Flow(1, 3, send_window=0)
    flow.wait(1, 3)
    flow.control.open_connection(10)
    assert flow.woken == []
    assert flow.control.open_stream(flow.streams[3], 7)
    assert flow.woken == [3]
    assert (flow.room(1), flow.room(3)) == (0, 7)


def test_a_turn_that_a_setting_made_useless_is_passed_on() -> None:
    flow = Flow(1, 3, connection=0, send_window=10)
    flow.wait(1, 3)
    flow.control.open_connection(10)
    assert flow.control.open_stream(flow.streams[1], -20)
    assert flow.room(1) == 0
    flow.wait(1)
    assert flow.woken == [1, 3]
    assert flow.room(3) == 10


def test_a_queued_stream_is_not_woken_by_its_own_window() -> None:
    flow = Flow(1, connection=0)
    flow.wait(1)
    flow.control.open_stream(flow.streams[1], 10)
    assert flow.woken == []


def test_the_initial_window_goes_for_open_streams() -> None:
    flow = Flow(1, 3, send_window=0)
    flow.wait(1)
    flow.control.change_initial_window(65535 + 9, list(flow.streams.values()))
    assert (flow.room(1), flow.room(3), flow.woken) == (9, 9, [1])
    flow.control.change_initial_window(0, list(flow.streams.values()))
    assert [stream.send_window for stream in flow.streams.values()] == [-65535, -65535]
    assert flow.control.initial_window == 0


def test_windows_too_large() -> None:
    flow = Flow(1, send_window=1)
    assert not flow.control.open_stream(flow.streams[1], MAX_WINDOW)
    for change in (
        lambda: flow.control.change_initial_window(MAX_WINDOW + 1, []),
        lambda: flow.control.change_initial_window(MAX_WINDOW, [StreamState(1, MAX_WINDOW, 0)]),
        lambda: flow.control.open_connection(MAX_WINDOW),
        lambda: flow.control.receive(CONNECTION_WINDOW + 1),
    ):
        with pytest.raises(ConnectionFault) as fault:
            change()
        assert fault.value.code is ErrorCode.FLOW_CONTROL_ERROR


def test_the_connections_window_is_given_back_as_data_arrives() -> None:
    control = FlowControl(WINDOW)
    half = CONNECTION_WINDOW // 2
    assert [control.receive(size) for size in (half - 1, 1, half, 1)] == [0, half, half, 0]


def test_a_streams_window_is_given_back_as_data_is_consumed() -> None:
    control = FlowControl(1000)
    stream = StreamState(1, 0, 1000)
    stream.receive_window -= 900
    assert [control.consume(stream, size) for size in (499, 1, 400)] == [0, 500, 0]
    assert stream.receive_window == 600
    stream.remote_ended = True
    assert control.consume(stream, 1000) == 0
