"""A guest in the place of a middleware: records in, decoded and checked actions out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from sentinel_host.abi.contract import ON_COMPLETE, ON_REQUEST, ON_REQUEST_CHUNK, ON_RESPONSE, ON_RESPONSE_CHUNK, Hook
from sentinel_host.abi.decode import decode_request_action, decode_response_action
from sentinel_host.abi.rules import AbiError
from sentinel_host.errors import GuestBusy, GuestError, GuestProtocolError, GuestQuarantined, GuestUnavailable
from sentinel_host.messages import (
    SKIP,
    BodyMode,
    RequestAction,
    RequestBodyAction,
    RequestEdits,
    ResponseAction,
    ResponseBodyAction,
    ResponseEdits,
)
from sentinel_host.native.failure import CallFailed
from sentinel_host.native.guest import SUSPENDED, NativeGuest
from sentinel_host.sandbox.bodies import REQUEST_BODY, RESPONSE_BODY, BodyCalls
from sentinel_host.sandbox.breaker import Breaker
from sentinel_host.sandbox.instance import SLOTS, Blueprint, overdue_error
from sentinel_host.sandbox.pool import Pool
from sentinel_host.sandbox.runqueue import RunQueue, WallClockBound

T = TypeVar("T")
E = TypeVar("E", RequestEdits, ResponseEdits)

# A few header edits are some tens of bytes; a guest that sets a principal has as many answers as principals.
_REMEMBERED: Final = 256
_REMEMBERED_BYTES: Final = 512

_log: Final = logging.getLogger("sentinel.sandbox")


class _Entry(Generic[T]):
    """A hook as it is called: its number and name, and what makes an action of a guest's answer."""

    __slots__ = ("decode", "name", "slot")

    def __init__(self, hook: Hook, decode: Callable[[GuestMiddleware, bytes], T]) -> None:
        self.name = hook.name
        self.slot = SLOTS[hook]
        self.decode = decode


