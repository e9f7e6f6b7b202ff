"""The tasks in which an application answers the requests on the streams of one connection.

Rule 1: A task serves one request after the other, and waits in between: making a task takes longer
        than reading a head.
Rule 2: A task that waits goes on within the call of `StreamTasks.serve`, as on HTTP/1.
Rule 3: A request must not affect the next one through the task. After a cancellation, or a change
        of context variables, the task ends.
"""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import Final

from sentinel_host.http.server.connections import Application
from sentinel_host.http.server.stream import Stream
from sentinel_host.http.stepped import stepped_task
from sentinel_host.http.wakeup import Wakeup

# Tasks of one connection that wait for a request, of about a kilobyte each.
_MOST_WAITING: Final = 16


class StreamTasks:
    """``app`` is what answers; ``loop`` runs the tasks."""

    __slots__ = ("_is_closed", "_waiting", "app", "loop")

    def __init__(self, app: Application, loop: asyncio.AbstractEventLoop) -> None:
        self.app = app
        self.loop = loop
        self._waiting: list[StreamTask] = []
        self._is_closed = False

    def serve(self, stream: Stream) -> None:
        """Have the application answer a request: as far as it gets without waiting if a task waits,
        or in a later turn of the loop.
        """
        if self._waiting:
            self._waiting.pop().serve(stream)
        else:
            StreamTask(self, stream, copy_context())

    def close(self) -> None:
        """The connection is gone: no task waits for its next request."""
        self._is_closed = True
        waiting, self._waiting = self._waiting, []
        for task in waiting:
            task.end()

    def keep(self, task: StreamTask) -> bool:
        """Whether a task is to wait for the next request."""
        if self._is_closed or len(self._waiting) >= _MOST_WAITING:
            return False
        self._waiting.append(task)
        return True

    def forget(self, task: StreamTask) -> None:
        """A task has ended."""
        if task in self._waiting:
            self._waiting.remove(task)


class StreamTask:
    """One task; it begins with the request that it is made for."""

    __slots__ = ("_called", "_context", "_stream", "_task", "_tasks")

    def __init__(self, tasks: StreamTasks, stream: Stream, context: Context) -> None:
        self._tasks = tasks
        self._called = Wakeup(tasks.loop)
        self._stream: Stream | None = stream
        self._context = context
        self._task: asyncio.Task[None] | None = stepped_task(self._run, tasks.loop, "request", context)
        stream.task = self._task

    def serve(self, stream: Stream) -> None:
        """Go on with a request."""
        self._stream = stream
        stream.task = self._task
        self._called.ring()

    def end(self) -> None:
        """End instead of waiting."""
        self._called.ring()

    async def _run(self) -> None:
        context = self._context
        begun_with = context.copy()
        try:
            while (stream := self._stream) is not None:
                stream.has_begun = True
                try:
                    await self._tasks.app(stream.scope, stream.body.receive, stream.send)
                    stream.returned()
                except Exception as error:
                    stream.failed(error)
                finally:
                    self._stream = None
                    stream.finish()
                # A task that waits keeps nothing of its last request.
                del stream
                task = self._task
                if task is None or task.cancelling() or context != begun_with or not self._tasks.keep(self):
                    return
                del task
                await self._called
        finally:
            # A cancelled task keeps its traceback, whose frames refer to this: a reference cycle.
            self._task = None
            self._tasks.forget(self)
            left = self._stream
            # Cancelled while it waited, and called before it noticed.
            if left is not None and not left.gone:
                StreamTask(self._tasks, left, begun_with)
