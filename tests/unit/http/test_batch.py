"""When gathered writes leave."""

from __future__ import annotations

import asyncio
import gc

import pytest

from sentinel_host.http.batch import WriteBatch, batch_of

# How many calls flush at once in turns that make a loop quiet.
QUIET = [0] * 16


class Sink:
    """Counts how often it was flushed."""

    def __init__(self) -> None:
        self.flushed = 0

    def flush(self) -> None:
        self.flushed += 1


def call(batch: WriteBatch, *writers: Sink) -> None:
    """A transport's call, in which these get something to write."""
    batch.enter()
    for writer in writers:
        batch.add(writer)
    batch.leave()


async def turn(batch: WriteBatch, calls: int) -> int:
    """A turn of so many calls with a write each; how many were flushed before the turn was over."""
    sinks = [Sink() for _ in range(calls)]
    for sink in sinks:
        call(batch, sink)
    at_once = sum(sink.flushed for sink in sinks)
    await asyncio.sleep(0)
    assert [sink.flushed for sink in sinks] == [1] * calls
    return at_once


async def quiet_batch() -> WriteBatch:
    """One whose next call flushes at once."""
    batch = WriteBatch()
    for _ in QUIET:
        await turn(batch, 1)
    return batch


@pytest.mark.parametrize(
    ("turns", "at_once"),
    [
        pytest.param([1] * 23, [*QUIET, 1, 0, 1, 1, 1, 0, 1], id="quiet: more after each turn of one call"),
        pytest.param([3] * 40, [0] * 40, id="busy: never"),
        pytest.param([1] * 15 + [2] + [1] * 15 + [2], [0] * 32, id="busy now and then: never"),
        pytest.param([1] * 16 + [3, 3, 1], [*QUIET, 1, 0, 0], id="busy again: as soon as a turn shows it"),
        pytest.param([1] * 16 + [1, 2] + [1] * 17, [*QUIET, 1, 0, *QUIET, 1], id="quiet again: as at first"),
    ],
)
def test_writes_leave_at_once_while_turns_make_one_call(turns, at_once):
    async def main() -> None:
        batch = WriteBatch()
        assert [await turn(batch, calls) for calls in turns] == at_once

    asyncio.run(main())


def test_a_loop_that_becomes_busy_flushes_at_once_for_a_bounded_number_of_calls():
    async def main() -> None:
        batch = WriteBatch()
        for _ in range(300):
            await turn(batch, 1)
        assert await turn(batch, 1000) <= 63
        assert await turn(batch, 1000) == 0

    asyncio.run(main())


def test_a_call_flushes_all_that_it_wrote_to_in_order():
    async def main() -> None:
        batch = await quiet_batch()
        order: list[int] = []

        class Numbered(Sink):
            def __init__(self, number: int) -> None:
                super().__init__()
                self.number = number

            def flush(self) -> None:
                order.append(self.number)

        call(batch, *map(Numbered, range(3)))
        assert order == [0, 1, 2]

    asyncio.run(main())


def test_a_call_that_writes_nothing_counts_once_something_waits():
    """Many responses go into one connection of HTTP/2: only the first call adds it."""

    async def main() -> None:
        batch = WriteBatch()
        for _ in range(40):
            sink = Sink()
            call(batch, sink)
            call(batch)
            assert not sink.flushed
            await asyncio.sleep(0)
            assert sink.flushed == 1

    asyncio.run(main())


def test_what_is_written_outside_a_call_waits_for_the_end_of_the_turn():
    async def main() -> None:
        batch = await quiet_batch()
        outside, within = Sink(), Sink()
        batch.add(outside)
        call(batch, within)
        assert (outside.flushed, within.flushed) == (0, 0)
        await asyncio.sleep(0)
        assert (outside.flushed, within.flushed) == (1, 1)

    asyncio.run(main())


def test_a_flush_may_add_another():
    async def main() -> None:
        batch = WriteBatch()
        last = Sink()

        class Chained(Sink):
            def flush(self) -> None:
                super().flush()
                batch.add(last)

        first = Chained()
        call(batch, first)
        await asyncio.sleep(0)
        assert (first.flushed, last.flushed) == (1, 0)
        await asyncio.sleep(0)
        assert last.flushed == 1

    asyncio.run(main())


def test_a_loop_has_one_batch():
    async def main() -> WriteBatch:
        loop = asyncio.get_running_loop()
        assert batch_of(loop) is batch_of(loop)
        return batch_of(loop)

    assert asyncio.run(main()) is not asyncio.run(main())


def test_a_loop_that_is_gone_leaves_no_batch():
    """A reference cycle would be found whenever somebody next looks for garbage."""

    def batches() -> int:
        return sum(type(each) is WriteBatch for each in gc.get_objects())

    async def main() -> int:
        await turn(batch_of(asyncio.get_running_loop()), 2)
        return batches()

    gc.collect()
    gc.disable()
    try:
        before = batches()
        assert asyncio.run(main()) == before + 1
        assert batches() == before
    finally:
        gc.enable()
