"""How many instances there are, which one is used, and when one is retired."""

from __future__ import annotations

import asyncio
import random
import struct
from typing import Any

import pytest

from sentinel_host.errors import GuestBusy, GuestError, GuestTrap
from sentinel_host.sandbox import GuestEngine, GuestMiddleware
from tests.support.clocks import PATIENCE
from tests.support.instances import started
from tests.support.loops import MINUTES, leap, run_leaping

from .conftest import Load
from .support import Run, Service, ask, both_loops, granting

PAGE = 65536
SOON = struct.pack("<IB", 0, 0)
GROW = struct.pack("<IB", 0, 1)
# To granted/http_counts: a call that lasts until its service answers.
HELD = b"wait"


async def count(middleware: GuestMiddleware, record: bytes = SOON) -> int:
    """How many calls the instance that took this one has had: good/busy and granted/http_counts
    tell.
    """
    action = await ask(middleware, record)
    return int(action.context[0])


def counts(engine: GuestEngine, name: str = "busy") -> dict[str, int]:
    return engine.snapshot()[name]


def test_one_instance_is_enough_for_calls_that_end_at_once(load: Load, engine: GuestEngine) -> None:
    middleware = started(load("good/busy"))

    async def main() -> None:
        numbers = await asyncio.gather(*(count(middleware) for _ in range(50)))
        assert numbers == list(range(1, 51))

    asyncio.run(main())
    assert (counts(engine)["instances_started"], counts(engine)["memory_bytes"]) == (1, PAGE)


def test_calls_that_take_time_have_instances_of_their_own_and_leave_them_behind(
    load: Load, engine: GuestEngine
) -> None:
    async def main() -> None:
        service = Service()
        middleware = started(load("granted/http_counts", granting(service), instances=3))
        calls = [asyncio.ensure_future(count(middleware, HELD)) for _ in range(3)]
        await service.has_begun(3)
        service.go.set()
        assert await asyncio.gather(*calls) == [1, 1, 1]
        assert counts(engine, "http_counts")["instances"] == 3
        # The last one used is used next: the others' memory can rest.
        assert [await count(middleware) for _ in range(4)] == [2, 3, 4, 5]
        middleware.close()
        assert counts(engine, "http_counts")["instances"] == 0

    asyncio.run(main())


def test_who_waits_gets_the_next_instance_in_turn(load: Load, engine: GuestEngine) -> None:
    async def main() -> None:
        service = Service()
        middleware = started(load("granted/http_counts", granting(service), instances=1, wait=PATIENCE))
        calls = [asyncio.ensure_future(count(middleware, HELD)) for _ in range(4)]
        await service.has_begun()
        service.go.set()
        assert await asyncio.gather(*calls) == [1, 2, 3, 4]
        assert counts(engine, "http_counts")["refused_busy"] == 0

    asyncio.run(main())
    assert counts(engine, "http_counts")["instances_started"] == 1


