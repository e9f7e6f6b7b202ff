"""One request's run through the guests of its route.

Rule 1: request hooks run in the order of the chain, response and completion hooks in reverse.
Rule 2: a guest that answers, or fails closed, stops the chain; the response passes the response
        hooks of the guests *before* it, and no others, because only they have seen the request go
        by.
Rule 3: the completion hooks of *all* guests run, whatever happened, with empty context where
        `on_request` never ran.
Rule 4: a record is encoded once and again only after an edit.
Rule 5: a hook that needs time is awaited in its turn; completion hooks then go on without the
        request, as it may be gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from sentinel_host.abi.encode import request_values
from sentinel_host.errors import ClientError, GuestError, SentinelError, UpstreamError
from sentinel_host.messages import (
    SKIP,
    Answer,
    BodyMode,
    Origin,
    RequestEdits,
    RequestHead,
    Response,
    ResponseEdits,
    ResponseHead,
    Summary,
)
from sentinel_host.native.chain import Stop, run_completion, run_request, run_response
from sentinel_host.pipeline.chain import Chain
from sentinel_host.pipeline.edits import edit_request, edit_response
from sentinel_host.pipeline.failures import is_skipped, report
from sentinel_host.pipeline.filters import BodyFilter, BodyFilterChain
from sentinel_host.pipeline.middleware import Middleware

_Asked = tuple[int, Middleware, BodyMode]

# Tuples, because a union would be made anew at each test.
_REQUEST_ACTIONS: Final = (RequestEdits, Answer)
_RESPONSE_ACTIONS: Final = (ResponseEdits, Response)

# A name of this module's own is found faster.
_run_request: Final = run_request
_run_response: Final = run_response
_run_completion: Final = run_completion


class ChainRun:
    """The run of one request through a chain.

    ``client`` is its address; ``upstream`` is the upstream that a guest chose, if any;
    ``asked_request`` and ``asked_response`` are the guests that asked for a body, if any did, in
    the order in which they get it.
    """

    __slots__ = (
        "_chain",
        "_client",
        "_contexts",
        "_filter_chains",
        "_reached",
        "_request_id",
        "asked_request",
        "asked_response",
        "upstream",
    )

    def __init__(self, chain: Chain, request_id: str, client: str) -> None:
        self._chain = chain
        self._client = client
        self._contexts: dict[int, bytes] = {}
        self._reached = len(chain.guests)
        self._request_id = request_id.encode()
        self._filter_chains: list[BodyFilterChain] | None = None
        self.asked_request: list[_Asked] | None = None
        self.asked_response: list[_Asked] | None = None
        self.upstream: str | None = None

    def on_request(self, head: RequestHead) -> Coroutine[Any, Any, tuple[ResponseHead, bytes] | None] | None:
        """Run the request hooks, editing ``head`` in place.

        ``None``, now or when awaited, lets the request through; otherwise it is the head and body
        of the response that ends it here.
        """
        if not self._chain.requesters:
            return None
        stop = self._call_requests(head, 0, None)
        return None if stop is None else self._go_on_requesting(head, stop)

    def _call_requests(self, head: RequestHead, index: int, record: bytes | None) -> Stop | None:
        if head.client_certificate is not None:
            hooks, contexts, label = self._chain.request_hooks, self._contexts, self._request_id
            return _run_request(hooks, index, record, contexts, label, head, *request_values(head))
        return _run_request(
            self._chain.request_hooks,
            index,
            record,
            self._contexts,
            self._request_id,
            head,
            head.method,
            head.path,
            head.query,
            head.headers,
            head.scheme,
            head.authority,
            head.client,
            head.request_id,
            head.route,
            head.http_version,
        )

    async def _go_on_requesting(self, head: RequestHead, stop: Stop) -> tuple[ResponseHead, bytes] | None:
        """From where C stopped, with Python for the hook that it stopped at."""
        left: Stop | None = stop
        while left is not None:
            index, at = left[0], left
            place, guest = self._chain.requesters[index]
            record: bytes | None = at[1]
            left = None
            action = None
            try:
                if at[3] is not None and guest.direct is not None:
                    answer = guest.direct.after_request(at, self._request_id, self._client)
                else:
                    answer = guest.on_request(at[1], self._request_id, self._client)
                if answer is not None and not isinstance(answer, _REQUEST_ACTIONS):
                    answer = await answer
                action = answer
            except GuestError as error:
                report(error, self._request_id)
                if not is_skipped(guest, error):
                    self._reached = place
                    return _as_head(self._chain.refuse(error), Origin.GATEWAY)
            if action is not None:
                if action.context:
                    self._contexts[place] = action.context
                if isinstance(action, Answer):
                    self._reached = place
                    return _as_head(action.response, Origin.GUEST)
                if action.upstream is not None:
                    self.upstream = action.upstream
                if action.body is not SKIP:
                    self.asked_request = [*(self.asked_request or ()), (place, guest, action.body)]
                if edit_request(head, action):
                    record = None
            left = self._call_requests(head, index + 1, record)
        return None

    def on_response(self, head: ResponseHead) -> Coroutine[Any, Any, bytes | None] | None:
        """Run the response hooks of the guests that let the request through, editing ``head`` in
        place.

        ``None``, now or when awaited, keeps the response's body; otherwise a guest made another
        response, and this is its body.
        """
        responders = self._chain.responders
        if not responders:
            return None
        first = 0
        while first < len(responders) and responders[first][0] >= self._reached:
            first += 1
        stop = self._call_responses(head, first, None)
        return None if stop is None else self._go_on_responding(head, stop)

    def _call_responses(self, head: ResponseHead, index: int, record: bytes | None) -> Stop | None:
        return _run_response(
            self._chain.response_hooks,
            index,
            record,
            self._contexts,
            self._request_id,
            head,
            head.status,
            head.headers,
            head.origin,
        )

    async def _go_on_responding(self, head: ResponseHead, stop: Stop) -> bytes | None:
        """As `_go_on_requesting`."""
        body = None
        left: Stop | None = stop
        while left is not None:
            index, at = left[0], left
            place, guest = self._chain.responders[index]
            record: bytes | None = at[1]
            context = self._contexts.get(place, b"")
            action = None
            try:
                if at[3] is not None and guest.direct is not None:
                    answer = guest.direct.after_response(at, context, self._request_id, self._client)
                else:
                    answer = guest.on_response(at[1], context, self._request_id, self._client)
                if answer is not None and not isinstance(answer, _RESPONSE_ACTIONS):
                    answer = await answer
                action = answer
            except GuestError as error:
                report(error, self._request_id)
                if not is_skipped(guest, error):
                    action = self._chain.refuse(error)
                    head.origin = Origin.GATEWAY
            else:
                if isinstance(action, Response):
                    head.origin = Origin.GUEST
            if isinstance(action, Response):
                head.status, head.headers, body = action.status, action.headers, action.body
                # The body that others asked for is dropped.
                record = self.asked_response = None
            elif action is not None:
                if action.body is not SKIP:
                    self.asked_response = [*(self.asked_response or ()), (place, guest, action.body)]
                if edit_response(head, action):
                    record = None
            left = self._call_responses(head, index + 1, record)
        return body

    def request_body(self, head: RequestHead) -> BodyFilterChain:
        """The filters for the request's body, of the guests that asked for it; ``head`` is held and
        may be edited.

        A body beyond what a guest takes raises `ClientError`, 413.
        """

        def edit(edits: RequestEdits) -> None:
            edit_request(head, edits)
            if edits.upstream is not None:
                self.upstream = edits.upstream

        asked, self.asked_request = self.asked_request or (), None
        contexts, request_id, client = self._contexts, self._request_id, self._client
        return self._filter_chain(
            [
                BodyFilter(place, guest, mode, guest.request_body(contexts.get(place, b""), request_id, client))
                for place, guest, mode in asked
            ],
            edit,
            _request_too_large,
        )

    def response_body(self, head: ResponseHead) -> BodyFilterChain:
        """The filters for the response's body, of the guests that asked for it, as `request_body`.

        A body beyond what a guest takes raises `UpstreamError`, 502.
        """

        def edit(edits: ResponseEdits) -> None:
            edit_response(head, edits)

        asked, self.asked_response = self.asked_response or (), None
        contexts, request_id, client = self._contexts, self._request_id, self._client
        return self._filter_chain(
            [
                BodyFilter(place, guest, mode, guest.response_body(contexts.get(place, b""), request_id, client))
                for place, guest, mode in asked
            ],
            edit,
            _response_too_large,
        )

    def close(self) -> None:
        """The exchange is over: guests that still work on a body are done with it."""
        if self._filter_chains is not None:
            for filter_chain in self._filter_chains:
                filter_chain.close()

    def _filter_chain(
        self, filters: list[BodyFilter], edit: Callable[[Any], None], too_large: Callable[[str, int], SentinelError]
    ) -> BodyFilterChain:
        made = BodyFilterChain(filters, self._request_id, self._chain.refuse, edit, self._stop, too_large)
        if self._filter_chains is None:
            self._filter_chains = []
        self._filter_chains.append(made)
        return made

    def _stop(self, place: int) -> None:
        self._reached = min(self._reached, place)

    def on_complete(self, summary: Summary) -> None:
        """Tell every guest of the chain how the request ended; a failure is reported and changes
        nothing.

        Never waits: from the first guest that needs time, the rest goes on in a task of its own.
        """
        chain = self._chain
        if not chain.completers:
            return
        hooks, contexts = chain.completion_hooks, self._contexts
        stop = _run_completion(
            hooks,
            0,
            None,
            contexts,
            self._request_id,
            summary.request_id,
            summary.method,
            summary.path,
            summary.query,
            summary.route,
            summary.authority,
            summary.client,
            summary.http_version,
            summary.started_at,
            summary.duration,
            summary.status,
            summary.request_bytes,
            summary.response_bytes,
            summary.outcome,
            summary.origin,
            summary.upstream,
            summary.upstream_duration,
            summary.endpoint,
            summary.tries,
        )
        while stop is not None:
            index, record = stop[0], stop[1]
            place, guest = chain.completers[index]
            context = contexts.get(place, b"")
            try:
                if stop[3] is not None and guest.direct is not None:
                    waits = guest.direct.after_completion(stop, context, self._request_id, self._client)
                else:
                    waits = guest.on_complete(record, context, self._request_id, self._client)
            except GuestError as error:
                report(error, self._request_id)
            else:
                if waits is not None:
                    task = asyncio.ensure_future(self._go_on_completing(waits, record, index + 1))
                    chain.unfinished.add(task)
                    task.add_done_callback(chain.unfinished.discard)
                    return
            stop = _run_completion(hooks, index + 1, record, contexts, self._request_id)

    async def _go_on_completing(self, waits: Awaitable[None], record: bytes, start: int) -> None:
        try:
            await waits
        except GuestError as error:
            report(error, self._request_id)
        for place, guest in self._chain.completers[start:]:
            try:
                more = guest.on_complete(record, self._contexts.get(place, b""), self._request_id, self._client)
                if more is not None:
                    await more
            except GuestError as error:
                report(error, self._request_id)


def _as_head(response: Response, origin: Origin) -> tuple[ResponseHead, bytes]:
    return ResponseHead(response.status, response.headers, origin), response.body


def _request_too_large(guest: str, limit: int) -> SentinelError:
    return ClientError(f"the body is larger than {limit} bytes", 413)


def _response_too_large(guest: str, limit: int) -> SentinelError:
    reason = f"guest {guest}: the response's body is larger than the {limit} bytes that it takes"
    return UpstreamError(reason, "too-large")
