"""Work that may wait for a disk or a network file system, beside the event loop.

Threads of their own, and not those that every event loop has: somebody who waits for a disk that does not answer must
hold up neither what needs those, nor the end of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


async def aside(function: Callable[[], _T]) -> _T:
    """Call it in a thread; cancelling leaves it to itself. Raises what it raises."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    results: list[_T] = []
    errors: list[BaseException] = []

    def tell() -> None:
        if not done.done():
            done.set_result(None)

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)
        # The loop may be gone by now.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell)

    try:
        threading.Thread(target=run, name="aside", daemon=True).start()
    except RuntimeError:
        # There may be no more threads (RLIMIT_NPROC): late is better than never.
        return function()
    await done
    if errors:
        raise errors.pop()
    return results[0]
