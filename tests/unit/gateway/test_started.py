"""Coroutines that are begun at once, and finished later where they wait."""

from __future__ import annotations

import asyncio

import pytest

from sentinel_host.gateway.started import Started


async def answers(value: int) -> int:
    return value


def test_what_does_not_wait_is_over_at_once() -> None:
    started = Started(answers(3))
    assert (started.is_over, started.result) == (True, 3)


def test_what_it_raises_comes_out() -> None:
    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Started(fails())


def test_what_waits_is_finished_by_another_task() -> None:
    async def main() -> None:
        gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def waits() -> int:
            first = await gate
            await asyncio.sleep(0)
            return first + await answers(1)

        started = Started(waits())
        assert not started.is_over

        async def finish() -> int:
            return await started

        task = asyncio.ensure_future(finish())
        await asyncio.sleep(0)
        gate.set_result(1)
        assert await task == 2

    asyncio.run(main())


def test_a_cancellation_reaches_it() -> None:
    async def main() -> None:
        ended = []

        async def waits() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        started = Started(waits())

        async def finish() -> None:
            await started

        task = asyncio.ensure_future(finish())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [True]

    asyncio.run(main())


def test_an_awaitable_of_another_kind_will_do() -> None:
    class Kind:
        def __await__(self):
            return answers(4).__await__()

    started: Started[int] = Started(Kind())
    assert (started.is_over, started.result) == (True, 4)