def test_waiting_is_bounded_in_number_and_time(load: Load, engine: GuestEngine) -> None:
    async def main() -> None:
        service = Service()
        middleware = started(load("granted/http_counts", granting(service), instances=1, waiting=2, wait=MINUTES))
        held = asyncio.ensure_future(count(middleware, HELD))
        await service.has_begun()
        waiting = [asyncio.ensure_future(count(middleware)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(GuestBusy, match="on-request: 2 calls wait for an instance already") as caught:
            await count(middleware)
        assert (caught.value.status, caught.value.retry_after) == (503, 1)
        await leap(MINUTES / 2)
        assert not any(call.done() for call in waiting)
        await leap(MINUTES)
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert [str(error) for error in ended] == [
            "guest http_counts: on-request: all 1 instances were busy for 900000 ms"
        ] * 2
        service.go.set()
        assert await held == 1
        assert await count(middleware) == 2

    run_leaping(main())
    assert (counts(engine, "http_counts")["refused_busy"], counts(engine, "http_counts")["waiting"]) == (3, 0)


def test_a_waiter_that_gives_up_takes_no_slot(load: Load, engine: GuestEngine) -> None:
    async def main() -> None:
        service = Service()
        middleware = started(load("granted/http_counts", granting(service), instances=1, wait=PATIENCE))
        first = asyncio.ensure_future(count(middleware, HELD))
        await service.has_begun()
        gone, stays = (asyncio.ensure_future(count(middleware)) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        service.go.set()
        assert await stays == 2
        assert await first == 1
        assert gone.cancelled()
        # Cancelled in the moment in which it was handed an instance.
        service.go.clear()
        first = asyncio.ensure_future(count(middleware, HELD))
        await service.has_begun(2)
        gone = asyncio.ensure_future(count(middleware))
        await asyncio.sleep(0)
        first.add_done_callback(lambda _: gone.cancel())
        service.go.set()
        await asyncio.wait([first, gone])
        assert await count(middleware) in (4, 5)

    asyncio.run(main())
    assert counts(engine, "http_counts")["instances_started"] == 1


def test_a_failed_instance_makes_room_for_a_waiting_call(load: Load, engine: GuestEngine) -> None:
    async def main() -> None:
        middleware = started(load("hostile/loop", instances=1, wait=PATIENCE))
        calls = [ask(middleware, record) for record in (b"x", b"y", b"x", b"y")]
        ended: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error).__name__ for error in ended] == ["GuestTimeout", "NoneType", "GuestTimeout", "NoneType"]

    asyncio.run(main())
    assert counts(engine, "loop")["instances_started"] == 3


def test_a_fresh_instance_in_every_call(load: Load, engine: GuestEngine) -> None:
    async def main() -> None:
        service = Service()
        middleware = started(load("granted/http_counts", granting(service), isolation="request", instances=2))
        assert counts(engine, "http_counts")["instances"] == 0
        assert [await count(middleware) for _ in range(5)] == [1] * 5
        calls = [asyncio.ensure_future(count(middleware, HELD)) for _ in range(2)]
        await service.has_begun(2)
        service.go.set()
        assert await asyncio.gather(*calls) == [1, 1]
        assert counts(engine, "http_counts")["instances"] == 0

    asyncio.run(main())
    assert counts(engine, "http_counts")["instances_started"] == 8


def test_an_instance_is_retired_after_its_calls(load: Load, engine: GuestEngine) -> None:
    middleware = started(load("good/busy", retire_calls=3))

    async def main() -> None:
        assert [await count(middleware) for _ in range(7)] == [1, 2, 3, 1, 2, 3, 1]

    asyncio.run(main())
    assert (counts(engine)["instances_retired"], counts(engine)["instances"]) == (2, 1)


def test_an_instance_that_keeps_much_memory_is_retired(load: Load, engine: GuestEngine) -> None:
    async def main() -> None:
        limits = {"memory": 4 * PAGE, "high_water_share": 0.5, "high_water_calls": 3}
        middleware = started(load("good/busy", **limits))
        for _ in range(10):
            await count(middleware)
        assert counts(engine)["memory_bytes"] == PAGE
        assert [await count(middleware, GROW) for _ in range(2)] == [11, 12]
        assert counts(engine)["memory_bytes"] == 3 * PAGE
        assert [await count(middleware) for _ in range(4)] == [13, 14, 1, 2]
        assert counts(engine)["memory_bytes"] == PAGE

    asyncio.run(main())
    assert counts(engine)["instances_retired"] == 1


def test_what_a_burst_needed_is_given_back(load: Load, engine: GuestEngine) -> None:
    """After ``trim_after`` by the loop's clock: on a busy machine the test's 50 ms once were over
    within the burst.
    """

    async def main() -> None:
        service = Service()
        middleware = started(load("granted/http_counts", granting(service), instances=4, trim_after=MINUTES))
        burst = [asyncio.ensure_future(count(middleware, HELD)) for _ in range(4)]
        await service.has_begun(4)
        service.go.set()
        assert await asyncio.gather(*burst) == [1] * 4
        assert await count(middleware) == 2
        await leap(MINUTES / 2)
        assert counts(engine, "http_counts")["instances"] == 4
        await leap(MINUTES)
        assert counts(engine, "http_counts")["instances"] == 1
        assert await count(middleware) == 3
        middleware.close()

    # A loop that has ended takes its timer with it.
    for _ in range(2):
        run_leaping(main())


@both_loops
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("isolation", ["shared", "request"])
def test_a_storm_loses_no_instance(load: Load, engine: GuestEngine, run: Run, seed: int, isolation: str) -> None:
    """Calls that end at once, take time, loop, trap, wait and are cancelled, in any order: every
    place comes back.
    """
    chance = random.Random(seed)
    limits = {"instances": 3, "waiting": 4, "wait": 0.02, "deadline": 0.004, "retire_calls": 7, "isolation": isolation}
    middleware = started(load("good/slow_answer", **limits))

    async def storm() -> None:
        for _ in range(15):
            records = [chance.choice((b"x", b"x", b"slow", b"")) for _ in range(chance.randrange(1, 9))]
            calls = [asyncio.ensure_future(ask(middleware, record)) for record in records]
            for call in calls:
                if chance.random() < 0.3:
                    asyncio.get_running_loop().call_later(chance.random() * 0.01, call.cancel)
            for ended in await asyncio.gather(*calls, return_exceptions=True):
                assert ended is None or isinstance(ended, GuestError | asyncio.CancelledError), ended
        assert counts(engine, "slow_answer")["waiting"] == 0
        assert await ask(middleware, b"x") is None

    run(storm())
    pool = middleware.heads
    assert pool.size == len(pool.idle) == counts(engine, "slow_answer")["instances"] <= 3
    middleware.close()
    assert (pool.size, counts(engine, "slow_answer")["instances"]) == (0, 0)


def test_each_use_of_a_guest_has_a_pool_and_all_are_counted_together(load: Load, engine: GuestEngine) -> None:
    async def main() -> None:
        guest = load("good/busy")
        first, second = started(guest), started(guest)
        assert [await count(middleware) for middleware in (first, first, second)] == [1, 2, 1]
        assert (counts(engine)["instances"], counts(engine)["calls"]) == (2, 3)

    asyncio.run(main())


def test_traps_leave_nothing_behind(load: Load, engine: GuestEngine) -> None:
    async def main() -> None:
        middleware = started(load("hostile/unreachable"))
        for number in range(2000):
            with pytest.raises(GuestTrap):
                await ask(middleware, b"x", "192.0.2.1")
            assert counts(engine, "unreachable")["instances"] == 0, number

    asyncio.run(main())
    assert counts(engine, "unreachable")["traps"] == 2000
    assert counts(engine, "unreachable")["memory_bytes"] == 0
