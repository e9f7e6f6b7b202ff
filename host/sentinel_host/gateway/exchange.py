"""One request's life, from the ASGI scope to the completion hooks.

Rule 1: the upstream sees nothing before every guest has let the request through.
Rule 2: bodies are never collected, unless a guest asks for one. A piece is passed on as the object that it came in; who
        awaits a slow side stops reading the other.
Rule 3: whatever happens, the completion hooks run once, after the response has gone out or broken off.
Rule 4: once the head is out, a failure can only break off: the server is told by `ResponseAborted`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from http import HTTPStatus
from time import perf_counter_ns, time_ns
from typing import Any, Final

from sentinel_host.errors import ClientError, ResponseAborted, SentinelError, UpstreamError
from sentinel_host.gateway import transforms, tunnel
from sentinel_host.gateway.answers import problem, refusal
from sentinel_host.gateway.bodies import ClientGone, DisconnectWatch, RequestBody
from sentinel_host.gateway.generation import Generation
from sentinel_host.gateway.routes import Route
from sentinel_host.gateway.stats import (
    COMPLETE,
    FORWARD,
    LIMITS,
    REQUEST_HOOKS,
    RESPOND,
    RESPONSE_HOOKS,
    UPSTREAM,
    Stats,
)
from sentinel_host.http.rules import Admitted, Forwarding, end_to_end, end_to_end_trailers
from sentinel_host.http.upstream import UpstreamRequest, UpstreamResponse
from sentinel_host.limiter import Checked
from sentinel_host.messages import Headers, Origin, Outcome, Response, ResponseHead, Summary
from sentinel_host.pipeline import Instead, Passage

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CANCELS: Final = "sentinel.cancel_on_disconnect"
"""The scope extension of a server that cancels the application when the client goes away."""

INFORMATIONAL: Final = "http.response.informational"
"""The scope extension of a server that can send 1xx responses."""

TRAILERS: Final = "http.response.trailers"
"""The scope extension of a server that can send trailers."""

# As plain numbers: a member of an enum takes two look-ups by its name.
_CONTINUE: Final = 100
_SWITCHING_PROTOCOLS: Final = 101
_NO_CONTENT: Final = 204
_NOT_MODIFIED: Final = 304
# RFC 9110 sections 15.3.5 and 15.4.5: these have no content, whatever anybody says.
_BODILESS: Final = frozenset((_NO_CONTENT, _NOT_MODIFIED))

_forwarding: Final = Forwarding()
_log: Final = logging.getLogger("sentinel.gateway")


class Exchange:
    """A request that was admitted and routed, and its response."""

    __slots__ = (
        "_admitted",
        "_bodiless",
        "_body",
        "_checked",
        "_generation",
        "_informational",
        "_mark",
        "_passage",
        "_route",
        "_send",
        "_started",
        "_stats",
        "_summary",
        "_tasks",
        "_trailers",
        "_upgrade",
        "_watch",
    )

    def __init__(
        self,
        stats: Stats,
        generation: Generation,
        admitted: Admitted,
        route: Route,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        head = admitted.head
        head.route = route.name
        extensions = scope.get("extensions") or {}
        self._stats = stats
        self._generation = generation
        self._admitted = admitted
        self._route = route
        self._send = send
        self._started = self._mark = perf_counter_ns()
        self._watch = None if CANCELS in extensions else DisconnectWatch(receive)
        self._body = RequestBody(receive, route.trailers, self._watch.start if self._watch else None)
        self._bodiless = head.method == "HEAD"
        self._checked: list[Checked] = []
        # Without the extension a server has no way to send one, and HTTP/1.0 clients must not get any.
        self._informational = INFORMATIONAL in extensions and head.http_version != "1.0"
        self._trailers = bool(route.trailers) and TRAILERS in extensions
        self._upgrade = tunnel.asked_for(extensions, route.upgrades)
        self._tasks: set[asyncio.Task[None]] = set()
        self._passage = Passage(route.chain, head.request_id, head.client)
        self._summary = Summary(
            request_id=head.request_id,
            method=head.method,
            path=head.path,
            query=head.query,
            route=route.name,
            authority=head.authority,
            client=head.client,
            http_version=head.http_version,
            started_at=time_ns() // 1000,
        )

    async def run(self) -> None:
        """Serve the request.

        Raises `ResponseAborted` when the response broke off after its head had gone out.
        """
        summary = self._summary
        if self._watch is not None and not self._admitted.has_body:
            self._watch.start()
        try:
            await self._serve()
            self._passed(RESPOND)
        except asyncio.CancelledError:
            summary.outcome = Outcome.CLIENT_ABORTED
            if self._watch is None or not self._watch.gone:
                raise
        except (ClientGone, ConnectionError):
            summary.outcome = Outcome.CLIENT_ABORTED
        except UpstreamError as error:
            self._count_failure(error)
            summary.outcome = Outcome.UPSTREAM_ABORTED
            raise ResponseAborted(str(error)) from None
        except SentinelError as error:
            summary.outcome = Outcome.CLIENT_ABORTED if isinstance(error, ClientError) else Outcome.GATEWAY_ABORTED
            raise ResponseAborted(str(error)) from None
        except BaseException:
            summary.outcome = Outcome.GATEWAY_ABORTED
            raise
        finally:
            if self._watch is not None:
                self._watch.stop()
            summary.request_bytes = self._body.received
            summary.duration = (perf_counter_ns() - self._started) // 1000
            self._stats.routes[self._route.name].record(summary)
            self._passage.close()
            self._passage.on_complete(summary)
            self._passed(COMPLETE)

    def _passed(self, stage: int) -> None:
        """A stage is over, where anybody asked to have that timed."""
        if self._stats.stages is not None:
            self._mark = self._stats.stages.add(stage, self._mark)

    async def _serve(self) -> None:
        limits, request = self._route.limits, self._admitted.head
        if limits is not None:
            # Only what may have to wait is a coroutine: one costs more than a check.
            if limits.strict:
                over = await limits.check_strictly(limits.before, request, self._checked)
            else:
                over = limits.check(limits.before, request, self._checked)
            self._passed(LIMITS)
            if over:
                # No guest has seen the request: none sees the answer, before it is over.
                refused = problem(HTTPStatus.TOO_MANY_REQUESTS)
                head = ResponseHead(refused.status, refused.headers + limits.headers(self._checked), Origin.GATEWAY)
                await self._send_whole(head, refused.body)
                return
        answer = await self._passage.on_request(request)
        self._passed(REQUEST_HOOKS)
        if answer is not None:
            head, body = answer
            replaced = await self._on_response(head)
            await self._send_whole(head, body if replaced is None else replaced)
            return
        if limits is not None and limits.after and await limits.check_strictly(limits.after, request, self._checked):
            await self._send_own(problem(HTTPStatus.TOO_MANY_REQUESTS))
            return
        try:
            response = await self._ask_upstream()
        except ClientGone:
            raise
        except Instead as instead:
            await self._reply(instead.head, instead.body)
            return
        except SentinelError as error:
            await self._send_refusal(error)
            return
        try:
            await self._send_response(response)
        finally:
            response.abort()

    async def _ask_upstream(self) -> UpstreamResponse:
        admitted, route, summary = self._admitted, self._route, self._summary
        head = admitted.head
        length = admitted.content_length
        transformed: bytes | transforms.TransformedBody | None = None
        if self._passage.asked_request is not None and not self._upgrade:
            transformed = await transforms.begin_request(self._passage, admitted, self._body)
            length = None
        name = self._passage.upstream or route.upstream
        pool = self._generation.upstreams[name].pick()
        summary.upstream = name
        _forwarding.add(head.headers, admitted)
        target = head.path if head.query is None else f"{head.path}?{head.query}"
        body: bytes | transforms.TransformedBody | None = b""
        if self._upgrade:
            tunnel.complete_handshake(head.headers, self._upgrade)
        elif transformed is not None:
            body = transformed
        elif admitted.has_body:
            body = await self._body.begin()
        self._passed(FORWARD)
        asked = perf_counter_ns()
        response = await pool.send(
            UpstreamRequest(
                method=head.method.encode("ascii"),
                target=target.encode("ascii"),
                headers=head.headers,
                host=admitted.host if route.preserve_host and admitted.host else pool.authority,
                body=self._body if body is None else body,
                content_length=length,
                on_informational=self._pass_informational if self._informational else None,
                upgrade=self._upgrade,
            )
        )
        summary.upstream_duration = (perf_counter_ns() - asked) // 1000
        self._passed(UPSTREAM)
        return response

    async def _send_response(self, response: UpstreamResponse) -> None:
        head = ResponseHead(response.status, end_to_end(response.headers), Origin.UPSTREAM)
        replaced = await self._on_response(head)
        if replaced is not None:
            response.abort()
            await self._send_whole(head, replaced)
            return
        if response.status == _SWITCHING_PROTOCOLS:
            await self._tunnel(head, response)
            return
        self._frame(head, response)
        if self._passage.asked_response is not None:
            await self._send_transformed(head, response)
            return
        # A response that arrived whole has told its trailers; of others they are not known yet.
        trailers = self._trailers and not self._bodiless and (not response.complete or bool(response.trailers))
        await self._start(head, trailers=trailers)
        if self._bodiless:
            response.abort()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        summary, send = self._summary, self._send
        if not response.complete and not response.buffered:
            # The body may take its time, as an event stream's does; an empty piece makes the server send the head.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
        while True:
            data = await response.read()
            more = not response.complete or response.buffered > 0
            summary.response_bytes += len(data)
            if data or not more:
                await send({"type": "http.response.body", "body": data, "more_body": more})
            if not more:
                break
        if trailers:
            await self._send_trailers(response)

    async def _send_transformed(self, head: ResponseHead, response: UpstreamResponse) -> None:
        """Send a response whose body guests have asked for."""
        if self._bodiless:
            # Its length is that of a body which the guests would have changed.
            head.headers = _without(head.headers, b"content-length")
            response.abort()
            await self._start(head)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        body = transforms.TransformedResponse(response, self._passage.response_body(head))
        try:
            await body.begin(head.headers)
        except ClientGone:
            raise
        except Instead as instead:
            response.abort()
            await self._reply(instead.head, instead.body)
            return
        except SentinelError as error:
            response.abort()
            await self._send_refusal(error)
            return
        trailers = self._trailers and (not body.ended or bool(response.trailers)) and head.status not in _BODILESS
        if body.ended and not trailers:
            await self._send_whole(head, body.piece)
            return
        head.headers = _without(head.headers, b"content-length")
        await self._start(head, trailers=trailers)
        # The first piece may be empty, and makes the server send the head.
        await self._send({"type": "http.response.body", "body": body.piece, "more_body": not body.ended})
        self._summary.response_bytes += len(body.piece)
        while not body.ended:
            await body.read()
            if body.piece or body.ended:
                self._summary.response_bytes += len(body.piece)
                await self._send({"type": "http.response.body", "body": body.piece, "more_body": not body.ended})
        if trailers:
            await self._send_trailers(response)

    async def _send_trailers(self, response: UpstreamResponse) -> None:
        names = self._route.trailers
        kept = [field for field in end_to_end_trailers(response.trailers) if field[0] in names]
        await self._send({"type": "http.response.trailers", "headers": kept, "more_trailers": False})

    async def _tunnel(self, head: ResponseHead, response: UpstreamResponse) -> None:
        if head.status != _SWITCHING_PROTOCOLS:
            # A guest thinks otherwise of it: what it says is the answer, and nothing is changed to.
            response.abort()
            await self._send_whole(head, b"")
            return
        self._summary.status = head.status
        self._summary.origin = head.origin
        headers = tunnel.handshake_answer(head.headers, self._summary.http_version)
        await self._send({"type": tunnel.ACCEPT, "headers": headers})
        await tunnel.relay(self._body, response, self._send, self._summary)

    async def _on_response(self, head: ResponseHead) -> bytes | None:
        """Run the response hooks, which see the limits' fields; a response that replaces the first has them too."""
        told = self._route.limits.headers(self._checked) if self._checked and self._route.limits else []
        head.headers += told
        replaced = await self._passage.on_response(head)
        self._passed(RESPONSE_HOOKS)
        if replaced is not None and told:
            head.headers = head.headers + told
        return replaced

    def _frame(self, head: ResponseHead, response: UpstreamResponse) -> None:
        """Make Content-Length say what the client gets: guests may change the request's method and the status."""
        self._bodiless = self._bodiless or head.status in _BODILESS
        if self._bodiless:
            if head.status == _NO_CONTENT:
                # RFC 9110 section 8.6: not even a length of zero.
                head.headers = _without(head.headers, b"content-length")
        elif response.status in _BODILESS or self._admitted.head.method == "HEAD":
            # The length was that of a body which the upstream had no reason to send.
            head.headers = [*_without(head.headers, b"content-length"), (b"content-length", b"0")]

    async def _send_own(self, response: Response) -> None:
        """Send a response that the gateway makes, past the response hooks."""
        await self._reply(ResponseHead(response.status, response.headers, Origin.GATEWAY), response.body)

    async def _send_refusal(self, error: SentinelError) -> None:
        """Answer an error that came before a head went out."""
        if isinstance(error, UpstreamError):
            self._count_failure(error)
        await self._send_own(refusal(error))

    async def _reply(self, head: ResponseHead, body: bytes) -> None:
        """Send a response that did not come from the upstream, past the response hooks."""
        replaced = await self._on_response(head)
        await self._send_whole(head, body if replaced is None else replaced)

    async def _send_whole(self, head: ResponseHead, body: bytes) -> None:
        self._bodiless = self._bodiless or head.status in _BODILESS
        if self._passage.asked_response is not None and not self._bodiless:
            try:
                body = await self._passage.response_body(head).whole(body)
            except Instead as instead:
                await self._reply(instead.head, instead.body)
                return
            except UpstreamError as error:
                await self._send_refusal(error)
                return
            self._bodiless = head.status in _BODILESS
        head.headers = _without(head.headers, b"content-length")
        if head.status not in _BODILESS:
            head.headers.append((b"content-length", b"%d" % len(body)))
        await self._start(head)
        if self._bodiless:
            body = b""
        self._summary.response_bytes += len(body)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _start(self, head: ResponseHead, *, trailers: bool = False) -> None:
        if self._route.chain.guests:
            head.headers = _without(head.headers, b"x-request-id")
        head.headers.append((b"x-request-id", self._admitted.head.request_id.encode("ascii")))
        self._summary.status = head.status
        self._summary.origin = head.origin
        message: dict[str, Any] = {"type": "http.response.start", "status": head.status, "headers": head.headers}
        if trailers:
            message["trailers"] = True
        await self._send(message)

    def _pass_informational(self, status: int, headers: Headers) -> None:
        """Called by the upstream client, between two turns of the loop; 100 is between us and the upstream."""
        if status == _CONTINUE:
            return
        message = {"type": INFORMATIONAL, "status": status, "headers": end_to_end(headers)}
        # A task that is made now runs before the one that the final head wakes: the order is kept.
        task = asyncio.ensure_future(self._send_informational(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_informational(self, message: dict[str, Any]) -> None:
        # Nobody awaits this task: that the client is gone is for the exchange to find out, and no error of the task's.
        with suppress(OSError):
            await self._send(message)

    def _count_failure(self, error: UpstreamError) -> None:
        self._stats.upstream_failures[self._summary.upstream or "", type(error).__name__] += 1
        _log.warning("%s (request %s)", error, self._summary.request_id)


def _without(headers: Headers, name: bytes) -> Headers:
    return [field for field in headers if field[0] != name]
