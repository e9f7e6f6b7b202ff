"""Guests of a chain that note what they do to one request, which is being recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import Final, TypeVar

from sentinel_host.errors import GuestError, GuestUnavailable
from sentinel_host.messages import (
    Answer,
    BodyKind,
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
from sentinel_host.pipeline.middleware import BodyAction, BodyHook
from sentinel_host.sandbox.text import one_line

T = TypeVar("T")

# What is there at once. Asking whether something can be awaited costs several times that.
_ACTIONS: Final = (Answer, RequestEdits, Response, ResponseEdits)
_BODY_ACTIONS: Final = (bytes, Response, HeldRequest, HeldResponse)


def watch_chain(chain: Chain, recording: Recording) -> Chain:
    """The same guests in the same order, for one request."""
    watched = Chain([WatchedGuest(guest, recording) for guest in chain.guests], chain.refuse)
    # A generation waits for these before its guests are closed.
    watched.unfinished = chain.unfinished
    return watched


class WatchedGuest:
    """In the place of ``guest``. Part of `sentinel_host.pipeline.Middleware`, as all its
    methods.
    """

    def __init__(self, guest: Middleware, recording: Recording) -> None:
        self._guest = guest
        self._recording = recording
        self.name = guest.name
        self.on_failure = guest.on_failure
        # C calls the guest without telling what it did.
        self.direct = None
        self.handles_request = guest.handles_request
        self.handles_response = guest.handles_response
        self.handles_completion = guest.handles_completion

    def on_request(
        self, record: bytes, request_id: bytes, client: str
    ) -> RequestAction | Awaitable[RequestAction | None] | None:
        """See the class."""

        def note(hook: HookRecord, action: RequestAction | None) -> None:
            if isinstance(action, Answer):
                hook.outcome = "answered"
                hook.changes = [Change("status", after=(str(action.response.status),))]
            elif action is not None:
                hook.changes = request_changes(record, action)
                _note_edits(hook, action.body)

        return self._call("on-request", lambda: self._guest.on_request(record, request_id, client), note)

    def on_response(
        self, record: bytes, context: bytes, request_id: bytes, client: str
    ) -> ResponseAction | Awaitable[ResponseAction | None] | None:
        """See the class."""

        def note(hook: HookRecord, action: ResponseAction | None) -> None:
            if isinstance(action, Response):
                hook.outcome = "answered"
                hook.changes = [Change("status", after=(str(action.status),))]
            elif action is not None:
                hook.changes = response_changes(record, action)
                _note_edits(hook, action.body)

        return self._call("on-response", lambda: self._guest.on_response(record, context, request_id, client), note)

    def on_complete(self, record: bytes, context: bytes, request_id: bytes, client: str) -> Awaitable[None] | None:
        """See the class."""

        def call() -> Awaitable[None] | None:
            return self._guest.on_complete(record, context, request_id, client)

        return self._call("on-complete", call, lambda hook, action: None)

    def request_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """See the class."""
        return WatchedBody("on-request-chunk", self._guest.request_body(context, request_id, client), self)

    def response_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """See the class."""
        return WatchedBody("on-response-chunk", self._guest.response_body(context, request_id, client), self)

    def begin(self, hook: str) -> HookRecord:
        """Note that a hook is called now."""
        return self._recording.begin_hook(self.name, hook)

    def end(self, hook: HookRecord, began: int) -> None:
        """Note that a call has ended which began then, by the performance counter."""
        hook.duration += (perf_counter_ns() - began) // 1000

    def _call(
        self,
        name: str,
        call: Callable[[], T | Awaitable[T | None] | None],
        note: Callable[[HookRecord, T | None], None],
    ) -> T | Awaitable[T | None] | None:
        hook, began = self._recording.begin_hook(self.name, name), perf_counter_ns()
        try:
            action = call()
        except GuestError as error:
            _note_failure(hook, error)
            self.end(hook, began)
            raise
        if action is not None and not isinstance(action, _ACTIONS) and isinstance(action, Awaitable):
            # It is awaited even where the request does not wait for it.
            self._recording.open += 1
            return self._finish(action, hook, began, note)
        note(hook, action)
        self.end(hook, began)
        return action

    async def _finish(
        self,
        action: Awaitable[T | None],
        hook: HookRecord,
        began: int,
        note: Callable[[HookRecord, T | None], None],
    ) -> T | None:
        try:
            found = await action
            note(hook, found)
            return found
        except GuestError as error:
            _note_failure(hook, error)
            raise
        finally:
            self.end(hook, began)
            self._recording.open -= 1


class WatchedBody:
    """In the place of ``calls``: all calls for one body are one `HookRecord`. Part of
    `BodyHook`.
    """

    def __init__(self, hook: str, calls: BodyHook, guest: WatchedGuest) -> None:
        self._calls = calls
        self._guest = guest
        self._name = hook
        self._hook: HookRecord | None = None

    def on_chunk(self, chunk: bytes, last: bool) -> BodyAction | Awaitable[BodyAction | None] | None:
        """See the class."""
        began = perf_counter_ns()
        if self._hook is None:
            self._hook = self._guest.begin(self._name)
        else:
            self._hook.calls += 1
        hook = self._hook
        try:
            action = self._calls.on_chunk(chunk, last)
        except GuestError as error:
            self._failed(hook, error, began)
            raise
        if action is not None and not isinstance(action, _BODY_ACTIONS):
            return self._finish(action, hook, began)
        self._note(hook, action, began)
        return action

    def close(self) -> None:
        """See the class."""
        self._calls.close()

    def broke(self, reason: str) -> GuestError:
        """See the class."""
        error = self._calls.broke(reason)
        if self._hook is not None:
            _note_failure(self._hook, error)
        return error

    async def _finish(self, action: Awaitable[BodyAction | None], hook: HookRecord, began: int) -> BodyAction | None:
        try:
            found = await action
        except GuestError as error:
            self._failed(hook, error, began)
            raise
        self._note(hook, found, began)
        return found

    def _note(self, hook: HookRecord, action: BodyAction | None, began: int) -> None:
        if isinstance(action, Response):
            hook.outcome = "answered"
        elif action is not None:
            hook.outcome = "edited"
        self._guest.end(hook, began)

    def _failed(self, hook: HookRecord, error: GuestError, began: int) -> None:
        _note_failure(hook, error)
        self._guest.end(hook, began)


def _note_edits(hook: HookRecord, mode: BodyMode) -> None:
    if hook.changes:
        hook.outcome = "edited"
    if mode.kind is not BodyKind.SKIP:
        hook.asks = mode.kind.name.lower()


def _note_failure(hook: HookRecord, error: GuestError) -> None:
    hook.outcome = "refused" if isinstance(error, GuestUnavailable) else "failed"
    hook.error = one_line(error.reason)
