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
