"""What a task waits for that goes on as soon as it is told to.

A future lets its task go on in the loop's next turn. That costs a handle, and on a quiet worker
another look at all sockets for each request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Final, cast


class _NoLoop:
    """What a future asks of its loop before anybody waits for it."""

    def get_debug(self) -> bool:
        """Whether to remember where it was made."""
        return False


def _done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.Future(loop=cast(asyncio.AbstractEventLoop, _NoLoop()))
    future.set_result(None)
    return future


DONE: Final = _done()
"""What tasks are woken with. A task asks that for its result: a future in C, and anything else by
name, which takes thirty times as long.
"""


class Wakeup:
    """To be awaited by one task at a time, again and again: until `ring` or `ring_soon` is called.

    To asyncio it is a future (`asyncio.isfuture`). The loop, or a task that is cancelled, may let
    its waiter go on as well.
    """

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_loop")

    _asyncio_future_blocking: bool

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._loop = loop
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None

    def ring(self) -> None:
        """Let the waiting task go on before this returns, or in the loop's next turn where another
        task runs. Nothing happens if none waits.
        """
        callback, context = self._callback, self._context
        if callback is None or context is None:
            return
        self._callback = self._context = None
        try:
            context.run(callback, DONE)
        except RuntimeError:
            # A loop enters no task while another one runs. It has left this one as it was.
            self._loop.call_soon(callback, DONE, context=context)

    def ring_soon(self) -> None:
        """Let the waiting task go on in the loop's next turn. Nothing happens if none waits."""
        self._wake_with(DONE)

    def _wake_with(self, told: object) -> bool:
        callback, context = self._callback, self._context
        if callback is None:
            return False
        self._callback = self._context = None
        self._loop.call_soon(callback, told, context=context)
        return True

    def __await__(self) -> Generator[Any, None, None]:
        self._asyncio_future_blocking = True
        yield self

    # What a task calls.

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the task."""
        return self._loop

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context) -> None:
        """Call back once, in that context."""
        self._callback = callback
        self._context = context

    def forget(self) -> None:
        """Nobody waits any more."""
        self._callback = self._context = None

    def cancel(self, msg: object = None) -> bool:
        """Have the waiting task raise `asyncio.CancelledError`, in the loop's next turn."""
        return self._wake_with(self)

    def result(self) -> None:
        """Asked after `cancel` alone."""
        raise asyncio.CancelledError
