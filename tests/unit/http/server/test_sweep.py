"""The sweep of the connections' deadlines."""

from __future__ import annotations

import asyncio

import pytest

from sentinel_host.http.server import Connections, ServerLimits
from tests.support.loops import run_jumping


class Overdue:
    """A connection whose deadline has passed, and which may fail when it is told so."""

    def next_deadline(self) -> float:
        return 0.0

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.expired = 0
        self.aborted = False

    def expire(self, now: float) -> None:
        self.expired += 1
        if self.failure is not None:
            raise self.failure

    def wind_down(self) -> None: ...

    def close_if_idle(self) -> None: ...

    def abort(self) -> None:
        self.aborted = True


def test_a_connection_that_fails_is_not_the_end_of_the_sweep(caplog: pytest.LogCaptureFixture) -> None:
    """The first exception of one connection left the deadlines of all others to nobody, for the
    life of the worker.
    """
    broken, fine = Overdue(RuntimeError("broken")), Overdue()

    async def main() -> None:
        connections = Connections(ServerLimits())
        connections.active |= {broken, fine}
        connections.start(asyncio.get_running_loop())
        await asyncio.sleep(3 * ServerLimits().sweep_interval())
        connections.stop()

    run_jumping(main())
    assert broken.aborted
    assert broken.expired == fine.expired > 1
    assert "broken" in caplog.text


class Waiting(Overdue):
    """A connection that notes when it is looked at, and when it is told that it is over."""

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self.deadline = deadline
        self.looks: list[float] = []
        self.begun = self.ended = 0.0

    def next_deadline(self) -> float:
        self.looks.append(asyncio.get_running_loop().time())
        return self.deadline

    def expire(self, now: float) -> None:
        self.ended = now
        self.deadline = now + 1000


def ten_seconds(deadline: float, busy: bool) -> Waiting:
    """What one connection saw whose deadline is so many seconds after the first sweep."""
    connection = Waiting(deadline)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        connection.begun = loop.time()
        connection.deadline += connection.begun
        connections = Connections(ServerLimits())
        connections.active.add(connection)
        connections.start(loop)
        for _ in range(100):
            connections.requests += busy
            await asyncio.sleep(0.1)
        connections.stop()

    run_jumping(main())
    return connection


def test_a_worker_at_rest_is_swept_once_a_second() -> None:
    connection = ten_seconds(1000, busy=False)
    assert len(connection.looks) <= 12


def test_a_busy_worker_is_swept_for_its_shortest_deadline() -> None:
    connection = ten_seconds(1000, busy=True)
    assert len(connection.looks) > 8 / ServerLimits().sweep_interval()


@pytest.mark.parametrize("deadline", [0.125, 0.5, 1.25, 3.75])
def test_a_deadline_is_noticed_in_time_though_nothing_happens(deadline: float) -> None:
    connection = ten_seconds(deadline, busy=False)
    late = connection.ended - connection.begun - deadline
    assert 0 <= late < 1.01 * ServerLimits().sweep_interval()
