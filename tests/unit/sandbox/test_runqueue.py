"""Suspended calls share the loop: their turns, their half of its time, and which fall
behind.
"""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from sentinel_host.native.guest import SUSPENDED, NativeGuest, Suspension
from sentinel_host.sandbox.runqueue import FellBehind, RunQueue, Suspended
from tests.support.loops import JumpingLoop, run_jumping

DEADLINE = 0.05
TICK = 0.005
# What a test waits for longer than any bound.
PATIENT = 60.0


class Working:
    """An instance in a call that needs so many seconds of running time, of which every turn gives
    it a part.
    """

    is_waiting = False

    def __init__(self, seconds: float, log: list[Working]) -> None:
        self.left = round(seconds / TICK)
        self._log = log

    def resume(self) -> bytes | Suspension:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        loop.jump(TICK)
        self._log.append(self)
        self.left -= 1
        return SUSPENDED if self.left else b"done"


class Iterations:
    """Counts the loop's."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._count = 0

    def note(self) -> None:
        """Something is done in this one."""
        self.seen.append(self._count)
        asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._count += 1


async def finish(queue: RunQueue, instance: Working) -> bytes | None:
    return await queue.finish(cast(NativeGuest, instance), DEADLINE)


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("crowd", [1, 2, 8, 64])
def test_calls_within_their_deadline_end_well_however_many_share_the_loop(crowd: int) -> None:
    """Together they get half of the time: of n calls each gets its deadline of running time within
    2n deadlines.
    """

    async def main() -> None:
        turns: list[Working] = []
        queue = RunQueue(now, now)
        begun = now()
        answers = await asyncio.gather(*(finish(queue, Working(DEADLINE, turns)) for _ in range(crowd)))
        assert answers == [b"done"] * crowd
        took = now() - begun
        assert took == pytest.approx(2 * crowd * DEADLINE, abs=5 * TICK)
        # One after the other.
        assert len(set(turns[:crowd])) == crowd
        assert len(queue) == 0

    run_jumping(main())


@pytest.mark.parametrize(("crowd", "bound"), [(1, 3), (2, 5), (8, 17)])
def test_a_call_that_goes_on_and_on_is_given_up(crowd: int, bound: int) -> None:
    async def main() -> None:
        queue = RunQueue(now, now)
        begun = now()
        calls = [finish(queue, Working(PATIENT, [])) for _ in range(crowd)]
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in ended] == [FellBehind] * crowd
        assert now() - begun == pytest.approx(bound * DEADLINE, abs=2 * (crowd + 1) * TICK)

    run_jumping(main())


def test_one_call_runs_in_an_iteration_of_the_loop() -> None:
    async def main() -> None:
        iterations = Iterations()
        queue = RunQueue(now, now)

        class Noting(Working):
            def resume(self) -> bytes | Suspension:
                iterations.note()
                return super().resume()

        await asyncio.gather(*(finish(queue, Noting(DEADLINE, [])) for _ in range(4)))
        assert len(iterations.seen) == len(set(iterations.seen)) == 4 * DEADLINE / TICK

    run_jumping(main())


def test_others_have_the_loop_for_as_long_as_a_call_had_it() -> None:
    async def main() -> None:
        rested: list[float] = []
        queue = RunQueue(now, now)

        class Watched(Working):
            ended = now()

            def resume(self) -> bytes | Suspension:
                rested.append(now() - self.ended)
                answer = super().resume()
                self.ended = now()
                return answer

        assert await finish(queue, Watched(DEADLINE, [])) == b"done"
        # Before it came to the queue it had run for two ticks.
        assert min(rested[1:]) >= TICK * 0.99

    run_jumping(main())


def test_nobody_falls_behind_while_the_thread_has_no_processor() -> None:
    """Others have it for an hour, before each turn of the call."""

    async def main() -> None:
        ran = 0.0

        class Preempted(Working):
            def resume(self) -> bytes | Suspension:
                nonlocal ran
                ran += TICK
                loop = asyncio.get_running_loop()
                assert isinstance(loop, JumpingLoop)
                loop.jump(3600)
                return super().resume()

        queue = RunQueue(now, lambda: ran)
        assert await finish(queue, Preempted(DEADLINE, [])) == b"done"

    run_jumping(main())


@pytest.mark.parametrize(("crowd", "deadlines"), [(1, 3), (2, 5), (8, 17)])
def test_the_bound_grows_with_the_crowd(crowd: int, deadlines: int) -> None:
    async def main() -> None:
        call = Suspended(None, asyncio.get_running_loop().create_future(), 100.0, 0.05)  # type: ignore[arg-type]
        assert not call.is_behind(100.001, crowd)
        # The others may be gone meanwhile: their turns have been taken all the same.
        assert not call.is_behind(100.0 + deadlines * 0.05 - 0.001, 1)
        assert call.is_behind(100.0 + deadlines * 0.05 + 0.001, 1)

    asyncio.run(main())


def test_an_unexpected_failure_of_a_call_delays_no_other_call() -> None:
    """Its request was left without an answer, and all other suspended calls without a turn."""

    class Broken(Working):
        def resume(self) -> bytes | Suspension:
            raise RuntimeError("broken")

    async def main() -> None:
        queue = RunQueue(now, now)
        turns: list[Working] = []
        answers = await asyncio.gather(
            finish(queue, Broken(DEADLINE, turns)), finish(queue, Working(DEADLINE, turns)), return_exceptions=True
        )
        assert str(answers[0]) == "broken"
        assert answers[1] == b"done"

    run_jumping(main())
