"""A guest in a chain that tells what it made of each request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from sentinel_host.authoring.edits import request_lines, response_lines
from sentinel_host.authoring.observed_body import ObservedBody
from sentinel_host.messages import Origin, RequestAction, ResponseAction
from sentinel_host.pipeline import Middleware
from sentinel_host.pipeline.middleware import BodyHook

T = TypeVar("T")


@dataclass(slots=True)
class Exchange:
    """A request that is over: ``edits`` are lines that say what the guest did; ``milliseconds`` is
    all that it took.
    """

    method: str
    target: str
    status: int
    origin: str
    milliseconds: float
    request_id: str
    edits: list[str] = field(default_factory=list)


class Observed:
    """In the place of ``guest``; calls ``told`` when a request is over.
    `sentinel_host.pipeline.Middleware`.
    """

    def __init__(self, guest: Middleware, told: Callable[[Exchange], None]) -> None:
        self._guest = guest
        self._told = told
        self._edits: dict[bytes, list[str]] = {}
        self.name = guest.name
        self.direct = None
        self.on_failure = guest.on_failure
        self.handles_request = guest.handles_request
        self.handles_response = guest.handles_response
        self.handles_completion = True

    def on_request(
        self, record: bytes, request_id: bytes, client: str
    ) -> RequestAction | Awaitable[RequestAction | None] | None:
        """The guest's own."""
        action = self._guest.on_request(record, request_id, client)
        return self._then(action, lambda found: self._note(request_id, request_lines(found)))

    def on_response(
        self, record: bytes, context: bytes, request_id: bytes, client: str
    ) -> ResponseAction | Awaitable[ResponseAction | None] | None:
        """The guest's own."""
        action = self._guest.on_response(record, context, request_id, client)
        return self._then(action, lambda found: self._note(request_id, response_lines(found)))

    def on_complete(self, record: bytes, context: bytes, request_id: bytes, client: str) -> Awaitable[None] | None:
        """The guest's own, if it has one; then the request is told."""
        self._told(_exchange(record, self._edits.pop(request_id, [])))
        if self._guest.handles_completion:
            return self._guest.on_complete(record, context, request_id, client)
        return None

    def request_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """The guest's own."""
        hook = self._guest.request_body(context, request_id, client)
        return ObservedBody(hook, "request", lambda: self._lines(request_id))

    def response_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """The guest's own."""
        hook = self._guest.response_body(context, request_id, client)
        return ObservedBody(hook, "response", lambda: self._lines(request_id))

    def _then(self, action: T | Awaitable[T], note: Callable[[T], None]) -> T | Awaitable[T]:
        if isinstance(action, Awaitable):
            return self._later(action, note)
        note(action)
        return action

    async def _later(self, action: Awaitable[T], note: Callable[[T], None]) -> T:
        found = await action
        note(found)
        return found

    def _note(self, request_id: bytes, lines: list[str]) -> None:
        if lines:
            self._lines(request_id).extend(lines)

    def _lines(self, request_id: bytes) -> list[str]:
        return self._edits.setdefault(request_id, [])


def _exchange(record: bytes, edits: list[str]) -> Exchange:
    # The fields of `summary` in wit/types.wit.
    fields: list[Any] = msgspec.msgpack.decode(record)
    request_id, method, path, query = fields[:4]
    target = path if query is None else f"{path}?{query}"
    origin = Origin(fields[14]).name.lower()
    return Exchange(method, target, fields[10], origin, fields[9] / 1000, request_id, edits)
