"""What the pipeline needs of a guest."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from sentinel_host.errors import GuestError
from sentinel_host.messages import (
    HeldRequest,
    HeldResponse,
    RequestAction,
    Response,
    ResponseAction,
)
from sentinel_host.native.chain import DirectHook, Stop

BodyAction = bytes | Response | HeldRequest | HeldResponse


class BodyHook(Protocol):
    """One guest's calls for one body, all on one instance."""

    def on_chunk(self, chunk: bytes, last: bool) -> BodyAction | Awaitable[BodyAction | None] | None:
        """Take a chunk; ``None`` passes it on. Raises `GuestError`, now or when awaited."""

    def close(self) -> None:
        """The body is over, whole or not; may be called more than once."""

    def broke(self, reason: str) -> GuestError:
        """The error for an answer that is not allowed where it came, counted as the guest's
        failure.
        """


class DirectCalls(Protocol):
    """The hooks of a guest that C calls by itself, and how Python goes on where C stopped after a
    call.

    The methods return and raise what those of `Middleware` do. Of a stop they take one whose hook
    has been called.
    """

    @property
    def request(self) -> DirectHook:
        """``on-request``."""

    @property
    def response(self) -> DirectHook:
        """``on-response``."""

    @property
    def completion(self) -> DirectHook:
        """``on-complete``."""

    def after_request(
        self, stop: Stop, request_id: bytes, client: str
    ) -> RequestAction | Awaitable[RequestAction | None] | None:
        """What became of ``on-request``."""

    def after_response(
        self, stop: Stop, context: bytes, request_id: bytes, client: str
    ) -> ResponseAction | Awaitable[ResponseAction | None] | None:
        """What became of ``on-response``."""

    def after_completion(self, stop: Stop, context: bytes, request_id: bytes, client: str) -> Awaitable[None] | None:
        """What became of ``on-complete``."""


class Middleware(Protocol):
    """A guest in one place of one chain, configured for that place.

    Records are the MessagePack of ``wit/types.wit``, so that one encoding serves every guest that
    sees the same head. A hook returns its action or, when the guest needs time, an awaitable of it;
    either way it raises `GuestError` when the guest fails, and nothing else. ``request_id`` marks
    what the guest logs, and is in bytes because that is what a guest is called with. ``client`` is
    the client's address: whose call failed decides on quarantine.
    """

    @property
    def name(self) -> str:
        """The guest's name, as configured."""

    @property
    def on_failure(self) -> str:
        """``closed``: a failure fails the request. ``open``: the request goes on without this
        guest.
        """

    @property
    def direct(self) -> DirectCalls | None:
        """How C calls the guest; ``None`` where only the methods do."""

    @property
    def handles_request(self) -> bool:
        """Whether `on_request` does anything."""

    @property
    def handles_response(self) -> bool:
        """Whether `on_response` does anything."""

    @property
    def handles_completion(self) -> bool:
        """Whether `on_complete` does anything."""

    def on_request(
        self, record: bytes, request_id: bytes, client: str
    ) -> RequestAction | Awaitable[RequestAction | None] | None:
        """Take a ``request-head``; ``None`` means go on, no change."""

    def on_response(
        self, record: bytes, context: bytes, request_id: bytes, client: str
    ) -> ResponseAction | Awaitable[ResponseAction | None] | None:
        """Take a ``response-head`` and the context that `on_request` left; ``None`` means go on, no
        change.
        """

    def on_complete(self, record: bytes, context: bytes, request_id: bytes, client: str) -> Awaitable[None] | None:
        """Take a ``summary`` and the context that `on_request` left."""

    def request_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """The calls for a request's body; only after `on_request` has asked for it."""

    def response_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """The calls for a response's body; only after `on_response` has asked for it."""
