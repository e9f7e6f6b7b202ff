"""Tasks and timers that run in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any


class Background:
    """The tasks and timers of one owner, which closes them. An unexpected error is logged and ends
    only its task.

    To be used from one event loop.
    """

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log = log
        self._what = what
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it as a task."""
        task = asyncio.get_running_loop().create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def begin_after(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.TimerHandle:
        """Run it as a task later, unless the handle is cancelled."""
        return asyncio.get_running_loop().call_later(seconds, lambda: self.begin(work()))

    async def close(self) -> None:
        """Cancel the tasks and wait for their end. Timers must be cancelled through their
        handles.
        """
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            self._log.exception("%s failed", self._what)
