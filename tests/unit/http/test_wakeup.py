"""A task that waits goes on within the call that wakes it, in its own context."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest

from sentinel_host.http.wakeup import Wakeup

variable: ContextVar[str] = ContextVar("variable", default="")


async def from_a_callback(wakeup: Wakeup, steps: list[str]) -> None:
    """Ring where no task runs, as a transport's callback does."""
    done = asyncio.get_running_loop().create_future()

    def ring() -> None:
        steps.append("ring")
        wakeup.ring()
        steps.append("rung")
        done.set_result(None)

    asyncio.get_running_loop().call_soon(ring)
    await done


async def wait_twice(wakeup: Wakeup, steps: list[str]) -> None:
    variable.set("the task's")
    for number in range(2):
        await wakeup
        steps.append(f"{number} in {variable.get()}")


def test_a_waiting_task_goes_on_at_once_and_in_its_context() -> None:
    async def run() -> list[str]:
        wakeup, steps = Wakeup(asyncio.get_running_loop()), list[str]()
        task = asyncio.create_task(wait_twice(wakeup, steps))
        await asyncio.sleep(0)
        for _ in range(2):
            await from_a_callback(wakeup, steps)
        await task
        return steps

    assert asyncio.run(run()) == ["ring", "0 in the task's", "rung", "ring", "1 in the task's", "rung"]


def test_where_another_task_runs_the_next_turn_is_soon_enough() -> None:
    async def run() -> list[str]:
        wakeup, steps = Wakeup(asyncio.get_running_loop()), list[str]()
        task = asyncio.create_task(wait_twice(wakeup, steps))
        await asyncio.sleep(0)
        for _ in range(2):
            wakeup.ring()
            steps.append("rung")
            await asyncio.sleep(0)
        await task
        return steps

    assert asyncio.run(run()) == ["rung", "0 in the task's", "rung", "1 in the task's"]


def test_a_task_may_be_told_to_go_on_in_the_next_turn() -> None:
    async def run() -> list[str]:
        wakeup, steps = Wakeup(asyncio.get_running_loop()), list[str]()
        wakeup.ring_soon()
        task = asyncio.create_task(wait_twice(wakeup, steps))
        await asyncio.sleep(0)
        for _ in range(2):
            asyncio.get_running_loop().call_soon(wakeup.ring_soon)
            asyncio.get_running_loop().call_soon(steps.append, "rung")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await task
        return steps

    assert asyncio.run(run()) == ["rung", "0 in the task's", "rung", "1 in the task's"]


def test_ringing_for_nobody_is_forgotten() -> None:
    async def run() -> None:
        wakeup = Wakeup(asyncio.get_running_loop())
        wakeup.ring()
        task = asyncio.create_task(wait_twice(wakeup, []))
        await asyncio.sleep(0)
        wakeup.ring()
        wakeup.ring()
        await asyncio.sleep(0)
        assert not task.done()
        wakeup.ring()
        await task

    asyncio.run(run())


def test_a_task_that_is_cancelled_stops_waiting_and_may_wait_again() -> None:
    async def run() -> None:
        wakeup = Wakeup(asyncio.get_running_loop())

        async def wait() -> str:
            try:
                await wakeup
            except asyncio.CancelledError:
                await wakeup
            return "rung"

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        await from_a_callback(wakeup, [])
        assert await task == "rung"
        never = asyncio.create_task(wait_twice(wakeup, []))
        await asyncio.sleep(0)
        never.cancel()
        with pytest.raises(asyncio.CancelledError):
            await never

    asyncio.run(run())
