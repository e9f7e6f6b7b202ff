"""What happens now, as server-sent events: one message a second for all who listen.

Rule 1: nobody is asked while nobody listens.
Rule 2: who reads slowly misses messages, and delays nobody: each listener has a queue of a few.
Rule 3: listening ends when the gateway is about to: it would wait for the response otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

import msgspec

from sentinel_host.control.overview import Overview
from sentinel_host.control.recent import RecentRequests
from sentinel_host.control.state import view_state
from sentinel_host.observe import RequestRecord

_log = logging.getLogger("sentinel.control")

MOST_LISTENERS: Final = 16
"""Who listens at a time; each has a connection of the admin side's."""

_QUEUED: Final = 4
# Records in one message, the newest: what nobody can read in a second.
_MOST_RECORDS: Final = 100


class Events:
    """The messages of one process. The last one that listens ends the asking.

    ``view`` is what is told every ``interval`` seconds.
    """

    def __init__(
        self,
        overview: Overview,
        recent: RecentRequests,
        view: Callable[[Overview], Awaitable[object]] = view_state,
        interval: float = 1.0,
    ) -> None:
        self._overview = overview
        self._recent = recent
        self._view = view
        self._interval = interval
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._asking: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether nobody more can listen."""
        return len(self._listeners) >= MOST_LISTENERS

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """The messages from now on, beginning with the requests that are known."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUED)
        self._listeners.add(queue)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        try:
            yield _records(self._recent.latest(_MOST_RECORDS)[::-1])
            while (message := await queue.get()) is not None:
                yield message
        finally:
            self._listeners.discard(queue)
            if not self._listeners and self._asking is not None:
                self._asking.cancel()
                self._asking = None

    async def _ask(self) -> None:
        while not self._overview.is_ending:
            try:
                fresh = await self._recent.refresh(watch=True)
                message = _message("state", await self._view(self._overview))
                if fresh:
                    message += _records(fresh[-_MOST_RECORDS:])
                self._tell(message)
            except Exception:
                # A worker may be gone in the middle of it; the next second has another.
                _log.exception("the dashboard was not told what happens")
            await asyncio.sleep(self._interval)
        self._tell(None)

    def _tell(self, message: bytes | None) -> None:
        for queue in self._listeners:
            if queue.full():
                with contextlib.suppress(asyncio.QueueEmpty):
                    queue.get_nowait()
            queue.put_nowait(message)


def _records(records: list[RequestRecord]) -> bytes:
    return _message("requests", records)


def _message(event: str, content: object) -> bytes:
    # JSON has no line ends of its own.
    return b"event: %b\ndata: %b\n\n" % (event.encode(), msgspec.json.encode(content))
