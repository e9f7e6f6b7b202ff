"""Resumes suspended calls between the other work of the event loop.

Rule 1: at most one suspended call runs in one iteration of the loop, for some ticks. Calls take
        turns.
Rule 2: suspended calls together get at most half of the loop's time: after a call has run for some
        time, the same time passes before the next one runs.
Rule 3: a call that is behind is given up, however little it ran: the loop's thread has run for
        longer since than the call may have to share it. That bound grows with the number of calls
        that share the queue, so that rule 2 alone makes no call fail: of n calls, each gets the
        running time of its deadline within 2n deadlines. While the thread has no processor, because
        other processes have it or a container's share is used up, nobody falls behind.
Rule 4: a call that waits for an answer from outside is not in the queue, and does not fall behind.
        With the answer it goes on as soon as rules 1 and 2 allow it, without a timer if that is
        soon.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter, thread_time

from sentinel_host.native.guest import SUSPENDED, NativeGuest, Suspension

# Seconds. uvloop's timers count whole milliseconds, and it takes less than half of one for none at
# all.
_SHORTEST_WAIT = 0.001
# A call is suspended for the first time after it ran for one to two ticks.
_FIRST_RUN = 0.002

# Iterations of the loop in which an answered call polls for its turn. The work of other calls after
# an answer takes well under a millisecond; a timer takes at least one.
_ITERATIONS = 16


class FellBehind(Exception):
    """A suspended call was given up: it did not end in time beside what else the loop did."""


class Suspended:
    """A call in the queue: how long the loop's thread had run when it began, its deadline, and how
    many calls it shared its turns with at most.
    """

    __slots__ = ("begun", "crowd", "deadline", "future", "instance")

    def __init__(
        self, instance: NativeGuest, future: asyncio.Future[bytes | Suspension | None], begun: float, deadline: float
    ) -> None:
        self.instance = instance
        self.future = future
        self.begun = begun
        self.deadline = deadline
        self.crowd = 1

    def is_behind(self, ran: float, crowd: int) -> bool:
        """Whether to give it up now that the thread has run for so long, while ``crowd`` calls share
        the queue.
        """
        self.crowd = max(self.crowd, crowd)
        return ran - self.begun >= self.deadline * (2 * self.crowd + 1)


class RunQueue:
    """The suspended ``calls`` of one worker, the next first.

    ``clock`` tells seconds, as the event loop's timers count them, and ``ran`` those for which the
    loop's thread has run.
    """

    __slots__ = ("_clock", "_free_at", "_loop", "_ran", "_timer", "calls")

    def __init__(self, clock: Callable[[], float] = perf_counter, ran: Callable[[], float] = thread_time) -> None:
        self.calls: deque[Suspended] = deque()
        self._clock = clock
        self._ran = ran
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._free_at = 0.0

    def __len__(self) -> int:
        return len(self.calls)

    async def finish(self, instance: NativeGuest, deadline: float) -> bytes | None:
        """Run what an instance was suspended in to its end; ``deadline`` is seconds of running
        time, for rule 3.

        Raises `CallFailed`, and `FellBehind` for a call that is still suspended: as after a
        cancellation, the caller must close the instance.
        """
        loop = asyncio.get_running_loop()
        now = self._clock()
        call = Suspended(instance, loop.create_future(), self._ran() - _FIRST_RUN, deadline)
        if self._loop is not loop:
            # The calls of a loop that has ended cannot end.
            self.calls.clear()
            self._timer = None
            self._loop = loop
        if not instance.is_waiting:
            self._free_at = max(self._free_at, now + _FIRST_RUN)
            self._queue(call, loop, now)
        try:
            while True:
                if instance.is_waiting:
                    await self._answered(call, loop)
                answer = await call.future
                if answer is not SUSPENDED:
                    return answer
        finally:
            if call in self.calls:
                self.calls.remove(call)
            # The frames of an exception know the call. If the call knew the exception too, by its
            # future, the instance's whole module would stay until the collector comes.
            del call.future

    async def _answered(self, call: Suspended, loop: asyncio.AbstractEventLoop) -> None:
        """Wait for the answer that a call needs, and resume it."""
        before = self._ran()
        await call.instance.ask()
        call.begun += self._ran() - before
        now = self._clock()
        call.future = loop.create_future()
        for _ in range(_ITERATIONS):
            if now >= self._free_at:
                break
            await asyncio.sleep(0)
            now = self._clock()
        else:
            self._queue(call, loop, now)
            return
        self._resume(call)
        after = self._clock()
        self._free_at = after + (after - now)
        if self.calls and self._timer is None:
            self._timer = self._wait(loop, after)

    def _queue(self, call: Suspended, loop: asyncio.AbstractEventLoop, now: float) -> None:
        self.calls.append(call)
        call.crowd = max(call.crowd, len(self.calls))
        if self._timer is None:
            self._timer = self._wait(loop, now)

    def _wait(self, loop: asyncio.AbstractEventLoop, now: float) -> asyncio.TimerHandle:
        return loop.call_later(max(self._free_at - now, _SHORTEST_WAIT), self._step, loop)

    def _step(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if not self.calls:
            return
        before = self._clock()
        if before < self._free_at:
            # libuv counts time in whole milliseconds: a timer of one may end at once.
            self._timer = self._wait(loop, before)
            return
        call = self.calls.popleft()
        if not call.future.done():
            self._resume(call)
        after = self._clock()
        self._free_at = after + (after - before)
        if self.calls:
            self._timer = self._wait(loop, after)

    def _resume(self, call: Suspended) -> None:
        if call.is_behind(self._ran(), len(self.calls) + 1):
            call.future.set_exception(FellBehind())
            return
        try:
            answer = call.instance.resume()
        except Exception as failed:
            # Usually `CallFailed`. Any error is this call's alone; the others go on.
            call.future.set_exception(failed)
            return
        if answer is SUSPENDED and not call.instance.is_waiting:
            self.calls.append(call)
        else:
            call.future.set_result(answer)
