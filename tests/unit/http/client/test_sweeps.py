"""Pools that share the timers of their sweeps."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sentinel_host.http.client import Sweeps
from sentinel_host.http.client.sweeps import interval_of
from tests.support.loops import JumpingLoop, run_jumping


class Pool:
    """Notes when it is swept, and answers what comes next in ``answers``; the last one stays."""

    def __init__(self, *answers: float) -> None:
        self.swept: list[float] = []
        self._answers = list(answers)

    def sweep(self, now: float) -> float:
        self.swept.append(round(now - 1000.0, 6))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class CountingLoop(JumpingLoop):
    """Counts the timers that it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = 0

    def call_at(self, *arguments: Any, **options: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(*arguments, **options)


@pytest.mark.parametrize(
    ("timeout", "interval"), [(3600.0, 1.0), (20.0, 1.0), (10.0, 0.5), (0.3, 0.015), (0.1, 0.005), (0.001, 0.005)]
)
def test_a_timeout_is_looked_for_often_enough_for_a_twentieth_of_itself(timeout: float, interval: float) -> None:
    assert interval_of(timeout) == pytest.approx(interval)


def test_pools_with_the_same_interval_share_a_timer() -> None:
    async def main() -> None:
        sweeps, pools = Sweeps(), [Pool(0.5) for _ in range(300)]
        for pool in pools:
            sweeps.every(0.5, pool)
        await asyncio.sleep(1.75)
        assert [pool.swept for pool in pools] == [[0.5, 1.0, 1.5]] * 300

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        runner.run(main())
        loop = runner.get_loop()
        assert isinstance(loop, CountingLoop)
        # One of them is the test's own.
        assert loop.timers == 4 + 1


def test_a_pool_that_joins_later_is_swept_no_later_than_its_interval() -> None:
    async def main() -> None:
        sweeps, first, second = Sweeps(), Pool(1.0), Pool(1.0)
        sweeps.every(1.0, first)
        await asyncio.sleep(0.75)
        sweeps.every(1.0, second)
        await asyncio.sleep(1.5)
        assert (first.swept, second.swept) == ([1.0, 2.0], [1.0, 2.0])

    run_jumping(main())


def test_a_pool_says_how_often_it_is_swept() -> None:
    async def main() -> None:
        sweeps, other, pool = Sweeps(), Pool(0.5), Pool(0.5, 2.0, 0.25, 0.0)
        sweeps.every(0.5, other)
        sweeps.every(0.5, pool)
        await asyncio.sleep(9.25)
        assert pool.swept == [0.5, 1.0, 3.0, 3.25]
        assert len(other.swept) == 18

    run_jumping(main())


def test_a_pool_can_ask_for_another_interval_at_any_time() -> None:
    async def main() -> None:
        sweeps, pool = Sweeps(), Pool(8.0)
        sweeps.every(8.0, pool)
        await asyncio.sleep(1)
        sweeps.every(0.5, pool)
        await asyncio.sleep(0.75)
        assert pool.swept == [1.5]
        await asyncio.sleep(8)
        assert pool.swept == [1.5, 8.0]

    run_jumping(main())


def test_pools_are_swept_again_after_all_were_done() -> None:
    async def main() -> None:
        sweeps, pool, other = Sweeps(), Pool(0.5), Pool(0.0)
        sweeps.every(0.5, pool)
        sweeps.every(0.5, other)
        sweeps.end(pool)
        sweeps.end(pool)
        await asyncio.sleep(1)
        assert (pool.swept, other.swept) == ([], [0.5])
        sweeps.every(0.5, pool)
        await asyncio.sleep(0.75)
        assert pool.swept == [1.5]

    run_jumping(main())


def test_a_pool_that_fails_is_not_the_end_of_the_others_sweeps(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Pool):
        def sweep(self, now: float) -> float:
            super().sweep(now)
            raise RuntimeError("a bug")

    async def main() -> None:
        sweeps, pools = Sweeps(), [Pool(0.5), Broken(0.5), Pool(0.5)]
        for pool in pools:
            sweeps.every(0.5, pool)
        await asyncio.sleep(1.25)
        assert [pool.swept for pool in pools] == [[0.5, 1.0]] * 3

    run_jumping(main())
    assert [record.getMessage() for record in caplog.records] == ["a pool of connections could not be swept"] * 2
