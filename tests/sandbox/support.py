"""What tests of guests on an event loop share."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from time import perf_counter, thread_time
from typing import Any, TypeVar

import pytest
import uvloop

from sentinel_host.sandbox import GuestMiddleware

T = TypeVar("T")

both_loops = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
"""A test takes ``run``, which is given a coroutine."""

Run = Callable[[Coroutine[Any, Any, None]], None]


async def settled(answer: Awaitable[T] | T) -> T:
    """What a hook answered, at once or later."""
    return await answer if asyncio.iscoroutine(answer) else answer  # type: ignore[return-value]


async def ask(middleware: GuestMiddleware, record: bytes, client: str = "192.0.2.1") -> Any:
    """Call ``on-request``."""
    return await settled(middleware.on_request(record, b"r", client))


class Beat:
    """What a task saw that always wants to run: ``stalls`` are seconds of work of this thread between its turns."""

    def __init__(self) -> None:
        self.stalls: list[float] = []
        self.lasted = 0.0

    @property
    def turns(self) -> int:
        return len(self.stalls)

    @property
    def stall(self) -> float:
        """The longest but five: the ticker, like any thread, may have to wait for a processor."""
        return sorted(self.stalls)[-6]


@asynccontextmanager
async def beating() -> AsyncIterator[Beat]:
    """Runs a task that takes a turn in every iteration of the loop; what it saw is in the `Beat` at the end.

    Work is counted by the thread's own clock: on a machine that others use the wall clock tells about them. The
    collector rests, as what it looks through is this process's tests.
    """
    beat = Beat()

    async def take_turns() -> None:
        last = thread_time()
        while True:
            await asyncio.sleep(0)
            now = thread_time()
            beat.stalls.append(now - last)
            last = now

    gc.disable()
    task = asyncio.ensure_future(take_turns())
    begun = perf_counter()
    try:
        yield beat
    finally:
        beat.lasted = perf_counter() - begun
        task.cancel()
        gc.enable()
