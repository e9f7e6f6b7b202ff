"""Calling a guest's hooks: the one place that takes an instance, calls it, waits for it and gives
it back.

Rule 1: an instance belongs to one call at a time. `GuestCaller.call` takes one for a single call. A
        body keeps one over its chunks, and uses `take`, `attempt_chunk`, `wait` and `decode`.
Rule 2: a call that fails closes its instance, and its error is counted exactly once before it is
        raised.
Rule 3: a call that is cancelled while it is suspended closes its instance.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from sentinel_host.abi.contract import Hook
from sentinel_host.abi.rules import AbiError
from sentinel_host.errors import GuestBusy, GuestError, GuestProtocolError
from sentinel_host.native.failure import CallFailed
from sentinel_host.native.guest import SUSPENDED, NativeGuest, Suspension
from sentinel_host.sandbox.instance import SLOTS, behind_error
from sentinel_host.sandbox.pool import Pool
from sentinel_host.sandbox.quarantine import Quarantine
from sentinel_host.sandbox.runqueue import FellBehind, RunQueue

T = TypeVar("T")


class HookCall(Generic[T]):
    """A hook as it is called: its name, its number in C, and the decoder of its answers.

    ``decode`` raises `AbiError`.
    """

    __slots__ = ("decode", "name", "slot")

    def __init__(self, hook: Hook, decode: Callable[[bytes], T | None]) -> None:
        self.name = hook.name
        self.slot = SLOTS[hook]
        self.decode = decode


class GuestCaller:
    """Calls one use of a guest on the instances of ``pool``."""

    __slots__ = ("_idle", "_name", "_queue", "pool", "quarantine")

    def __init__(self, name: str, pool: Pool, quarantine: Quarantine, queue: RunQueue) -> None:
        self._name = name
        self._queue = queue
        self._idle = pool.idle
        self.pool = pool
        self.quarantine = quarantine

    def call(
        self, hook: HookCall[T], record: bytes, context: bytes, request_id: bytes, client: str
    ) -> T | Coroutine[Any, Any, T | None] | None:
        """Call the hook on an idle instance. Returns an action, or an awaitable of one if it takes
        longer.

        Raises `GuestError`, as does the awaitable.
        """
        idle = self._idle
        if not idle:
            return self._call_later(hook, record, context, request_id, client)
        instance = idle.pop()
        answer = self.attempt(hook, instance, record, context, False, request_id, client)
        if answer is SUSPENDED:
            return self._finish(hook, instance, client)
        if instance.is_retirable:
            self.pool.release(instance)
        else:
            idle.append(instance)
        return None if answer is None else self.decode(hook, answer, client)

    def conclude(
        self,
        hook: HookCall[T],
        instance: NativeGuest | None,
        answer: bytes | int,
        lists: tuple[bytes, bytes],
        request_id: bytes,
        client: str,
    ) -> T | Coroutine[Any, Any, T | None] | None:
        """As `call`, for a call with these lists that C made, and that it could not end by itself.

        ``answer`` is its answer or, of an instance that C has taken, what `NativeGuest.conclude`
        takes.
        """
        if isinstance(answer, bytes):
            return self.decode(hook, answer, client)
        assert instance is not None
        try:
            result = instance.conclude(answer, lists[0], lists[1], request_id)
        except CallFailed as failed:
            raise self._failed(hook, instance, failed, client) from None
        if result is SUSPENDED:
            return self._finish(hook, instance, client)
        self.pool.release(instance)
        return None if result is None else self.decode(hook, result, client)

    async def take(self, hook: HookCall[T], client: str) -> NativeGuest:
        """An instance, as soon as there is one. Raises `GuestError`."""
        try:
            return await self.pool.acquire()
        except GuestBusy as busy:
            raise GuestBusy(self._name, busy.reason, hook.name) from None
        except GuestError as error:
            self.quarantine.noted(error, client)
            raise

    def attempt(
        self,
        hook: HookCall[T],
        instance: NativeGuest,
        payload: bytes,
        context: bytes,
        last: bool,
        request_id: bytes,
        client: str,
    ) -> bytes | Suspension | None:
        """Call an instance: its answer, or `SUSPENDED` if `wait` must follow. Raises
        `GuestError`.
        """
        try:
            return instance.call(hook.slot, payload, context, last, request_id)
        except CallFailed as failed:
            raise self._failed(hook, instance, failed, client) from None

    def attempt_chunk(
        self,
        hook: HookCall[T],
        instance: NativeGuest,
        chunk: bytes,
        context: bytes,
        last: bool,
        request_id: bytes,
        client: str,
    ) -> tuple[bytes] | bytes | Suspension | None:
        """As `attempt`; see `NativeGuest.call_chunk`."""
        try:
            return instance.call_chunk(hook.slot, chunk, context, last, request_id)
        except CallFailed as failed:
            raise self._failed(hook, instance, failed, client) from None

    async def wait(self, hook: HookCall[T], instance: NativeGuest, client: str) -> bytes | None:
        """The answer of a suspended call. Raises `GuestError`."""
        pool = self.pool
        deadline = pool.limits.deadline
        try:
            return await self._queue.finish(instance, deadline)
        except CallFailed as failed:
            raise self._failed(hook, instance, failed, client) from None
        except FellBehind:
            pool.discard(instance)
            raise self.quarantine.noted(behind_error(self._name, hook.name, deadline), client) from None
        except BaseException:
            pool.discard(instance)
            raise

    def decode(self, hook: HookCall[T], answer: bytes, client: str) -> T | None:
        """The action that an answer stands for. Raises `GuestError`."""
        try:
            return hook.decode(answer)
        except AbiError as error:
            raise self.broke(hook, str(error), client) from None

    def broke(self, hook: HookCall[T], reason: str, client: str) -> GuestError:
        """The error for an answer that is not allowed, counted."""
        return self.quarantine.noted(GuestProtocolError(self._name, hook.name, reason), client)

    async def _call_later(
        self, hook: HookCall[T], record: bytes, context: bytes, request_id: bytes, client: str
    ) -> T | None:
        """A call for which no instance is idle. In quarantine it is the probe, or it is refused."""
        quarantine = self.quarantine
        if not quarantine.is_open:
            return await self._call_anew(hook, record, context, request_id, client)
        if not quarantine.begin_probe():
            raise quarantine.refusal(hook.name)
        try:
            action = await self._call_anew(hook, record, context, request_id, client)
        except GuestBusy:
            quarantine.drop_probe()
            raise
        except GuestError:
            quarantine.fail_probe()
            raise
        except BaseException:
            quarantine.drop_probe()
            raise
        quarantine.end()
        return action

    async def _call_anew(
        self, hook: HookCall[T], record: bytes, context: bytes, request_id: bytes, client: str
    ) -> T | None:
        instance = await self.take(hook, client)
        answer = self.attempt(hook, instance, record, context, False, request_id, client)
        if answer is SUSPENDED:
            return await self._finish(hook, instance, client)
        self.pool.release(instance)
        return None if answer is None else self.decode(hook, answer, client)

    async def _finish(self, hook: HookCall[T], instance: NativeGuest, client: str) -> T | None:
        answer = await self.wait(hook, instance, client)
        self.pool.release(instance)
        return None if answer is None else self.decode(hook, answer, client)

    def _failed(self, hook: HookCall[T], instance: NativeGuest, failed: CallFailed, client: str) -> GuestError:
        self.pool.discard(instance)
        return self.quarantine.noted(self.pool.error(hook.name, failed), client)
