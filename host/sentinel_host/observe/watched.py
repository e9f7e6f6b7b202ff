"""Guests of a chain that note what they do to one request, which is being recorded."""

from __future__ import annotations

from collections.abc import Awaitable
from time import perf_counter_ns
from typing import Final

from sentinel_host.errors import GuestError, GuestUnavailable
from sentinel_host.messages import (
    SKIP,
    Answer,
    BodyMode,
    HeldRequest,
    HeldResponse,
    RequestAction,
    RequestEdits,
    Response,
    ResponseAction,
    ResponseEdits,
)
from sentinel_host.observe.changes import request_changes, response_changes
from sentinel_host.observe.record import Change, HookRecord
from sentinel_host.observe.recording import Recording
from sentinel_host.pipeline import Chain, Middleware
from sentinel_host.pipeline.middleware import BodyAction, BodyHook, DirectCalls
from sentinel_host.sandbox.text import one_line

# What is there at once. Asking whether something can be awaited costs several times that.
_REQUEST_ACTIONS: Final = (RequestEdits, Answer)
_RESPONSE_ACTIONS: Final = (ResponseEdits, Response)
_BODY_ACTIONS: Final = (bytes, Response, HeldRequest, HeldResponse)


def watch_chain(chain: Chain, recording: Recording) -> Chain:
    """The same guests in the same order, for one request."""
    return Chain([WatchedGuest(guest, recording) for guest in chain.guests], chain.refuse, chain)


class WatchedGuest:
    """In the place of ``guest``. Part of `sentinel_host.pipeline.Middleware`, as all its
    methods.
    """

    __slots__ = (
        "_guest",
        "_recording",
        "direct",
        "handles_completion",
        "handles_request",
        "handles_response",
        "name",
        "on_failure",
    )

    def __init__(self, guest: Middleware, recording: Recording) -> None:
        self._guest = guest
        self._recording = recording
        self.name = guest.name
        self.on_failure = guest.on_failure
        # C calls the guest without telling what it did.
        self.direct: DirectCalls | None = None
        self.handles_request = guest.handles_request
        self.handles_response = guest.handles_response
        self.handles_completion = guest.handles_completion

    def on_request(
        self, record: bytes, request_id: bytes, client: str
    ) -> RequestAction | Awaitable[RequestAction | None] | None:
        """See the class."""
        began = perf_counter_ns()
        hook = self._recording.begin_hook(self.name, "on-request", began)
        try:
            action = self._guest.on_request(record, request_id, client)
        except GuestError as error:
            _note_failure(hook, error, began)
            raise
        if action is None or isinstance(action, _REQUEST_ACTIONS):
            _note_request(hook, record, action)
            _note_end(hook, began)
            return action
        # It is awaited even where the request does not wait for it.
        self._recording.open += 1
        return self._finish_request(action, hook, record, began)

    def on_response(
        self, record: bytes, context: bytes, request_id: bytes, client: str
    ) -> ResponseAction | Awaitable[ResponseAction | None] | None:
        """See the class."""
        began = perf_counter_ns()
        hook = self._recording.begin_hook(self.name, "on-response", began)
        try:
            action = self._guest.on_response(record, context, request_id, client)
        except GuestError as error:
            _note_failure(hook, error, began)
            raise
        if action is None or isinstance(action, _RESPONSE_ACTIONS):
            _note_response(hook, record, action)
            _note_end(hook, began)
            return action
        self._recording.open += 1
        return self._finish_response(action, hook, record, began)

    def on_complete(self, record: bytes, context: bytes, request_id: bytes, client: str) -> Awaitable[None] | None:
        """See the class."""
        began = perf_counter_ns()
        hook = self._recording.begin_hook(self.name, "on-complete", began)
        try:
            waits = self._guest.on_complete(record, context, request_id, client)
        except GuestError as error:
            _note_failure(hook, error, began)
            raise
        if waits is None:
            _note_end(hook, began)
            return None
        self._recording.open += 1
        return self._finish_completion(waits, hook, began)

    def request_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """See the class."""
        calls = self._guest.request_body(context, request_id, client)
        return WatchedBody("on-request-chunk", calls, self.name, self._recording)

    def response_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """See the class."""
        calls = self._guest.response_body(context, request_id, client)
        return WatchedBody("on-response-chunk", calls, self.name, self._recording)

    async def _finish_request(
        self, waits: Awaitable[RequestAction | None], hook: HookRecord, record: bytes, began: int
    ) -> RequestAction | None:
        try:
            action = await waits
            _note_request(hook, record, action)
            return action
        except GuestError as error:
            _note_error(hook, error)
            raise
        finally:
            _note_end(hook, began)
            self._recording.open -= 1

    async def _finish_response(
        self, waits: Awaitable[ResponseAction | None], hook: HookRecord, record: bytes, began: int
    ) -> ResponseAction | None:
        try:
            action = await waits
            _note_response(hook, record, action)
            return action
        except GuestError as error:
            _note_error(hook, error)
            raise
        finally:
            _note_end(hook, began)
            self._recording.open -= 1

    async def _finish_completion(self, waits: Awaitable[None], hook: HookRecord, began: int) -> None:
        try:
            await waits
        except GuestError as error:
            _note_error(hook, error)
            raise
        finally:
            _note_end(hook, began)
            self._recording.open -= 1


