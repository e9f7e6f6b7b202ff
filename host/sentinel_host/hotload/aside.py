"""Work that may wait for a disk or a network file system, in threads beside the event loop.

These are not the threads of the event loop's executor: a disk that does not answer must delay
neither other users of that executor nor the end of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


async def aside(function: Callable[[], _T]) -> _T:
    """Call it in a thread, and raise what it raises. Cancelling does not stop the thread."""
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
        # No thread could be started (RLIMIT_NPROC): block the loop rather than fail.
        return function()
    await done
    if errors:
        raise errors.pop()
    return results[0]
