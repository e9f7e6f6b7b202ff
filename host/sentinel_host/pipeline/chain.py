"""A route's guests in order, and one request's passage through them.

Rule 1: request hooks run in the order of the chain, response and completion hooks in reverse.
Rule 2: a guest that answers, or fails closed, stops the chain; the response passes the response hooks of the guests
        *before* it, and no others, because only they have seen the request go by.
Rule 3: the completion hooks of *all* guests run, whatever happened, with empty context where `on_request` never ran.
Rule 4: a record is encoded once and again only after an edit.
Rule 5: a hook that needs time is awaited in its turn; completion hooks then go on without the request, as it may be
        gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from sentinel_host.abi.codec import encode_request_head, encode_response_head, encode_summary
from sentinel_host.errors import GuestError, GuestUnavailable
from sentinel_host.messages import (
    Answer,
    Origin,
    RequestEdits,
    RequestHead,
    Response,
    ResponseEdits,
    ResponseHead,
    Summary,
)
from sentinel_host.pipeline.edits import edit_request, edit_response
from sentinel_host.pipeline.middleware import Middleware

Refusal = Callable[[GuestError], Response]
"""Makes the response for a guest that failed closed."""

# Tuples, because a union would be made anew at each test.
_REQUEST_ACTIONS = (RequestEdits, Answer)
_RESPONSE_ACTIONS = (ResponseEdits, Response)

_log = logging.getLogger("sentinel.pipeline")


class Chain:
    """The guests of one route; immutable, shared by all its requests. ``unfinished`` are completions that go on."""

    __slots__ = ("completers", "guests", "refuse", "requesters", "responders", "unfinished")

    def __init__(self, guests: Sequence[Middleware], refuse: Refusal) -> None:
        self.guests = tuple(guests)
        self.refuse = refuse
        self.unfinished: set[asyncio.Task[None]] = set()
        places = list(enumerate(guests))
        self.requesters = tuple((place, guest) for place, guest in places if guest.handles_request)
        self.responders = tuple((place, guest) for place, guest in reversed(places) if guest.handles_response)
        self.completers = tuple((place, guest) for place, guest in reversed(places) if guest.handles_completion)


class Passage:
    """One request on its way through a chain.

    ``client`` is its address; ``upstream`` is the upstream that a guest chose, if any.
    """

    __slots__ = ("_chain", "_client", "_contexts", "_reached", "_request_id", "upstream")

    def __init__(self, chain: Chain, request_id: str, client: str) -> None:
        self._chain = chain
        self._client = client
        self._contexts: dict[int, bytes] = {}
        self._reached = len(chain.guests)
        self._request_id = request_id
        self.upstream: str | None = None

    async def on_request(self, head: RequestHead) -> tuple[ResponseHead, bytes] | None:
        """Run the request hooks, editing ``head`` in place.

        ``None`` lets the request through; otherwise the head and body of the response that ends it here.
        """
        record = None
        for place, guest in self._chain.requesters:
            if record is None:
                record = encode_request_head(head)
            try:
                action = guest.on_request(record, self._request_id, self._client)
                if action is None:
                    continue
                if not isinstance(action, _REQUEST_ACTIONS):
                    action = await action
            except GuestError as error:
                _report(error, self._request_id)
                if _is_skipped(guest, error):
                    continue
                self._reached = place
                return _as_head(self._chain.refuse(error), Origin.GATEWAY)
            if action is None:
                continue
            if action.context:
                self._contexts[place] = action.context
            if isinstance(action, Answer):
                self._reached = place
                return _as_head(action.response, Origin.GUEST)
            if action.upstream is not None:
                self.upstream = action.upstream
            if edit_request(head, action):
                record = None
        return None

    async def on_response(self, head: ResponseHead) -> bytes | None:
        """Run the response hooks of the guests that let the request through, editing ``head`` in place.

        ``None`` keeps the response's body; otherwise a guest made another response, and this is its body.
        """
        body = None
        record = None
        for place, guest in self._chain.responders:
            if place >= self._reached:
                continue
            if record is None:
                record = encode_response_head(head)
            try:
                action = guest.on_response(record, self._contexts.get(place, b""), self._request_id, self._client)
                if action is None:
                    continue
                if not isinstance(action, _RESPONSE_ACTIONS):
                    action = await action
            except GuestError as error:
                _report(error, self._request_id)
                if _is_skipped(guest, error):
                    continue
                action = self._chain.refuse(error)
                head.origin = Origin.GATEWAY
            else:
                if isinstance(action, Response):
                    head.origin = Origin.GUEST
            if action is None:
                continue
            if isinstance(action, Response):
                head.status, head.headers, body = action.status, action.headers, action.body
                record = None
            elif edit_response(head, action):
                record = None
        return body

    def on_complete(self, summary: Summary) -> None:
        """Tell every guest of the chain how the request ended; a failure is reported and changes nothing.

        Never waits: from the first guest that needs time, the rest goes on in a task of its own.
        """
        completers = self._chain.completers
        if not completers:
            return
        record = encode_summary(summary)
        for index, (place, guest) in enumerate(completers):
            try:
                waits = guest.on_complete(record, self._contexts.get(place, b""), self._request_id, self._client)
            except GuestError as error:
                _report(error, self._request_id)
                continue
            if waits is not None:
                task = asyncio.ensure_future(self._go_on_completing(waits, record, index + 1))
                self._chain.unfinished.add(task)
                task.add_done_callback(self._chain.unfinished.discard)
                return

    async def _go_on_completing(self, waits: Awaitable[None], record: bytes, start: int) -> None:
        try:
            await waits
        except GuestError as error:
            _report(error, self._request_id)
        for place, guest in self._chain.completers[start:]:
            try:
                more = guest.on_complete(record, self._contexts.get(place, b""), self._request_id, self._client)
                if more is not None:
                    await more
            except GuestError as error:
                _report(error, self._request_id)


def _is_skipped(guest: Middleware, error: GuestError) -> bool:
    """Whether the request goes on without the guest. Load and other clients' requests must not switch one off."""
    return guest.on_failure == "open" and not isinstance(error, GuestUnavailable)


def _as_head(response: Response, origin: Origin) -> tuple[ResponseHead, bytes]:
    return ResponseHead(response.status, response.headers, origin), response.body


def _report(error: GuestError, request_id: str) -> None:
    frames = "".join(f"\n    {frame}" for frame in error.backtrace)
    # A guest that is not called is no news for every request: it has been reported, and is counted.
    level = logging.DEBUG if isinstance(error, GuestUnavailable) else logging.ERROR
    extra = {"guest": error.guest, "hook": error.hook, "request_id": request_id}
    _log.log(level, "%s (request %s)%s", error, request_id, frames, extra=extra)
