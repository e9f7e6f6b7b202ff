"""The chunk calls of one body: all on one instance, which nobody else may call meanwhile.

Rule 1: instances for bodies are apart from those for heads. A slow body keeps its instance for as long as it lasts, and
        must not keep others from being answered.
Rule 2: an instance comes back once it has seen the end of its body. One that has not may hold half of a body, and is
        closed.
Rule 3: during a call the instance belongs to the call, so that an exchange that ends meanwhile cannot close it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sentinel_host.abi.contract import ON_REQUEST_CHUNK, ON_RESPONSE_CHUNK, Hook
from sentinel_host.abi.decode import decode_request_body_action, decode_response_body_action
from sentinel_host.abi.rules import AbiError
from sentinel_host.errors import GuestBusy, GuestError, GuestProtocolError
from sentinel_host.messages import HeldRequest, RequestBodyAction, ResponseBodyAction
from sentinel_host.native.failure import CallFailed
from sentinel_host.native.guest import SUSPENDED, NativeGuest
from sentinel_host.sandbox.instance import SLOTS, overdue_error
from sentinel_host.sandbox.pool import Pool
from sentinel_host.sandbox.runqueue import WallClockBound

if TYPE_CHECKING:
    from sentinel_host.sandbox.middleware import GuestMiddleware

T = TypeVar("T")


class BodyEntry(Generic[T]):
    """A chunk hook as it is called: its number and name, and what makes an action of a guest's answer."""

    __slots__ = ("decode", "name", "slot")

    def __init__(self, hook: Hook, decode: Callable[[GuestMiddleware, bytes], T | None]) -> None:
        self.name = hook.name
        self.slot = SLOTS[hook]
        self.decode = decode


class BodyCalls(Generic[T]):
    """One body's calls of one guest; see the module. Made for every body, it takes an instance at the first call."""

    __slots__ = ("_client", "_context", "_entry", "_guest", "_instance", "_is_closed", "_pool", "_request_id")

    def __init__(
        self, guest: GuestMiddleware, pool: Pool, entry: BodyEntry[T], context: bytes, request_id: bytes, client: str
    ) -> None:
        self._guest = guest
        self._pool = pool
        self._entry = entry
        self._context = context
        self._request_id = request_id
        self._client = client
        self._instance: NativeGuest | None = None
        self._is_closed = False

    def on_chunk(self, chunk: bytes, last: bool) -> T | Coroutine[Any, Any, T | None] | None:
        """Call the hook; ``None`` passes the chunk on. Nothing may be called after ``last``, or after a failure.

        Raises `GuestError`, as does the awaitable that a call becomes which takes longer or has to wait.
        """
        instance = self._instance
        if instance is None:
            idle = self._pool.idle
            if not idle:
                return self._begin(chunk, last)
            instance = idle.pop()
        self._instance = None
        try:
            answer = self._call(instance, chunk, last)
        except CallFailed as failed:
            raise self._failed(instance, failed) from None
        if answer is SUSPENDED:
            return self._finish(instance, last)
        return self._end(instance, answer, last)

    def close(self) -> None:
        """The body is over, whole or not."""
        self._is_closed = True
        if self._instance is not None:
            self._pool.discard(self._instance)
            self._instance = None

    def broke(self, reason: str) -> GuestError:
        """The error for an answer that comes too late or is not what the mode allows, counted."""
        return self._noted(GuestProtocolError(self._guest.name, self._entry.name, reason))

    def _call(self, instance: NativeGuest, chunk: bytes, last: bool) -> Any:
        return instance.call(self._entry.slot, chunk, self._context, last, self._request_id)

    async def _begin(self, chunk: bytes, last: bool) -> T | None:
        """The first call, when no instance is idle."""
        if refusal := self._guest.quarantined(self._entry.name):
            raise refusal
        try:
            instance = await self._pool.acquire()
        except GuestBusy as busy:
            raise GuestBusy(self._guest.name, busy.reason, self._entry.name) from None
        except GuestError as error:
            self._noted(error)
            raise
        try:
            answer = self._call(instance, chunk, last)
        except CallFailed as failed:
            raise self._failed(instance, failed) from None
        if answer is SUSPENDED:
            return await self._finish(instance, last)
        return self._end(instance, answer, last)

    async def _finish(self, instance: NativeGuest, last: bool) -> T | None:
        """Wait for a suspended call; one that is cancelled takes its instance with it."""
        pool = self._pool
        deadline = pool.limits.deadline
        try:
            answer = await self._guest.queue.finish(instance, deadline)
        except CallFailed as failed:
            raise self._failed(instance, failed) from None
        except WallClockBound:
            pool.discard(instance)
            raise self._noted(overdue_error(self._guest.name, self._entry.name, deadline)) from None
        except BaseException:
            pool.discard(instance)
            raise
        return self._end(instance, answer, last)

    def _end(self, instance: NativeGuest, answer: bytes | None, last: bool) -> T | None:
        if last:
            self._pool.release(instance)
        elif self._is_closed:
            self._pool.discard(instance)
        else:
            self._instance = instance
        if answer is None:
            return None
        try:
            return self._entry.decode(self._guest, answer)
        except AbiError as error:
            raise self.broke(str(error)) from None

    def _failed(self, instance: NativeGuest, failed: CallFailed) -> GuestError:
        self._pool.discard(instance)
        return self._noted(self._pool.error(self._entry.name, failed))

    def _noted(self, error: GuestError) -> GuestError:
        return self._guest.noted(error, self._client)


def _decode_request(guest: GuestMiddleware, answer: bytes) -> RequestBodyAction | None:
    action = decode_request_body_action(answer, guest.answers)
    if type(action) is HeldRequest:
        guest.check_upstream(action.edits)
    return action


def _decode_response(guest: GuestMiddleware, answer: bytes) -> ResponseBodyAction | None:
    return decode_response_body_action(answer, guest.answers)


REQUEST_BODY: BodyEntry[RequestBodyAction] = BodyEntry(ON_REQUEST_CHUNK, _decode_request)
RESPONSE_BODY: BodyEntry[ResponseBodyAction] = BodyEntry(ON_RESPONSE_CHUNK, _decode_response)
