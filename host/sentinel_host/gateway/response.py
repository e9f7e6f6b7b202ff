"""The response to a request: what the client gets, wherever it comes from.

Rule 1: every response passes the response hooks, except the refusal of a request that no guest has
        seen.
Rule 2: a head has the length of the body if it is known, and none if guests may still change the
        body.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from contextlib import suppress
from time import perf_counter_ns
from typing import Any, Final

from sentinel_host.errors import ClientGone, SentinelError, UpstreamError
from sentinel_host.gateway import tunnel
from sentinel_host.gateway.abilities import INFORMATIONAL
from sentinel_host.gateway.answers import refusal
from sentinel_host.gateway.filtered import FilteredResponse
from sentinel_host.gateway.grpc import trailers_only
from sentinel_host.gateway.routes import Route
from sentinel_host.gateway.stats import RESPONSE_HOOKS, STAGES, Stats
from sentinel_host.gateway.whole import WHOLE
from sentinel_host.http.client import UpstreamResponse
from sentinel_host.http.relay import LEAST, RELAY
from sentinel_host.http.rules import end_to_end, end_to_end_trailers
from sentinel_host.limiter import Checked
from sentinel_host.messages import Headers, Origin, RequestHead, Response, ResponseHead, Summary
from sentinel_host.observe.recording import Recording
from sentinel_host.observe.watched import watch_chain
from sentinel_host.pipeline import Chain, ChainRun, LocalReply

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Reply = tuple[ResponseHead, bytes]
"""A whole response that did not come from the upstream."""

# As plain numbers: a member of an enum takes two look-ups by its name.
_CONTINUE: Final = 100
_OK: Final = 200
_NO_CONTENT: Final = 204
_MULTIPLE_CHOICES: Final = 300
_NOT_MODIFIED: Final = 304

_WHOLE_RESPONSE: Final[dict[str, Any]] = {"type": WHOLE, "status": 0, "headers": (), "body": b""}

# Without guests there is nothing that a run keeps of its request: one serves all.
_NO_GUESTS: Final = ChainRun(Chain((), refusal), "", "")

# An attribute of a class is looked up each time.
_GUEST: Final = Origin.GUEST

_log: Final = logging.getLogger("sentinel.gateway")


class ResponseSender:
    """Sends the response to one request that was admitted and routed, and records it.

    ``run`` is the request's run through its chain, ``summary`` what its completion hooks get, and
    ``told`` and ``checked`` are for `RouteLimits.tell`. ``has_informational`` tells whether the client
    may get 1xx responses. ``is_call`` is true of a gRPC call. ``send`` is the server's.
    """

    __slots__ = (
        "_bodiless",
        "_is_call",
        "_is_timed",
        "_mark",
        "_recording",
        "_relays",
        "_request",
        "_route",
        "_sends_whole",
        "_stats",
        "_tasks",
        "_trailers",
        "checked",
        "has_informational",
        "run",
        "send",
        "summary",
        "told",
    )

    def __init__(
        self,
        stats: Stats,
        head: RequestHead,
        route: Route,
        send: Send,
        *,
        has_informational: bool,
        has_trailers: bool,
        sends_whole: bool,
        relays: bool,
        recording: Recording | None = None,
        is_call: bool = False,
    ) -> None:
        """The server can send 1xx responses, trailers, whole responses as one message, and what a
        relay takes, if these say so.
        """
        self._stats = stats
        self._is_call = is_call
        self._is_timed = stats.stages is not None or recording is not None
        self._recording = recording
        self._request = head
        self._route = route
        self.send = send
        self._mark = perf_counter_ns() if self._is_timed else 0
        self._bodiless = head.method == "HEAD"
        self.told: object = None
        self.checked: list[Checked] | None = None
        # HTTP/1.0 clients must not get any.
        self.has_informational = has_informational and head.http_version != "1.0"
        self._sends_whole = sends_whole
        self._relays = relays
        self._trailers = (bool(route.trailers) or is_call) and has_trailers
        # Few responses have 1xx ones before them.
        self._tasks: set[asyncio.Task[None]] | None = None
        chain = route.chain if recording is None else watch_chain(route.chain, recording)
        self.run = ChainRun(chain, head.request_id, head.client) if chain.guests else _NO_GUESTS
        self.summary = Summary(
            request_id=head.request_id,
            method=head.method,
            path=head.path,
            query=head.query,
            route=route.name,
            authority=head.authority,
            client=head.client,
            http_version=head.http_version,
            # Told at the end, if anybody is told at all.
            started_at=0,
        )

    def passed(self, stage: int) -> None:
        """A stage is over: add its time, if stages are timed."""
        if self._is_timed:
            began, now = self._mark, perf_counter_ns()
            if self._stats.stages is not None:
                self._stats.stages.add(stage, began)
            if self._recording is not None:
                self._recording.add_stage(STAGES[stage], began, now)
            self._mark = now

    def on_response(self, head: ResponseHead) -> Coroutine[Any, Any, bytes | None] | None:
        """Run the response hooks, which see the limits' fields; a response that replaces the first
        has them too.

        As `ChainRun.on_response`: what need not wait is no coroutine, which costs as much as a
        call.
        """
        limits = self._route.limits
        if limits is not None:
            limits.tell(head.headers, self.told, self.checked)
        hooks = self.run.on_response(head)
        if hooks is not None:
            return self._wait_for_hooks(head, hooks)
        self.passed(RESPONSE_HOOKS)
        return None

    async def _wait_for_hooks(self, head: ResponseHead, hooks: Awaitable[bytes | None]) -> bytes | None:
        replaced = await hooks
        self.passed(RESPONSE_HOOKS)
        limits = self._route.limits
        if replaced is not None and limits is not None:
            head.headers = head.headers.copy()
            limits.tell(head.headers, self.told, self.checked)
        return replaced

    def _frame(self, head: ResponseHead, response: UpstreamResponse) -> None:
        """Make Content-Length say what the client gets: guests may change the request's method and
        the status.
        """
        self._bodiless = self._bodiless or _is_bodiless(head.status)
        if self._bodiless:
            if head.status == _NO_CONTENT:
                # RFC 9110 section 8.6: not even a length of zero.
                head.headers = _without(head.headers, b"content-length")
        elif _is_bodiless(response.status) or self._request.method == "HEAD":
            # The length was that of a body which the upstream had no reason to send.
            head.headers = [*_without(head.headers, b"content-length"), (b"content-length", b"0")]

    async def send_own(self, response: Response) -> None:
        """Send a response that the gateway makes, past the response hooks."""
        await self.reply(ResponseHead(response.status, response.headers, Origin.GATEWAY), response.body)

    def refused(self, error: SentinelError) -> Reply:
        """The answer to an error that came before a head went out, which it counts."""
        if isinstance(error, UpstreamError):
            self.count_failure(error)
        response = refusal(error)
        return ResponseHead(response.status, response.headers, Origin.GATEWAY), response.body

    async def reply(self, head: ResponseHead, body: bytes) -> None:
        """Send a response that did not come from the upstream, past the response hooks."""
        hooks = self.on_response(head)
        replaced = None if hooks is None else await hooks
        await self.send_whole(head, body if replaced is None else replaced)

    async def send_whole(self, head: ResponseHead, body: bytes) -> None:
        """Send a response whose body is complete and whose head has passed the response hooks."""
        if self._is_call and head.status >= _MULTIPLE_CHOICES and head.origin is not Origin.UPSTREAM:
            await self._send_status(head, body)
            return
        self._bodiless = self._bodiless or _is_bodiless(head.status)
        if self.run.asked_response is not None and not self._bodiless:
            instead: Reply | None = None
            try:
                body = await self.run.response_body(head).whole(body)
            except LocalReply as local:
                instead = local.head, local.body
            except UpstreamError as error:
                instead = self.refused(error)
            # Out of the handler: compiled, what waits inside one shows its exception to whatever
            # runs meanwhile.
            if instead is not None:
                await self.reply(instead[0], instead[1])
                return
            self._bodiless = _is_bodiless(head.status)
        head.headers = _without(head.headers, b"content-length")
        if not _is_bodiless(head.status):
            head.headers.append((b"content-length", b"%d" % len(body)))
        if self._bodiless:
            body = b""
        if self._sends_whole:
            self._complete(head)
            self.summary.response_bytes += len(body)
            await self.send({"type": WHOLE, "status": head.status, "headers": head.headers, "body": body})
            return
        await self._start(head)
        self.summary.response_bytes += len(body)
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def _send_status(self, head: ResponseHead, body: bytes) -> None:
        """Tell a gRPC call why it failed. The summary keeps the HTTP status, which says more."""
        status = head.status
        head.headers = trailers_only(status, head.headers, body)
        head.status = _OK
        await self._start(head)
        self.summary.status = status
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    def forward(self, head: ResponseHead, response: UpstreamResponse) -> Awaitable[None]:
        """Send the upstream's response, whose head has passed the response hooks.

        One that has arrived whole is sent at once, where the server takes that as one message.
        """
        self._frame(head, response)
        if self.run.asked_response is not None:
            return self._send_filtered(head, response)
        # A response that arrived whole has told its trailers; of others they are not known yet.
        trailers = self._trailers and not self._bodiless and (not response.complete or bool(response.trailers))
        if trailers or not response.complete or not self._sends_whole:
            return self._send_pieces(head, response, trailers)
        self._complete(head)
        body = b"" if self._bodiless else response.rest()
        self.summary.response_bytes += len(body)
        # A copy of a dictionary with these keys takes half of what it takes to make one of them.
        message = _WHOLE_RESPONSE.copy()
        message["status"] = head.status
        message["headers"] = head.headers
        message["body"] = body
        return self.send(message)

    async def _send_pieces(self, head: ResponseHead, response: UpstreamResponse, trailers: bool) -> None:
        """Send a response as it arrives."""
        await self._start(head, trailers=trailers)
        if self._bodiless:
            response.abort()
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        summary, send = self.summary, self.send
        if not response.complete and not response.buffered:
            # The body may take its time, as an event stream's does; an empty piece makes the server
            # send the head.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
        while True:
            data = await response.read()
            more = not response.complete or response.buffered > 0
            summary.response_bytes += len(data)
            if data or not more:
                await send({"type": "http.response.body", "body": data, "more_body": more})
            if not more:
                break
            if self._relays and response.relayable() >= LEAST:
                before = response.bytes_received
                try:
                    await send({"type": RELAY, "source": response})
                finally:
                    summary.response_bytes += response.bytes_received - before
        if trailers:
            await self._send_trailers(response)

    async def switch_protocols(self, head: ResponseHead) -> None:
        """Accept the upgrade that the upstream accepted. What follows are the bytes of a tunnel."""
        self.summary.status = head.status
        self.summary.origin = head.origin
        headers = tunnel.handshake_answer(head.headers, self.summary.http_version)
        await self.send({"type": tunnel.ACCEPT, "headers": headers})

    async def _send_filtered(self, head: ResponseHead, response: UpstreamResponse) -> None:
        """Send a response whose body guests have asked for."""
        if self._bodiless:
            # Its length is that of a body which the guests would have changed.
            head.headers = _without(head.headers, b"content-length")
            response.abort()
            await self._start(head)
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        body = FilteredResponse(response, self.run.response_body(head))
        instead: Reply | None = None
        try:
            await body.begin(head.headers)
        except ClientGone:
            raise
        except LocalReply as local:
            instead = local.head, local.body
        except SentinelError as error:
            instead = self.refused(error)
        if instead is not None:
            response.abort()
            await self.reply(instead[0], instead[1])
            return
        trailers = self._trailers and (not body.ended or bool(response.trailers)) and not _is_bodiless(head.status)
        if body.ended and not trailers:
            await self.send_whole(head, body.piece)
            return
        head.headers = _without(head.headers, b"content-length")
        await self._start(head, trailers=trailers)
        # The first piece may be empty, and makes the server send the head.
        await self.send({"type": "http.response.body", "body": body.piece, "more_body": not body.ended})
        self.summary.response_bytes += len(body.piece)
        while not body.ended:
            await body.read()
            if body.piece or body.ended:
                self.summary.response_bytes += len(body.piece)
                await self.send({"type": "http.response.body", "body": body.piece, "more_body": not body.ended})
        if trailers:
            await self._send_trailers(response)

    async def _send_trailers(self, response: UpstreamResponse) -> None:
        kept = end_to_end_trailers(response.trailers)
        if not self._is_call:
            names = self._route.trailers
            kept = [field for field in kept if field[0] in names]
        elif self._recording is not None:
            self._recording.add_grpc_status(kept)
        await self.send({"type": "http.response.trailers", "headers": kept, "more_trailers": False})

    def _complete(self, head: ResponseHead) -> None:
        """Add what every head tells, and take from it what the summary tells."""
        # Upstreams' heads come without one, and so do the gateway's own.
        if self._route.chain.responders or head.origin is _GUEST:
            head.headers = _without(head.headers, b"x-request-id")
        head.headers.append((b"x-request-id", self._request.request_id.encode("ascii")))
        self.summary.status = head.status
        self.summary.origin = head.origin
        if self._recording is not None and self._is_call:
            # Of a response of trailers only, the head has it.
            self._recording.add_grpc_status(head.headers)

    def _start(self, head: ResponseHead, *, trailers: bool = False) -> Awaitable[None]:
        self._complete(head)
        message: dict[str, Any] = {"type": "http.response.start", "status": head.status, "headers": head.headers}
        if trailers:
            message["trailers"] = True
        return self.send(message)

    def pass_informational(self, status: int, headers: Headers) -> None:
        """Called by the upstream client, between two turns of the loop; 100 is between us and the
        upstream.
        """
        if status == _CONTINUE:
            return
        message = {"type": INFORMATIONAL, "status": status, "headers": end_to_end(headers)}
        # A task that is made now runs before the one that the final head wakes: the order is kept.
        task = asyncio.ensure_future(self._send_informational(message))
        if self._tasks is None:
            self._tasks = set()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_informational(self, message: dict[str, Any]) -> None:
        # This task is not awaited. The exchange itself finds out that the client is gone.
        with suppress(OSError):
            await self.send(message)

    def count_failure(self, error: UpstreamError) -> None:
        """Count and log a failure of the upstream."""
        summary = self.summary
        self._stats.upstream_failures[summary.upstream or "", summary.endpoint or "", error.kind] += 1
        _log.warning("%s (request %s)", error, summary.request_id)


def _without(headers: Headers, name: bytes) -> Headers:
    return [field for field in headers if field[0] != name]


def _is_bodiless(status: int) -> bool:
    """RFC 9110 sections 15.3.5 and 15.4.5: these have no content, whatever anybody says."""
    return status in (_NO_CONTENT, _NOT_MODIFIED)