class WatchedBody:
    """In the place of ``calls``: all calls for one body are one `HookRecord`. Part of
    `BodyHook`.
    """

    __slots__ = ("_calls", "_guest", "_hook", "_name", "_recording")

    def __init__(self, hook: str, calls: BodyHook, guest: str, recording: Recording) -> None:
        self._calls = calls
        self._guest = guest
        self._name = hook
        self._recording = recording
        self._hook: HookRecord | None = None

    def on_chunk(self, chunk: bytes, last: bool) -> BodyAction | Awaitable[BodyAction | None] | None:
        """See the class."""
        began = perf_counter_ns()
        hook = self._hook
        if hook is None:
            hook = self._hook = self._recording.begin_hook(self._guest, self._name, began)
        else:
            hook.calls += 1
        try:
            action = self._calls.on_chunk(chunk, last)
        except GuestError as error:
            _note_failure(hook, error, began)
            raise
        if action is not None and not isinstance(action, _BODY_ACTIONS):
            return self._finish(action, hook, began)
        _note_body(hook, action)
        _note_end(hook, began)
        return action

    def close(self) -> None:
        """See the class."""
        self._calls.close()

    def broke(self, reason: str) -> GuestError:
        """See the class."""
        error = self._calls.broke(reason)
        if self._hook is not None:
            _note_error(self._hook, error)
        return error

    async def _finish(self, waits: Awaitable[BodyAction | None], hook: HookRecord, began: int) -> BodyAction | None:
        try:
            action = await waits
            _note_body(hook, action)
            return action
        except GuestError as error:
            _note_error(hook, error)
            raise
        finally:
            _note_end(hook, began)


def _note_request(hook: HookRecord, record: bytes, action: RequestAction | None) -> None:
    if isinstance(action, Answer):
        hook.outcome = "answered"
        hook.changes = [Change("status", after=(str(action.response.status),))]
    elif action is not None:
        _note_edits(hook, request_changes(record, action), action.body)


def _note_response(hook: HookRecord, record: bytes, action: ResponseAction | None) -> None:
    if isinstance(action, Response):
        hook.outcome = "answered"
        hook.changes = [Change("status", after=(str(action.status),))]
    elif action is not None:
        _note_edits(hook, response_changes(record, action), action.body)


def _note_body(hook: HookRecord, action: BodyAction | None) -> None:
    if isinstance(action, Response):
        hook.outcome = "answered"
    elif action is not None:
        hook.outcome = "edited"


def _note_edits(hook: HookRecord, changes: list[Change], mode: BodyMode) -> None:
    if changes:
        hook.outcome = "edited"
        hook.changes = changes
    if mode is not SKIP:
        hook.asks = mode.kind.name.lower()


def _note_failure(hook: HookRecord, error: GuestError, began: int) -> None:
    _note_error(hook, error)
    _note_end(hook, began)


def _note_error(hook: HookRecord, error: GuestError) -> None:
    hook.outcome = "refused" if isinstance(error, GuestUnavailable) else "failed"
    hook.error = one_line(error.reason)


def _note_end(hook: HookRecord, began: int) -> None:
    """A call has ended which began then, by the performance counter."""
    hook.duration += (perf_counter_ns() - began) // 1000
