"""One request's life, from the ASGI scope to the completion hooks.

Rule 1: the upstream sees nothing before every guest has let the request through.
Rule 2: bodies are never collected, unless a guest asks for one. A piece is passed on as the object that it came in; who
        awaits a slow side stops reading the other.
Rule 3: whatever happens, the completion hooks run once, after the response has gone out or broken off.
Rule 4: once the head is out, a failure can only break off: the server is told by `ResponseAborted`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from time import perf_counter_ns
from typing import Any, Final

from sentinel_host.errors import ClientError, ClientGone, ResponseAborted, SentinelError, UpstreamError
from sentinel_host.gateway import transforms, tunnel
from sentinel_host.gateway.answers import own_options, problem
from sentinel_host.gateway.bodies import DisconnectWatch, RequestBody
from sentinel_host.gateway.generation import Generation
from sentinel_host.gateway.response import ResponseSide, Send
from sentinel_host.gateway.routes import Route
from sentinel_host.gateway.stats import COMPLETE, FORWARD, LIMITS, REQUEST_HOOKS, RESPOND, UPSTREAM, Stats
from sentinel_host.http.client import UpstreamRequest, UpstreamResponse
from sentinel_host.http.rules import Admitted, Forwarding, end_to_end
from sentinel_host.messages import Origin, Outcome, ResponseHead
from sentinel_host.pipeline import Instead

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

CANCELS: Final = "sentinel.cancel_on_disconnect"
"""The scope extension of a server that cancels the application when the client goes away."""

_SWITCHING_PROTOCOLS: Final = 101  # as a plain number: a member of an enum takes two look-ups by its name

_forwarding: Final = Forwarding()


class Exchange(ResponseSide):
    """A request that was admitted and routed, and its response."""

    __slots__ = ("_body", "_generation", "_started", "_upgrade", "_watch")

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
        extensions = scope.get("extensions") or {}
        admitted.head.route = route.name
        upgrade = tunnel.asked_for(extensions, route.upgrades)
        super().__init__(stats, admitted, route, extensions, send)
        self._started = self._mark
        self._generation = generation
        self._watch = None if CANCELS in extensions else DisconnectWatch(receive)
        self._body = RequestBody(receive, route.trailers, self._watch.start if self._watch else None)
        self._upgrade = upgrade

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
        if not self._admitted.may_forward:
            await self._send_own(own_options(self._route.methods))
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
        self._target = pool.target
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
                takes_trailers=admitted.takes_trailers and bool(route.trailers),
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
