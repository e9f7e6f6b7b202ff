"""Tasks whose coroutine goes on without asyncio where it waits for a `Wakeup`.

To have a task go on, asyncio asks what it waits for by name, makes an object to be called back by,
and looks at what comes next by name again. That takes several times as long as the step itself. So
the task waits for its `_Steps` meanwhile, and the coroutine is stepped in its stead.

Rule 1: It makes no difference to the coroutine. It runs in the task's context, the task is the
        current one (`asyncio.current_task`), and a cancellation is raised where it waits.
Rule 2: For anything but a `Wakeup` the task itself waits, as any other does.
Rule 3: A task that is cancelled makes no step before it has raised that in its coroutine.
"""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Final

from sentinel_host.http.wakeup import DONE, Wakeup

# Names of this module's own are found faster.
_enter: Final = _enter_task
_leave: Final = _leave_task
_WAKEUP: Final = Wakeup

_NOTHING: Final = object()


def stepped_task(
    make: Callable[[], Coroutine[Any, Any, None]], loop: asyncio.AbstractEventLoop, name: str, context: Context
) -> asyncio.Task[None]:
    """A task of that ``name``, in that ``context``, for the coroutine that ``make`` makes."""
    # Not by the loop's `create_task`: numbering each task in its name takes as long as making it.
    return asyncio.Task(_Steps(make, loop, context).carry(), loop=loop, name=name, context=context)


class _Steps:
    """The steps of one task. To asyncio it is the future that the task waits for while they are made
    here.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_context",
        "_coroutine",
        "_failure",
        "_found",
        "_has_ended",
        "_is_cancelled",
        "_loop",
        "_make",
        "_resume",
        "_step_method",
        "_task",
        "_wakeup",
    )

    _asyncio_future_blocking: bool

    def __init__(
        self, make: Callable[[], Coroutine[Any, Any, None]], loop: asyncio.AbstractEventLoop, context: Context
    ) -> None:
        self._asyncio_future_blocking = False
        self._make = make
        self._loop = loop
        self._context = context
        self._coroutine: Coroutine[Any, Any, None] | None = None
        self._task: Any = None
        # Made once: a method that is asked for is an object each time.
        self._step_method: Callable[[Any], object] | None = None
        # What the coroutine waits for, and what lets the task go on.
        self._wakeup: Wakeup | None = None
        self._resume: Callable[[Any], object] | None = None
        self._is_cancelled = False
        # What became of the last step here, if the task has to know.
        self._found: Any = _NOTHING
        self._has_ended = False
        self._failure: BaseException | None = None

    async def carry(self) -> None:
        """What the task runs."""
        self._task = asyncio.current_task()
        self._step_method = self._step
        try:
            await self
        finally:
            # Each refers to this.
            self._task = self._step_method = self._coroutine = None

    def __await__(self) -> Generator[Any, None, None]:
        coroutine = self._coroutine = self._make()
        thrown: BaseException | None = None
        while True:
            try:
                found = coroutine.send(None) if thrown is None else coroutine.throw(thrown)
            except StopIteration:
                return
            finally:
                # Its traceback refers to this frame.
                thrown = None
            if type(found) is _WAKEUP:
                self._wait_for(found)
                self._asyncio_future_blocking = True
                try:
                    yield self
                except BaseException as error:
                    thrown = error
                self._stop_waiting()
                if self._has_ended:
                    # As any task: cancelled in its last step, it ends cancelled.
                    if self._failure is None:
                        self._failure = thrown
                    thrown = None
                    self._raise_failure()
                    return
                found, self._found = self._found, _NOTHING
                if thrown is not None:
                    # It was cancelled by itself, before it waited for something else.
                    if not _cancel(found):
                        continue
                    thrown = None
            try:
                yield found
            except BaseException as error:
                thrown = error

    def _wait_for(self, wakeup: Wakeup) -> None:
        step = self._step_method
        if step is not None and not self._is_cancelled:
            wakeup.add_done_callback(step, context=self._context)
            self._wakeup = wakeup

    def _stop_waiting(self) -> None:
        self._is_cancelled = False
        wakeup, self._wakeup = self._wakeup, None
        if wakeup is not None:
            wakeup.forget()

    def _step(self, told: object) -> None:
        """Part of what a `Wakeup` does, in the task's context. Raises RuntimeError, and has done
        nothing, where a task runs.
        """
        coroutine = self._coroutine
        if self._is_cancelled or coroutine is None:
            return
        # No name here refers to the task: a traceback of what it raises has this frame.
        _enter(self._loop, self._task)
        self._wakeup = None
        found = self._advance(coroutine)
        _leave(self._loop, self._task)
        if type(found) is _WAKEUP:
            self._wait_for(found)
            return
        self._found = found
        if self._resume is not None:
            self._take_resume()(DONE)

    def _take_resume(self) -> Callable[[Any], object]:
        resume, self._resume = self._resume, None
        assert resume is not None
        return resume

    def _advance(self, coroutine: Coroutine[Any, Any, None]) -> Any:
        """What the coroutine waits for next. Raises nothing."""
        try:
            return coroutine.send(None)
        except StopIteration:
            pass
        except BaseException as error:
            self._failure = error
        self._has_ended = True
        return _NOTHING

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        try:
            if failure is not None:
                raise failure
        finally:
            failure = None

    # What the task calls.

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the task."""
        return self._loop

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context) -> None:
        """Call back once, in that context."""
        self._resume = callback

    def cancel(self, msg: object = None) -> bool:
        """Have the task raise `asyncio.CancelledError`, in the loop's next turn."""
        if self._resume is None:
            return False
        self._stop_waiting()
        self._is_cancelled = True
        self._loop.call_soon(self._take_resume(), self, context=self._context)
        return True

    def result(self) -> None:
        """Asked after `cancel` alone."""
        raise asyncio.CancelledError


def _cancel(found: Any) -> bool:
    """Cancel what a coroutine waits for; false if there is nothing to cancel."""
    return asyncio.isfuture(found) and found.cancel()
