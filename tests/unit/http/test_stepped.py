"""A stepped task does what an ordinary one does: each case is run in both, and leaves the same trace."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from sentinel_host.http.stepped import stepped_task
from sentinel_host.http.wakeup import Wakeup
from tests.support.loops import run_jumping

variable: ContextVar[str] = ContextVar("variable", default="")


class Case:
    """What a case has: two wakeups, a future, the task under test, and a trace of what happened."""

    def __init__(self, is_stepped: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.one, self.two = Wakeup(self.loop), Wakeup(self.loop)
        self.future: asyncio.Future[str] = self.loop.create_future()
        self.trace: list[object] = []
        self._is_stepped = is_stepped
        self.task: asyncio.Task[None]

    def note(self, what: object) -> None:
        self.trace.append(what)

    def begin(self, body: Callable[[Case], Coroutine[Any, Any, None]]) -> None:
        """Have the task run ``body``, in a context of its own."""
        context = copy_context()
        if self._is_stepped:
            self.task = stepped_task(lambda: body(self), self.loop, "case", context)
        else:
            self.task = asyncio.Task(body(self), loop=self.loop, name="case", context=context)

    async def outside(self, *acts: Callable[[], object]) -> None:
        """Do that where no task runs, as a transport's call does, all in one turn; then let the task
        go on.
        """
        done = self.loop.create_future()

        def call() -> None:
            self.note("call")
            for act in acts:
                act()
                self.note("acted")
            done.set_result(None)

        self.loop.call_soon(call)
        await done
        await self.turns()

    async def turns(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def waits(self, awaitable: Awaitable[object], name: str) -> None:
        """In the task: wait, and note how that ended."""
        try:
            found = await awaitable
            self.note((name, found))
        except BaseException as error:
            self.note((name, type(error)))
            raise
        finally:
            self.note((asyncio.current_task() is self.task, variable.get()))

    async def survives(self, awaitable: Awaitable[object], name: str) -> None:
        """As `waits`; a cancellation is caught."""
        try:
            await self.waits(awaitable, name)
        except asyncio.CancelledError:
            self.note(self.task.cancelling())


async def waits_thrice(case: Case) -> None:
    variable.set("its own")
    await case.waits(case.one, "one")
    await case.waits(case.two, "two")
    await case.waits(case.one, "one again")


async def waits_for_all_kinds(case: Case) -> None:
    await case.waits(case.one, "one")
    variable.set("set in a step")
    await case.waits(asyncio.sleep(0), "turn")
    await case.waits(case.two, "two")
    await case.waits(case.future, "future")
    await case.waits(asyncio.create_task(asyncio.sleep(0, "slept")), "task")
    await case.waits(case.one, "one again")


async def survives_all(case: Case) -> None:
    for number in range(3):
        await case.survives(case.one, f"one, {number}")
        await case.survives(case.two, f"two, {number}")


async def raises(case: Case) -> None:
    await case.waits(case.one, "one")
    raise ValueError("raised")


async def cancels_itself(case: Case) -> None:
    await case.waits(case.one, "one")
    case.task.cancel()
    await case.survives(case.two, "a wakeup")
    await case.survives(case.one, "one again")
    case.task.cancel()
    await case.survives(case.future, "a future")
    await case.survives(case.one, "one again")
    case.task.cancel()
    await case.survives(asyncio.sleep(0), "a turn")
    await case.survives(case.one, "one again")
    case.task.cancel()


async def asks_with_a_limit(case: Case) -> None:
    await case.waits(case.one, "one")
    try:
        async with asyncio.timeout(10):
            await case.waits(case.two, "two")
    except TimeoutError:
        case.note("late")
    await case.waits(case.one, "one again")


async def awaits_a_task(case: Case) -> None:
    await case.waits(case.one, "one")
    await case.waits(asyncio.gather(asyncio.sleep(0, "slept"), case.future), "both")


async def rung(case: Case) -> None:
    case.begin(waits_thrice)
    await case.turns()
    await case.outside(case.one.ring, case.two.ring)
    await case.outside(case.one.ring, case.one.ring)


async def rung_where_a_task_runs(case: Case) -> None:
    case.begin(waits_thrice)
    await case.turns()
    for wakeup in (case.one, case.two, case.one):
        wakeup.ring()
        case.note("rung")
        await case.turns()


async def rung_soon(case: Case) -> None:
    case.begin(waits_thrice)
    await case.turns()
    await case.outside(case.one.ring_soon, case.two.ring_soon)
    await case.outside(case.two.ring_soon, case.one.ring)
    await case.outside(case.one.ring)


async def all_kinds(case: Case) -> None:
    case.begin(waits_for_all_kinds)
    await case.turns()
    await case.outside(case.one.ring)
    await case.outside(case.two.ring)
    await case.outside(lambda: case.future.set_result("told"))
    await case.outside(case.one.ring)


async def future_that_fails(case: Case) -> None:
    case.begin(waits_for_all_kinds)
    await case.turns()
    await case.outside(case.one.ring)
    await case.outside(case.two.ring)
    await case.outside(lambda: case.future.set_exception(ValueError("failed")))


async def cancelled_before_it_began(case: Case) -> None:
    case.begin(waits_thrice)
    case.task.cancel()
    await case.turns()


async def cancelled_while_it_waits(case: Case) -> None:
    case.begin(survives_all)
    await case.turns()
    await case.outside(case.task.cancel)
    await case.outside(case.two.ring, case.task.cancel)
    await case.outside(case.task.cancel, case.two.ring)
    await case.outside(case.one.ring_soon, case.task.cancel)
    await case.outside(case.task.cancel, case.two.ring_soon)
    await case.outside(case.task.cancel, case.task.cancel)


async def cancelled_for_good(case: Case) -> None:
    case.begin(waits_thrice)
    await case.turns()
    await case.outside(case.one.ring)
    await case.outside(case.task.cancel)


async def cancelled_amid_another_wait(case: Case) -> None:
    case.begin(waits_for_all_kinds)
    await case.turns()
    await case.outside(case.one.ring)
    await case.outside(case.two.ring)
    await case.outside(case.task.cancel)
    case.note(case.future.cancelled())


async def failing(case: Case) -> None:
    case.begin(raises)
    await case.turns()
    await case.outside(case.one.ring)


async def cancelling_itself(case: Case) -> None:
    case.begin(cancels_itself)
    await case.turns()
    for _ in range(4):
        await case.outside(case.one.ring)


async def late(case: Case) -> None:
    case.begin(asks_with_a_limit)
    await case.turns()
    await case.outside(case.one.ring)
    await asyncio.sleep(20)
    await case.outside(case.one.ring)


async def in_time(case: Case) -> None:
    case.begin(asks_with_a_limit)
    await case.turns()
    await case.outside(case.one.ring, case.two.ring)
    await asyncio.sleep(20)
    await case.outside(case.one.ring)


async def gathered(case: Case) -> None:
    case.begin(awaits_a_task)
    await case.turns()
    await case.outside(case.one.ring)
    await case.outside(lambda: case.future.set_result("told"))


async def gathered_and_cancelled(case: Case) -> None:
    case.begin(awaits_a_task)
    await case.turns()
    await case.outside(case.one.ring)
    await case.outside(case.task.cancel)


def trace_of(play: Callable[[Case], Coroutine[Any, Any, None]], is_stepped: bool) -> list[object]:
    traces: list[list[object]] = []

    async def run() -> None:
        case = Case(is_stepped)
        await play(case)
        task = case.task
        case.note(task.done() and (task.cancelled() or repr(task.exception())))
        task.cancel()
        await asyncio.wait([task])
        traces.append(case.trace)

    run_jumping(run())
    return traces[0]


@pytest.mark.parametrize(
    "play",
    [
        rung,
        rung_where_a_task_runs,
        rung_soon,
        all_kinds,
        future_that_fails,
        cancelled_before_it_began,
        cancelled_while_it_waits,
        cancelled_for_good,
        cancelled_amid_another_wait,
        failing,
        cancelling_itself,
        late,
        in_time,
        gathered,
        gathered_and_cancelled,
    ],
)
def test_a_stepped_task_does_what_an_ordinary_one_does(play):
    trace = trace_of(play, is_stepped=True)
    assert trace == trace_of(play, is_stepped=False)
    assert trace


@pytest.mark.parametrize("ends", ["returns", "raises", "is cancelled"])
def test_an_ended_task_leaves_no_reference_cycle(ends):
    class Thing:
        """What a weak reference can watch."""

    things: list[weakref.ref[Thing]] = []

    async def body(wakeup: Wakeup) -> None:
        thing = Thing()
        things.append(weakref.ref(thing))
        await wakeup
        if ends == "raises":
            raise ValueError

    async def run() -> None:
        loop = asyncio.get_running_loop()
        wakeup = Wakeup(loop)
        task = stepped_task(lambda: body(wakeup), loop, "case", copy_context())
        await asyncio.sleep(0)
        loop.call_soon(task.cancel if ends == "is cancelled" else wakeup.ring)
        await asyncio.wait([task])
        assert task.cancelled() if ends == "is cancelled" else task.exception() is None or ends == "raises"
        del task

    gc.collect()
    gc.disable()
    try:
        asyncio.run(run())
        assert things[0]() is None
    finally:
        gc.enable()
