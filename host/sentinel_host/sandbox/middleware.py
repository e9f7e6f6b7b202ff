"""A guest in the place of a middleware: records in, decoded and checked actions out."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from sentinel_host.abi.contract import (
    NEEDED_BITS,
    ON_COMPLETE,
    ON_REQUEST,
    ON_REQUEST_CHUNK,
    ON_RESPONSE,
    ON_RESPONSE_CHUNK,
)
from sentinel_host.messages import RequestAction, RequestBodyAction, ResponseAction, ResponseBodyAction
from sentinel_host.sandbox.actions import ActionDecoder
from sentinel_host.sandbox.bodies import BodyCalls
from sentinel_host.sandbox.breaker import Breaker
from sentinel_host.sandbox.caller import GuestCaller, HookCall
from sentinel_host.sandbox.direct import DirectHooks
from sentinel_host.sandbox.instance import Blueprint
from sentinel_host.sandbox.pool import Pool
from sentinel_host.sandbox.quarantine import Quarantine


class GuestMiddleware:
    """One use of a guest, with one configuration, as a chain calls it.

    Every hook takes its record's bytes, those of the request's id, which marks what the guest logs,
    and the client's address. It returns its action or, for a call that takes longer than a tick or
    must wait for an instance, an awaitable of it; either way it may raise `GuestError`. Hooks that
    the guest does not export must not be called: the ``handles_…`` attributes tell which those are,
    and once it has started, also which it has no need of.
    ``heads`` and ``bodies`` are the pools of its instances. ``direct`` is how C calls the same
    hooks.
    """

    __slots__ = (
        "_body_caller",
        "_head_caller",
        "_health",
        "_on_complete",
        "_on_request",
        "_on_request_chunk",
        "_on_response",
        "_on_response_chunk",
        "_quarantine",
        "bodies",
        "direct",
        "handles_completion",
        "handles_request",
        "handles_response",
        "heads",
        "name",
        "on_failure",
    )

    def __init__(self, blueprint: Blueprint, config: bytes, on_failure: str, upstreams: frozenset[str]) -> None:
        """Starts nothing: `start` does."""
        hooks = frozenset([checked.hook for checked in blueprint.checked.hooks])
        engine, limits, name = blueprint.engine, blueprint.limits, blueprint.name
        self.name = name
        self.on_failure = on_failure
        self.handles_request = ON_REQUEST in hooks
        self.handles_response = ON_RESPONSE in hooks
        self.handles_completion = ON_COMPLETE in hooks
        decoder = ActionDecoder(limits.answers, limits.memory, hooks, upstreams)
        self._on_request: HookCall[RequestAction] = HookCall(ON_REQUEST, decoder.request)
        self._on_response: HookCall[ResponseAction] = HookCall(ON_RESPONSE, decoder.response)
        self._on_complete: HookCall[None] = HookCall(ON_COMPLETE, decoder.completion)
        self._on_request_chunk: HookCall[RequestBodyAction] = HookCall(ON_REQUEST_CHUNK, decoder.request_chunk)
        self._on_response_chunk: HookCall[ResponseBodyAction] = HookCall(ON_RESPONSE_CHUNK, decoder.response_chunk)
        self.heads = Pool(blueprint, config)
        self.bodies = Pool(blueprint, config, maximum=limits.bodies, plan=self.heads.plan)
        self._health = blueprint.health
        self._health.plans.add(self.heads.plan)
        self._quarantine = Quarantine(name, Breaker(engine.clock), self._health, (self.heads, self.bodies))
        self._head_caller = GuestCaller(name, self.heads, self._quarantine, engine.queue)
        self.direct = DirectHooks(
            self._head_caller, limits.answers, self._on_request, self._on_response, self._on_complete
        )
        self._body_caller = GuestCaller(name, self.bodies, self._quarantine, engine.queue)

    async def start(self) -> None:
        """Make the first instance, while the event loop goes on; raises `GuestError`."""
        needed = await self.heads.start()
        self.handles_request &= bool(needed & NEEDED_BITS[ON_REQUEST])
        self.handles_response &= bool(needed & NEEDED_BITS[ON_RESPONSE])
        self.handles_completion &= bool(needed & NEEDED_BITS[ON_COMPLETE])

    def on_request(
        self, record: bytes, request_id: bytes, client: str = ""
    ) -> RequestAction | Coroutine[Any, Any, RequestAction | None] | None:
        """Call ``on-request`` with a ``request-head``; ``None`` stands for "go on, no change"."""
        return self._head_caller.call(self._on_request, record, b"", request_id, client)

    def on_response(
        self, record: bytes, context: bytes, request_id: bytes, client: str = ""
    ) -> ResponseAction | Coroutine[Any, Any, ResponseAction | None] | None:
        """Call ``on-response`` with a ``response-head``; ``None`` stands for "go on, no change"."""
        return self._head_caller.call(self._on_response, record, context, request_id, client)

    def on_complete(
        self, record: bytes, context: bytes, request_id: bytes, client: str = ""
    ) -> Coroutine[Any, Any, None] | None:
        """Call ``on-complete`` with a ``summary``."""
        return self._head_caller.call(self._on_complete, record, context, request_id, client)

    def request_body(self, context: bytes, request_id: bytes, client: str = "") -> BodyCalls[RequestBodyAction]:
        """The calls of ``on-request-chunk`` for one body, to be closed after it."""
        return BodyCalls(self._body_caller, self._on_request_chunk, context, request_id, client)

    def response_body(self, context: bytes, request_id: bytes, client: str = "") -> BodyCalls[ResponseBodyAction]:
        """The calls of ``on-response-chunk`` for one body, to be closed after it."""
        return BodyCalls(self._body_caller, self._on_response_chunk, context, request_id, client)

    def close(self) -> None:
        """Drop the instances, those in use once their calls have ended. No hook may be called any
        more.
        """
        self._quarantine.close()
        self._health.plans.discard(self.heads.plan)
        self.heads.close()
        self.bodies.close()