class GuestMiddleware:
    """One use of a guest, with one configuration, as a chain calls it.

    Every hook takes its record's bytes, those of the request's id, which marks what the guest logs, and the client's
    address. It returns its action or, for a call that takes longer than a tick or must wait for an instance, an
    awaitable of it; either way it may raise `GuestError`. Hooks that the guest does not export must not be called: the
    ``handles_…`` attributes tell which those are.
    """

    __slots__ = (
        "_bodies",
        "_breaker",
        "_health",
        "_idle",
        "_pool",
        "_request_edits",
        "_response_edits",
        "_upstreams",
        "answers",
        "handles_completion",
        "handles_request",
        "handles_request_body",
        "handles_response",
        "handles_response_body",
        "name",
        "on_failure",
        "queue",
    )

    def __init__(self, blueprint: Blueprint, config: bytes, on_failure: str, upstreams: frozenset[str]) -> None:
        """Starts nothing: that is for `start` or `start_now`."""
        hooks = {checked.hook for checked in blueprint.checked.hooks}
        self.name = blueprint.name
        self.on_failure = on_failure
        self.handles_request = ON_REQUEST in hooks
        self.handles_response = ON_RESPONSE in hooks
        self.handles_completion = ON_COMPLETE in hooks
        self.handles_request_body = ON_REQUEST_CHUNK in hooks
        self.handles_response_body = ON_RESPONSE_CHUNK in hooks
        self.answers = blueprint.limits.answers
        self.queue: RunQueue = blueprint.engine.queue
        self._upstreams = upstreams
        # Edits are never changed by those who apply them; whole responses are, and are decoded anew.
        self._request_edits: dict[bytes, RequestEdits] = {}
        self._response_edits: dict[bytes, ResponseEdits] = {}
        self._breaker = Breaker(blueprint.engine.clock)
        self._health = blueprint.health
        self._pool = Pool(blueprint, config)
        self._bodies = Pool(blueprint, config, maximum=blueprint.limits.bodies, plan=self._pool.plan)
        self._idle = self._pool.idle
        self._health.plans.add(self._pool.plan)

    def start_now(self) -> None:
        """Make the first instance, while nothing else happens; raises `GuestError`."""
        self._pool.start_now()

    async def start(self) -> None:
        """Make the first instance, while the event loop goes on; raises `GuestError`."""
        await self._pool.start()

    def on_request(
        self, record: bytes, request_id: bytes, client: str = ""
    ) -> RequestAction | Coroutine[Any, Any, RequestAction | None] | None:
        """Call ``on-request`` with a ``request-head``; ``None`` stands for "go on, no change"."""
        return self._call(_ON_REQUEST, record, b"", request_id, client)

    def on_response(
        self, record: bytes, context: bytes, request_id: bytes, client: str = ""
    ) -> ResponseAction | Coroutine[Any, Any, ResponseAction | None] | None:
        """Call ``on-response`` with a ``response-head``; ``None`` stands for "go on, no change"."""
        return self._call(_ON_RESPONSE, record, context, request_id, client)

    def on_complete(
        self, record: bytes, context: bytes, request_id: bytes, client: str = ""
    ) -> Coroutine[Any, Any, None] | None:
        """Call ``on-complete`` with a ``summary``."""
        return self._call(_ON_COMPLETE, record, context, request_id, client)

    def request_body(self, context: bytes, request_id: bytes, client: str = "") -> BodyCalls[RequestBodyAction]:
        """The calls of ``on-request-chunk`` for one body, to be closed after it."""
        return BodyCalls(self, self._bodies, REQUEST_BODY, context, request_id, client)

    def response_body(self, context: bytes, request_id: bytes, client: str = "") -> BodyCalls[ResponseBodyAction]:
        """The calls of ``on-response-chunk`` for one body, to be closed after it."""
        return BodyCalls(self, self._bodies, RESPONSE_BODY, context, request_id, client)

    def close(self) -> None:
        """Drop the instances, those in use once their calls have ended. No hook may be called any more."""
        if self._breaker.is_open:
            self._pool.stats.quarantined -= 1
        self._health.plans.discard(self._pool.plan)
        self._pool.close()
        self._bodies.close()

    def quarantined(self, hook: str) -> GuestQuarantined | None:
        """The refusal of a call in quarantine. Chunks never probe: the head of their request has."""
        if not self._breaker.is_open:
            return None
        self._pool.stats.refused += 1
        return GuestQuarantined(self.name, hook, self._breaker.retry_after)

    def check_upstream(self, edits: RequestEdits) -> None:
        """Raises `AbiError` for the choice of an upstream that is not granted."""
        if edits.upstream is not None and edits.upstream not in self._upstreams:
            raise AbiError(f"chose the upstream {edits.upstream[:64]!r}, which is not granted to it")

    def noted(self, error: GuestError, client: str) -> GuestError:
        """The same error, counted if the call failed by the guest's own doing; too many put it into quarantine."""
        if isinstance(error, GuestUnavailable):
            return error
        breaker, pool = self._breaker, self._pool
        pool.stats.failed(error)
        if self._health.trial is not None:
            self._health.trial.failed(client)
        if breaker.failed(pool.plan.calls, client):
            pool.stats.quarantines += 1
            pool.stats.quarantined += 1
            for each in (pool, self._bodies):
                each.is_barred = True
                each.empty()
            _log.error(
                "guest %s is in quarantine for %d s: it fails for several clients", self.name, breaker.retry_after
            )
        return error

    def _call(
        self, entry: _Entry[T], record: bytes, context: bytes, request_id: bytes, client: str
    ) -> T | Coroutine[Any, Any, T | None] | None:
        idle = self._idle
        if not idle:
            return self._call_later(entry, record, context, request_id, client)
        instance = idle.pop()
        try:
            answer = instance.call(entry.slot, record, context, False, request_id)
        except CallFailed as failed:
            raise self._failed(instance, entry.name, failed, client) from None
        if answer is SUSPENDED:
            return self._finish(entry, instance, client)
        if instance.is_retirable:
            self._pool.release(instance)
        else:
            idle.append(instance)
        return None if answer is None else self._decode(entry, answer, client)

    async def _call_later(
        self, entry: _Entry[T], record: bytes, context: bytes, request_id: bytes, client: str
    ) -> T | None:
        """A call for which no instance is idle: it is made, waited for, or refused in quarantine."""
        if self._breaker.is_open:
            return await self._probe(entry, record, context, request_id, client)
        try:
            return await self._call_anew(entry, record, context, request_id, client)
        except GuestBusy as busy:
            raise GuestBusy(self.name, busy.reason, entry.name) from None

    async def _call_anew(
        self, entry: _Entry[T], record: bytes, context: bytes, request_id: bytes, client: str
    ) -> T | None:
        """A call on whichever instance there will be for it."""
        try:
            instance = await self._pool.acquire()
        except GuestError as error:
            self.noted(error, client)
            raise
        return await self._run(entry, instance, record, context, request_id, client)

    async def _run(
        self, entry: _Entry[T], instance: NativeGuest, record: bytes, context: bytes, request_id: bytes, client: str
    ) -> T | None:
        try:
            answer = instance.call(entry.slot, record, context, False, request_id)
        except CallFailed as failed:
            raise self._failed(instance, entry.name, failed, client) from None
        if answer is SUSPENDED:
            return await self._finish(entry, instance, client)
        self._pool.release(instance)
        return None if answer is None else self._decode(entry, answer, client)

    async def _finish(self, entry: _Entry[T], instance: NativeGuest, client: str) -> T | None:
        """Wait for a suspended call; one that is cancelled takes its instance with it."""
        deadline = self._pool.limits.deadline
        try:
            answer = await self.queue.finish(instance, deadline)
        except CallFailed as failed:
            raise self._failed(instance, entry.name, failed, client) from None
        except WallClockBound:
            self._pool.discard(instance)
            raise self.noted(overdue_error(self.name, entry.name, deadline), client) from None
        except BaseException:
            self._pool.discard(instance)
            raise
        self._pool.release(instance)
        return None if answer is None else self._decode(entry, answer, client)

    async def _probe(self, entry: _Entry[T], record: bytes, context: bytes, request_id: bytes, client: str) -> T | None:
        """A call in quarantine: refused, or the one that shows whether the guest works again."""
        breaker, stats = self._breaker, self._pool.stats
        if not breaker.may_probe():
            stats.refused += 1
            raise GuestQuarantined(self.name, entry.name, breaker.retry_after)
        try:
            action = await self._call_anew(entry, record, context, request_id, client)
        except GuestBusy as busy:
            breaker.probe_dropped()
            raise GuestBusy(self.name, busy.reason, entry.name) from None
        except GuestError:
            breaker.probe_failed()
            _log.warning("guest %s stays in quarantine for %d s", self.name, breaker.retry_after)
            raise
        except BaseException:
            breaker.probe_dropped()
            raise
        breaker.probe_succeeded()
        self._pool.is_barred = self._bodies.is_barred = False
        stats.quarantined -= 1
        _log.warning("guest %s is out of quarantine", self.name)
        return action

    def _failed(self, instance: NativeGuest, hook: str, failed: CallFailed, client: str) -> GuestError:
        self._pool.discard(instance)
        return self.noted(self._pool.error(hook, failed), client)

    def _decode(self, entry: _Entry[T], answer: bytes, client: str) -> T:
        try:
            return entry.decode(self, answer)
        except AbiError as error:
            raise self.noted(GuestProtocolError(self.name, entry.name, str(error)), client) from None

    def _decode_request(self, answer: bytes) -> RequestAction | None:
        known = self._request_edits.get(answer)
        if known is not None:
            return known
        action = decode_request_action(answer, self.answers)
        if type(action) is RequestEdits:
            self.check_upstream(action)
            action.body = self._mode(action.body, self.handles_request_body, ON_REQUEST_CHUNK)
            _remember(self._request_edits, answer, action)
        return action

    def _decode_response(self, answer: bytes) -> ResponseAction | None:
        known = self._response_edits.get(answer)
        if known is not None:
            return known
        action = decode_response_action(answer, self.answers)
        if type(action) is ResponseEdits:
            action.body = self._mode(action.body, self.handles_response_body, ON_RESPONSE_CHUNK)
            _remember(self._response_edits, answer, action)
        return action

    def _mode(self, mode: BodyMode, is_handled: bool, hook: Hook) -> BodyMode:
        """The mode that a guest asked for; a body larger than its memory is not worth collecting."""
        if mode is SKIP:
            return mode
        if not is_handled:
            raise AbiError(f"asks for the body, and exports no {hook.name}")
        memory = self._pool.limits.memory
        return BodyMode(mode.kind, memory) if mode.limit > memory else mode

    def _decode_nothing(self, answer: bytes) -> None:
        return None


def _remember(edits: dict[bytes, E], answer: bytes, action: E) -> None:
    """Keep edits that have been checked: a guest gives the same few answers again and again, and decoding one costs
    more than the call. Bounded, as the answers are the guest's choice."""
    if len(answer) <= _REMEMBERED_BYTES:
        if len(edits) >= _REMEMBERED:
            edits.clear()
        edits[answer] = action


_ON_REQUEST: Final = _Entry(ON_REQUEST, GuestMiddleware._decode_request)
_ON_RESPONSE: Final = _Entry(ON_RESPONSE, GuestMiddleware._decode_response)
_ON_COMPLETE: Final = _Entry(ON_COMPLETE, GuestMiddleware._decode_nothing)
