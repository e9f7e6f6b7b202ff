"""The chunk calls of one body, all on one instance that serves no other call meanwhile.

Rule 1: instances for bodies are apart from those for heads. A slow body keeps its instance until it
        ends, and must not delay other requests' heads.
Rule 2: an instance goes back to the pool once it has seen the end of its body. Before that it may
        hold a part of the body; it is then closed.
Rule 3: during a call the instance belongs to the call, so that an exchange that ends meanwhile
        cannot close it twice.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from sentinel_host.errors import GuestError
from sentinel_host.native.guest import SUSPENDED, NativeGuest, Suspension
from sentinel_host.sandbox.caller import GuestCaller, HookCall

T = TypeVar("T")


class BodyCalls(Generic[T]):
    """One body's calls of one guest; see the module. Made for every body, it takes an instance at
    the first call.
    """

    __slots__ = ("_caller", "_client", "_context", "_hook", "_instance", "_is_closed", "_request_id")

    def __init__(self, caller: GuestCaller, hook: HookCall[T], context: bytes, request_id: bytes, client: str) -> None:
        self._caller = caller
        self._hook = hook
        self._context = context
        self._request_id = request_id
        self._client = client
        self._instance: NativeGuest | None = None
        self._is_closed = False

    def on_chunk(self, chunk: bytes, last: bool) -> bytes | T | Coroutine[Any, Any, bytes | T | None] | None:
        """Call the hook; ``None`` passes the chunk on. Nothing may be called after ``last``, or
        after a failure.

        Returns an awaitable if the call takes longer or has to wait. Both raise `GuestError`.
        """
        instance = self._instance
        if instance is None:
            idle = self._caller.pool.idle
            if not idle:
                return self._begin(chunk, last)
            instance = idle.pop()
        self._instance = None
        answer = self._attempt(instance, chunk, last)
        if answer is SUSPENDED:
            return self._finish(instance, last)
        return self._end(instance, answer, last)

    def close(self) -> None:
        """The body is over, whole or not."""
        self._is_closed = True
        if self._instance is not None:
            self._caller.pool.discard(self._instance)
            self._instance = None

    def broke(self, reason: str) -> GuestError:
        """The error, counted, for an answer that is too late or that the mode does not allow."""
        return self._caller.broke(self._hook, reason, self._client)

    async def _begin(self, chunk: bytes, last: bool) -> bytes | T | None:
        """The first call, when no instance is idle. Chunks are never probes: the head of their
        request was.
        """
        caller, hook = self._caller, self._hook
        if caller.quarantine.is_open:
            raise caller.quarantine.refusal(hook.name)
        instance = await caller.take(hook, self._client)
        answer = self._attempt(instance, chunk, last)
        if answer is SUSPENDED:
            return await self._finish(instance, last)
        return self._end(instance, answer, last)

    def _attempt(self, instance: NativeGuest, chunk: bytes, last: bool) -> tuple[bytes] | bytes | Suspension | None:
        return self._caller.attempt_chunk(
            self._hook, instance, chunk, self._context, last, self._request_id, self._client
        )

    async def _finish(self, instance: NativeGuest, last: bool) -> bytes | T | None:
        return self._end(instance, await self._caller.wait(self._hook, instance, self._client), last)

    def _end(self, instance: NativeGuest, answer: tuple[bytes] | bytes | None, last: bool) -> bytes | T | None:
        if last:
            self._caller.pool.release(instance)
        elif self._is_closed:
            self._caller.pool.discard(instance)
        else:
            self._instance = instance
        if isinstance(answer, tuple):
            return answer[0]
        return None if answer is None else self._caller.decode(self._hook, answer, self._client)
