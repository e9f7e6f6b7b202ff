from __future__ import annotations

import asyncio
import itertools
from typing import Any

from sentinel_host.gateway.logpump import LogPump
from sentinel_host.native.trail import Trail
from sentinel_host.observe.recorder import Recorder
from sentinel_host.sandbox import GuestLines
from tests.support.clocks import PATIENCE
from tests.support.loops import run_jumping


class Log:
    """A log that has a line whenever it is asked."""

    def __init__(self) -> None:
        self.taken = 0

    def emit(self, sink: Any) -> None:
        self.taken += 1
        sink([], self.taken)


class NoRecords:
    """Of requests that nobody wants to see."""

    def take_lines(self, lines: object) -> None:
        """They are nobody's."""

    def publish(self) -> None:
        """There are none."""


def test_a_sink_that_fails_once_is_not_the_end_of_the_log() -> None:
    """A full disk, for a moment, once ended all lines of guests until the worker was replaced."""
    reported: list[dict[str, Any]] = []
    log: Any = Log()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reported.append(context))
        enough = asyncio.Event()

        def sink(lines: GuestLines, count: int) -> None:
            if count == 3:
                enough.set()
            raise OSError(f"failure {count}")

        pump = LogPump(log, sink, NoRecords())
        loop.call_soon(pump.start)
        await asyncio.wait_for(enough.wait(), PATIENCE)
        await asyncio.sleep(0)
        log.emit = lambda sink: None
        pump.stop()

    asyncio.run(main())
    assert [str(context["exception"]) for context in reported] == ["failure 1", "failure 2", "failure 3"]


def test_a_log_in_which_nothing_happens_is_looked_at_less_often() -> None:
    """Until there is a line."""
    times: list[float] = []
    lines = {40, 41}
    log: Any = Log()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        enough = asyncio.Event()

        def emit(sink: Any) -> None:
            log.taken += 1
            times.append(loop.time())
            if log.taken in lines:
                sink(None, 0)
            if log.taken == 80:
                enough.set()

        log.emit = emit
        pump = LogPump(log, lambda lines, count: None, Recorder(Trail()))
        pump.start()
        await enough.wait()
        pump.stop()

    run_jumping(main())
    pauses = [round(later - sooner, 2) for sooner, later in itertools.pairwise(times)]
    assert set(pauses[:19]) == set(pauses[42:59]) == {0.05}
    assert set(pauses[22:39]) == set(pauses[64:78]) == {0.4}
