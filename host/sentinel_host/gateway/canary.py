"""Two versions of a guest in one place of a chain: some requests get the canary, the others do
not.
"""

from __future__ import annotations

from collections.abc import Awaitable

from sentinel_host.messages import RequestAction, ResponseAction
from sentinel_host.pipeline import BodyHook, Middleware


class CanarySelector:
    """Stands in a chain while a new version is tried on ``weight`` percent of the requests.

    All hooks of a request get the same version. The request's id decides, by a hash that no client
    can compute. A chain has a selector only while a canary runs.
    """

    __slots__ = (
        "_candidate",
        "_current",
        "_weight",
        "direct",
        "handles_completion",
        "handles_request",
        "handles_response",
        "name",
        "on_failure",
    )

    def __init__(self, current: Middleware, candidate: Middleware, weight: int) -> None:
        self._current = current
        self._candidate = candidate
        self._weight = weight
        self.name = current.name
        # Which version it is, only the methods know.
        self.direct = None
        self.on_failure = current.on_failure
        self.handles_request = current.handles_request or candidate.handles_request
        self.handles_response = current.handles_response or candidate.handles_response
        self.handles_completion = current.handles_completion or candidate.handles_completion

    def on_request(
        self, record: bytes, request_id: bytes, client: str
    ) -> RequestAction | Awaitable[RequestAction | None] | None:
        """Part of `Middleware`, as the others are."""
        guest = self._choose(request_id)
        return guest.on_request(record, request_id, client) if guest.handles_request else None

    def on_response(
        self, record: bytes, context: bytes, request_id: bytes, client: str
    ) -> ResponseAction | Awaitable[ResponseAction | None] | None:
        """See `on_request`."""
        guest = self._choose(request_id)
        return guest.on_response(record, context, request_id, client) if guest.handles_response else None

    def on_complete(self, record: bytes, context: bytes, request_id: bytes, client: str) -> Awaitable[None] | None:
        """See `on_request`."""
        guest = self._choose(request_id)
        return guest.on_complete(record, context, request_id, client) if guest.handles_completion else None

    def request_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """See `on_request`."""
        return self._choose(request_id).request_body(context, request_id, client)

    def response_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """See `on_request`."""
        return self._choose(request_id).response_body(context, request_id, client)

    def _choose(self, request_id: bytes) -> Middleware:
        return self._candidate if hash(request_id) % 100 < self._weight else self._current
