"""A server of the websockets package, which is none of ours, as an upstream."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from tests.support.clocks import PATIENCE


@contextlib.contextmanager
def serving(handler: Callable[[ServerConnection], Awaitable[None]], **options: Any) -> Iterator[int]:
    """Serves in a thread of its own, and tells the port. ``options`` are those of `serve`."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    ready = threading.Event()
    port = 0

    async def main() -> None:
        nonlocal port
        async with serve(handler, "127.0.0.1", 0, **options) as server:
            port = server.sockets[0].getsockname()[1]
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
