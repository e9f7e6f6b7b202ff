"""Deadlines: every loop is ended wherever it stands, and the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import struct

import pytest

from sentinel_host.errors import GuestBusy, GuestError, GuestLoadError, GuestTimeout
from sentinel_host.messages import RequestEdits
from sentinel_host.sandbox import GuestEngine
from tests.support.clocks import PATIENCE
from tests.support.instances import started
from tests.support.logs import said

from .conftest import Load
from .support import Run, ask, beating, both_loops, settled

LOOP = b"x"
MS = 1_000_000


def work(rounds: int) -> bytes:
    """A record that keeps good/busy at work for so many rounds, of some nanosecond each."""
    return struct.pack("<IB", rounds, 0)


@both_loops
@pytest.mark.parametrize(
    ("name", "where", "innermost"),
    [
        ("loop", "", "loop!for-ever"),
        ("realloc_loops", " in cabi_realloc", "realloc_loops!"),
        ("post_loops", " in cabi_post", "post_loops!"),
    ],
)
def test_a_loop_is_ended_at_the_deadline(
    load: Load, engine: GuestEngine, run: Run, name: str, where: str, innermost: str
) -> None:
    """Row 1: after its deadline of running time, wherever it loops, and the event loop goes on
    meanwhile.
    """
    middleware = started(load(f"hostile/{name}"))

    async def main() -> None:
        async with beating() as beat:
            with pytest.raises(GuestTimeout) as caught:
                await ask(middleware, LOOP)
        assert (caught.value.guest, caught.value.hook, caught.value.status) == (name, "on-request", 503)
        assert caught.value.reason == f"deadline exceeded{where}, 50 ms of running time"
        assert caught.value.backtrace[0].startswith(innermost)
        assert beat.turns >= engine.snapshot()[name]["suspensions"] > 0

    run(main())
    counts = engine.snapshot()[name]
    assert counts["cpu_ns"] >= 50 * MS
    assert (counts["deadlines"], counts["instances"]) == (1, 0)


@both_loops
def test_work_within_the_deadline_is_done(load: Load, engine: GuestEngine, run: Run) -> None:
    middleware = started(load("good/busy", deadline=PATIENCE))

    async def main() -> None:
        rounds, calls = 1_000_000, 1
        while not asyncio.iscoroutine(waits := middleware.on_request(work(rounds), b"r", "c")):
            # On this machine that ends within two ticks.
            rounds, calls = rounds * 2, calls + 1
        assert await waits == RequestEdits(context=bytes([calls]))
        # The same instance, as if nothing had happened.
        assert await ask(middleware, work(0)) == RequestEdits(context=bytes([calls + 1]))
        counts = engine.snapshot()["busy"]
        assert counts["suspensions"] >= 1
        assert (counts["calls"], counts["deadlines"], counts["instances"]) == (calls + 1, 0, 1)

    run(main())


def test_short_calls_are_not_suspended(load: Load, engine: GuestEngine) -> None:
    middleware = started(load("good/busy"))
    late = 0
    for _ in range(5000):
        answer = middleware.on_request(work(0), b"r", "c")
        if asyncio.iscoroutine(answer):
            # To its end, for it has the instance that the next call would take.
            asyncio.run(answer)
            late += 1
    # Another process may take the processor for two ticks in the middle of a call, but not of many.
    assert late < 5000 / 2


@both_loops
def test_the_loop_goes_on_beside_however_many_loops(load: Load, engine: GuestEngine, run: Run) -> None:
    middleware = started(load("hostile/loop", instances=4))

    async def main() -> None:
        async with beating() as beat:
            calls = [asyncio.ensure_future(ask(middleware, LOOP)) for _ in range(4)]
            ended = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(error) for error in ended} == {GuestTimeout}
        # All four run for their first ticks in one turn, and then one of them in each.
        assert beat.turns >= engine.snapshot()["loop"]["suspensions"] - 3

    run(main())


@both_loops
def test_four_loops_at_once(load: Load, engine: GuestEngine, run: Run) -> None:
    """Row 3: 503 for who comes while all instances loop, and afterwards the pool is back."""
    middleware = started(load("hostile/loop", instances=4, waiting=8, wait=0.05))

    async def main() -> None:
        loops = [asyncio.ensure_future(ask(middleware, LOOP)) for _ in range(4)]
        await asyncio.sleep(0)
        probes = [asyncio.ensure_future(ask(middleware, b"y")) for _ in range(20)]
        await asyncio.sleep(0)
        assert engine.snapshot()["loop"]["waiting"] == 8
        refused = [error for error in await asyncio.gather(*probes, return_exceptions=True) if error is not None]
        assert len(refused) >= 12
        assert {type(error) for error in refused} == {GuestBusy}
        ended = await asyncio.gather(*loops, return_exceptions=True)
        assert {type(error) for error in ended} == {GuestTimeout}
        assert await ask(middleware, b"y") is None
        assert engine.snapshot()["loop"]["waiting"] == 0

    run(main())
    assert engine.snapshot()["loop"]["refused_busy"] >= 12


@both_loops
def test_calls_that_take_time_end_well_however_many_share_the_loop(load: Load, engine: GuestEngine, run: Run) -> None:
    """What that means for their deadlines is in tests/unit/sandbox/test_runqueue.py, by a clock of
    its own.
    """
    middleware = started(load("good/busy", instances=8, deadline=PATIENCE))

    async def main() -> None:
        answers = await asyncio.gather(*(ask(middleware, work(20_000_000)) for _ in range(8)))
        assert {type(answer) for answer in answers} == {RequestEdits}

    run(main())
    assert engine.snapshot()["busy"]["calls"] == 8


@both_loops
def test_a_cancelled_call_takes_its_instance_with_it(load: Load, engine: GuestEngine, run: Run) -> None:
    middleware = started(load("hostile/loop", deadline=PATIENCE))

    async def main() -> None:
        assert await ask(middleware, b"y") is None
        call = asyncio.ensure_future(ask(middleware, LOOP))
        while engine.snapshot()["loop"]["suspensions"] < 2:  # noqa: ASYNC110 (counts have no event to wait for)
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()
        assert engine.snapshot()["loop"]["instances"] == 0
        assert await ask(middleware, b"y") is None

    run(main())
    assert engine.snapshot()["loop"]["deadlines"] == 0


@pytest.mark.parametrize(
    ("name", "step"),
    [("start_loops", "start"), ("initialize_loops", "_initialize"), ("configure_loops", "configure")],
)
def test_a_guest_that_loops_as_it_starts_is_refused(load: Load, engine: GuestEngine, name: str, step: str) -> None:
    """Row 2: whether the loop waits for it or goes on meanwhile."""
    guest = load(f"hostile/{name}")
    with pytest.raises(GuestLoadError) as caught:
        started(guest)
    assert str(caught.value).startswith(f"hostile/{name}.wasm: {step}: ")

    async def main() -> None:
        before = engine.snapshot()[name]["suspensions"]
        async with beating() as beat:
            with pytest.raises(GuestLoadError):
                await guest.start_middleware()
        assert beat.turns >= engine.snapshot()[name]["suspensions"] - before > 0

    asyncio.run(main())
    assert engine.snapshot()[name]["instances"] == 0


def test_a_slow_start_ends_well(load: Load, engine: GuestEngine) -> None:
    guest = load("good/slow_start", start_deadline=PATIENCE)
    assert asyncio.run(ask(started(guest), b"x")) is None

    async def main() -> None:
        # Where others have the processor, the clock's thread can come too late for one start, but
        # not for each.
        while engine.snapshot()["slow_start"]["suspensions"] == 0:
            middleware = await guest.start_middleware()
            assert await ask(middleware, b"x") is None

    asyncio.run(main())


def test_completion_has_a_deadline_too(load: Load, engine: GuestEngine) -> None:
    async def main() -> None:
        with pytest.raises(GuestTimeout, match="on-complete"):
            await settled(started(load("hostile/complete_loops")).on_complete(b"s", b"", b"r", "c"))

    asyncio.run(main())


def test_a_slow_completion_is_labelled_with_its_request(load: Load, engine: GuestEngine) -> None:
    async def main() -> None:
        middleware = started(load("good/slow_complete", deadline=PATIENCE))
        # Where others have the processor, the clock's thread can come too late for one call, but
        # not for each.
        while (waits := middleware.on_complete(b"summary", b"kept", b"r9", "c")) is None:
            said(engine)
        await waits

    asyncio.run(main())
    assert said(engine) == [("slow_complete", "r9", "info", "kept")]


def test_calls_that_a_loop_left_behind_do_not_hurt_the_next(load: Load, engine: GuestEngine) -> None:
    """A loop that ends with suspended calls cannot end them; another one begins anew."""
    middleware = started(load("hostile/loop"))

    async def leave() -> None:
        task = asyncio.ensure_future(ask(middleware, LOOP))
        await asyncio.sleep(0)
        assert not task.done()

    for _ in range(3):
        asyncio.run(leave())

    async def main() -> None:
        with pytest.raises(GuestError):
            await ask(middleware, LOOP)
        assert await ask(middleware, b"y") is None

    asyncio.run(main())
    assert engine.snapshot()["loop"]["instances"] == 1
