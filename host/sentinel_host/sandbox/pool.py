"""The instances of one guest with one configuration.

Rule 1: an instance is called by one call at a time. It is in ``idle`` or taken, never both; the
        last used is used next.
Rule 2: instances are made when a call needs one, up to a maximum; then calls wait, bounded in
        number and in time.
Rule 3: an instance that failed, was left in the middle of a call, or is retirable, is closed. Its
        place goes to the first waiter.
Rule 4: ``idle`` is empty in quarantine and where every call gets a fresh instance: who finds it
        empty asks `acquire`.
Rule 5: what a burst needed is given back: after a while without waiting only the instance used last
        is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from time import monotonic
from typing import Final

from sentinel_host.errors import GuestBusy, GuestError
from sentinel_host.native.failure import CallFailed, Failure
from sentinel_host.native.guest import SUSPENDED, NativeGuest
from sentinel_host.native.plan import Plan
from sentinel_host.sandbox.instance import Blueprint, behind_error, guest_error, step_of
from sentinel_host.sandbox.runqueue import FellBehind

# Seconds between two lines that say that a guest's instances are all busy.
_SAY_AGAIN_AFTER: Final = 1.0

_log: Final = logging.getLogger("sentinel.sandbox")


class Pool:
    """See the module. ``size`` is how many instances exist or are being made; ``is_barred`` in
    quarantine.

    ``maximum`` is how many there may be, by default what the limits say; ``plan`` is one that
    another pool of the same guest and configuration has, so that their calls are counted together.
    """

    __slots__ = (
        "_blueprint",
        "_config",
        "_is_closed",
        "_keeps",
        "_said_at",
        "_trimming",
        "_waiters",
        "idle",
        "is_barred",
        "limits",
        "maximum",
        "plan",
        "size",
        "stats",
    )

    def __init__(
        self, blueprint: Blueprint, config: bytes, *, maximum: int | None = None, plan: Plan | None = None
    ) -> None:
        self._blueprint = blueprint
        self._config = config
        self._keeps = blueprint.limits.isolation == "shared"
        self._is_closed = False
        self._said_at = 0.0
        self._trimming: tuple[asyncio.AbstractEventLoop, asyncio.TimerHandle] | None = None
        # A waiter is handed an instance, or None for the place of one that is gone.
        self._waiters: deque[asyncio.Future[NativeGuest | None]] = deque()
        self.is_barred = False
        self.idle: list[NativeGuest] = []
        self.limits = blueprint.limits
        self.maximum = blueprint.limits.instances if maximum is None else maximum
        self.plan = plan or blueprint.new_plan()
        self.size = 0
        self.stats = blueprint.engine.stats_of(blueprint.name)

    async def start(self) -> int:
        """Make the first instance while the event loop goes on; returns its `needed_hooks`. No call
        waits for it: a failure is not counted.

        Raises `GuestError`.
        """
        self.size += 1
        instance = await self._start()
        needed = instance.needed_hooks
        self.release(instance)
        return needed

    async def acquire(self) -> NativeGuest:
        """An instance for one call: an idle one, a new one, or the first that is given back.

        Raises `GuestBusy` when too many calls wait, this one waited too long, or there is no memory
        for a new one, and `GuestError` when starting fails.
        """
        if self.idle:
            return self.idle.pop()
        if self.size < self.maximum:
            self.size += 1
        elif instance := await self._wait():
            return instance
        try:
            return await self._start()
        except GuestBusy as starved:
            raise self._busy(starved.reason) from None

    def release(self, instance: NativeGuest) -> None:
        """Give back an instance whose call has ended well."""
        if instance.is_retirable or not self._keeps or self.is_barred or self._is_closed:
            if instance.is_retirable:
                self.stats.retired += 1
            self.discard(instance)
        elif waiter := self._next_waiter():
            waiter.set_result(instance)
        else:
            self.idle.append(instance)
            if len(self.idle) > 1:
                self._trim_later()

    def discard(self, instance: NativeGuest) -> None:
        """Close an instance that may not be called again."""
        instance.close()
        self._give_up_place()

    def empty(self) -> None:
        """Close every idle instance."""
        while self.idle:
            self.discard(self.idle.pop())

    def close(self) -> None:
        """Close every idle instance, and the others when they are given back."""
        self._is_closed = True
        self.empty()
        if self._trimming is not None:
            self._trimming[1].cancel()

    def error(self, hook: str, failed: CallFailed) -> GuestError:
        """The typed error for a failed call of a hook; `GuestBusy` is counted already."""
        if failed.failure is Failure.NO_MEMORY:
            return self._busy(failed.reason, hook)
        return guest_error(self._blueprint, hook, failed, self.limits.deadline)

    async def _start(self) -> NativeGuest:
        """An instance for a place that is taken already."""
        instance = NativeGuest(self.plan)
        try:
            if instance.start(self._config) is SUSPENDED:
                await self._blueprint.engine.queue.finish(instance, self.limits.start_deadline)
        except CallFailed as failed:
            self.discard(instance)
            raise guest_error(self._blueprint, "start", failed, self.limits.start_deadline) from None
        except FellBehind:
            step = step_of(instance)
            self.discard(instance)
            raise behind_error(self._blueprint.name, step, self.limits.start_deadline) from None
        except BaseException:
            self.discard(instance)
            raise
        return instance

    async def _wait(self) -> NativeGuest | None:
        """The next instance that is given back, or ``None`` for a place that was given up, which is
        ours then.
        """
        stats, limits = self.stats, self.limits
        if len(self._waiters) >= limits.waiting:
            raise self._busy(f"{limits.waiting} calls wait for an instance already")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[NativeGuest | None] = loop.create_future()
        timer = loop.call_later(limits.wait, self._expire, future)
        self._waiters.append(future)
        stats.waiting += 1
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._take_back(future.result())
            raise
        finally:
            stats.waiting -= 1
            timer.cancel()
            # Of a refusal, which knows this frame: it would be a cycle that keeps the whole guest.
            del future

    def _expire(self, future: asyncio.Future[NativeGuest | None]) -> None:
        if not future.done():
            limits = self.limits
            reason = f"all {self.maximum} instances were busy for {limits.wait * 1000:g} ms"
            future.set_exception(self._busy(reason))

    def _busy(self, reason: str, hook: str = "start") -> GuestBusy:
        self.stats.busy += 1
        # A flood is refused by the thousand: one line tells of all of them, and the counts how
        # many.
        now = monotonic()
        if now - self._said_at >= _SAY_AGAIN_AFTER:
            self._said_at = now
            _log.warning("guest %s: %s; %d refused so far", self._blueprint.name, reason, self.stats.busy)
        return GuestBusy(self._blueprint.name, reason, hook)

    def _trim_later(self) -> None:
        loop = asyncio.get_running_loop()
        if self._trimming is None or self._trimming[0] is not loop:
            self._trimming = (loop, loop.call_later(self.limits.trim_after, self._trim))

    def _trim(self) -> None:
        self._trimming = None
        while len(self.idle) > 1:
            self.discard(self.idle.pop(0))

    def _take_back(self, handed: NativeGuest | None) -> None:
        if handed is None:
            self._give_up_place()
        else:
            self.release(handed)

    def _give_up_place(self) -> None:
        if waiter := self._next_waiter():
            waiter.set_result(None)
        else:
            self.size -= 1

    def _next_waiter(self) -> asyncio.Future[NativeGuest | None] | None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None
