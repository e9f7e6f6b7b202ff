"""What an application has been told of a request's body, and whether it waits for more: alike for every protocol."""

from __future__ import annotations

import asyncio
from typing import Any

from sentinel_host.errors import ClientError
from sentinel_host.http.server.phases import BEFORE_HEAD


class Received:
    """``complete`` once the last of the body is here, ``expects`` while the client waits for 100 Continue.

    ``phase`` is the response's.
    """

    __slots__ = ("_delivered", "_error", "_waiter", "complete", "expects", "phase", "trailers")

    def __init__(self, complete: bool, expects: bool) -> None:
        self.complete = complete
        self.expects = expects
        self.trailers: list[tuple[bytes, bytes]] = []
        self.phase = BEFORE_HEAD
        self._delivered = False
        self._error: ClientError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Let a waiting ``receive`` look again."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """What ``receive`` has to wait for. Raises `RuntimeError` when somebody waits already."""
        if self._waiter is not None and not self._waiter.done():
            raise RuntimeError("receive() is already awaited")
        waiter = self._waiter = loop.create_future()
        return waiter

    def _last(self, data: bytes) -> dict[str, Any]:
        """The message that ends the body."""
        self._delivered = True
        message = {"type": "http.request", "body": data, "more_body": False}
        if self.trailers:
            message["trailers"] = self.trailers
        return message
