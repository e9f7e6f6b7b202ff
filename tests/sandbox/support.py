"""What tests of guests on an event loop share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
import uvloop

from sentinel_host.abi.contract import GRANTS
from sentinel_host.native.plan import Fetch
from sentinel_host.sandbox import Grants, GuestMiddleware, HttpGrant

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


def granting(fetch: Fetch, **options: int) -> Grants:
    return Grants(GRANTS, http=HttpGrant(fetch, **options))


class Service:
    """Answers once ``go`` is set; ``begun`` and ``cancelled`` count what came to it."""

    def __init__(self, answer: bytes = b"four") -> None:
        self.answer = answer
        self.begun = self.cancelled = 0
        self._arrived = asyncio.Condition()
        self.go = asyncio.Event()
        self.labels: list[str] = []

    async def __call__(self, request: bytes, label: str) -> tuple[int, bytes]:
        self.labels.append(label)
        async with self._arrived:
            self.begun += 1
            self._arrived.notify_all()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return -1, self.answer

    async def has_begun(self, count: int = 1) -> None:
        async with self._arrived:
            await self._arrived.wait_for(lambda: self.begun >= count)


class Beat:
    """What a task saw that always wants to run: how many ``turns`` of the loop it had."""

    def __init__(self) -> None:
        self.turns = 0


@asynccontextmanager
async def beating() -> AsyncIterator[Beat]:
    """Runs a task that takes a turn in every iteration of the loop; what it saw is in the `Beat` at
    the end.
    """
    beat = Beat()

    async def take_turns() -> None:
        while True:
            await asyncio.sleep(0)
            beat.turns += 1

    task = asyncio.ensure_future(take_turns())
    try:
        yield beat
    finally:
        task.cancel()
