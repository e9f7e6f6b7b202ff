"""The hooks of one use of a guest that C calls by itself, one guest after the other."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from sentinel_host.abi.rules import AnswerLimits
from sentinel_host.messages import RequestAction, ResponseAction
from sentinel_host.native.chain import DirectHook, Stop
from sentinel_host.sandbox.caller import GuestCaller, HookCall


class DirectHooks:
    """Part of a `GuestMiddleware`, as `sentinel_host.pipeline.middleware.DirectCalls` says."""

    __slots__ = ("_caller", "_completion", "_request", "_response", "completion", "request", "response")

    def __init__(
        self,
        caller: GuestCaller,
        limits: AnswerLimits,
        request: HookCall[RequestAction],
        response: HookCall[ResponseAction],
        completion: HookCall[None],
    ) -> None:
        idle, bounds = caller.pool.idle, (limits.edits, limits.header_bytes, limits.context_bytes)
        self._caller = caller
        self._request = request
        self._response = response
        self._completion = completion
        self.request: Final[DirectHook] = (idle, request.slot, *bounds)
        self.response: Final[DirectHook] = (idle, response.slot, *bounds)
        self.completion: Final[DirectHook] = (idle, completion.slot, *bounds)

    def after_request(
        self, stop: Stop, request_id: bytes, client: str
    ) -> RequestAction | Coroutine[Any, Any, RequestAction | None] | None:
        """Go on with a call of ``on-request`` that C has begun."""
        _, record, instance, answer = stop
        assert answer is not None
        return self._caller.conclude(self._request, instance, answer, (record, b""), request_id, client)

    def after_response(
        self, stop: Stop, context: bytes, request_id: bytes, client: str
    ) -> ResponseAction | Coroutine[Any, Any, ResponseAction | None] | None:
        """Go on with a call of ``on-response`` that C has begun."""
        _, record, instance, answer = stop
        assert answer is not None
        return self._caller.conclude(self._response, instance, answer, (record, context), request_id, client)

    def after_completion(
        self, stop: Stop, context: bytes, request_id: bytes, client: str
    ) -> Coroutine[Any, Any, None] | None:
        """Go on with a call of ``on-complete`` that C has begun."""
        _, record, instance, answer = stop
        assert answer is not None
        return self._caller.conclude(self._completion, instance, answer, (record, context), request_id, client)
