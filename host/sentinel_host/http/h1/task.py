"""The task in which an application answers the requests of one connection, one after the other.

Rule 1: The task begins with the first request and waits between requests, because making a task
        takes longer than parsing a head.
Rule 2: A task that waits goes on within the call of `RequestTask.serve`. So a request costs no turn
        of the loop, and what the application writes leaves in this one.
Rule 3: A request must not affect the next one through the task. After a cancellation, or a change
        of context variables, the next request gets a new task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context

from sentinel_host.http.h1.connection import Http1Connection
from sentinel_host.http.h1.exchange import Http1Exchange
from sentinel_host.http.h1.states import ENDING
from sentinel_host.http.server.connections import Application
from sentinel_host.http.server.writer import Writer
from sentinel_host.http.stepped import stepped_task
from sentinel_host.http.wakeup import Wakeup


class RequestTask:
    """``exchange`` is the current one. ``finished`` is called when the application is done with
    it.
    """

    __slots__ = ("_app", "_called", "_connection", "_context", "_finished", "_task", "_writer", "exchange")

    _context: Context

    def __init__(
        self, app: Application, connection: Http1Connection, writer: Writer, finished: Callable[[], None]
    ) -> None:
        self._app = app
        self._connection = connection
        self._writer = writer
        self._finished: Callable[[], None] | None = finished
        self._task: asyncio.Task[None] | None = None
        # What the task waits for between two requests.
        self._called = Wakeup(writer.loop)
        self.exchange: Http1Exchange | None = None

    def serve(self) -> None:
        """Have the application answer ``exchange``: as far as it gets without waiting if the task
        is there and waits, or in a later turn of the loop.
        """
        if self._task is None:
            self._begin(copy_context())
        else:
            self._called.ring()

    def lose(self) -> None:
        """The connection is lost: an application that still answers is cancelled."""
        self._finished = None
        task = self._task
        if task is None:
            return
        self._writer.connections.keep(task)
        exchange = self.exchange
        if exchange is None:
            self._called.ring()
            return
        exchange.wake()
        if not exchange.answered():
            task.cancel()
            # A task that is cancelled before its first step never runs, and would not clear these.
            self._task = self.exchange = None

    def _begin(self, context: Context) -> None:
        self._context = context
        self._task = stepped_task(self._run, self._writer.loop, "requests", context)

    def _finish(self) -> None:
        self.exchange = None
        finished = self._finished
        if finished is not None:
            finished()

    async def _run(self) -> None:
        context = self._context
        begun_with = context.copy()
        try:
            while not self._writer.lost:
                exchange = self.exchange
                assert exchange is not None
                try:
                    await self._app(exchange.scope, exchange.receive, exchange.send)
                    exchange.returned()
                except Exception:
                    exchange.failed()
                finally:
                    self._finish()
                # An idle connection keeps nothing of its last request.
                del exchange
                task = self._task
                if self._writer.lost or self._connection.state == ENDING or task is None:
                    return
                if task.cancelling() or context != begun_with:
                    return
                del task
                if self.exchange is None:
                    await self._called
                else:
                    # Between pipelined requests, let the loop serve other connections.
                    await asyncio.sleep(0)
        finally:
            self._task = None
            if self.exchange is not None and not self._writer.lost:
                self._begin(begun_with)
