"""One request's life, from the ASGI scope to the completion hooks.

Rule 1: the upstream sees nothing before every guest has let the request through.
Rule 2: bodies are never collected, unless a guest asks for one. A piece is passed on as the object
        that it came in. While the slow side is awaited, the other side is not read.
Rule 3: the completion hooks run once, whatever happened, after the response was sent or broken off.
Rule 4: after the head was sent, a failure raises `ResponseAborted`, and the server breaks the
        response off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter_ns, time_ns
from typing import Any, Final

from sentinel_host.errors import (
    ClientError,
    ClientGone,
    Progress,
    ResponseAborted,
    SentinelError,
    UpstreamError,
    UpstreamTimeout,
)
from sentinel_host.fields import add_unsampled_parent
from sentinel_host.gateway import tunnel
from sentinel_host.gateway.abilities import Abilities
from sentinel_host.gateway.answers import own_options
from sentinel_host.gateway.bodies import DisconnectWatch, RequestBody
from sentinel_host.gateway.filtered import FilteredRequest, begin_request
from sentinel_host.gateway.generation import Generation
from sentinel_host.gateway.grpc import deadline_of, is_call
from sentinel_host.gateway.grpc_web import GrpcWeb, grpc_web_type
from sentinel_host.gateway.mirror import Copy, Mirror, MirroredBody
from sentinel_host.gateway.own_responses import OwnResponse
from sentinel_host.gateway.response import Reply, ResponseSender, Send
from sentinel_host.gateway.routes import Route, RouteTimes
from sentinel_host.gateway.stats import COMPLETE, FORWARD, LIMITS, REQUEST_HOOKS, RESPOND, UPSTREAM, Stats
from sentinel_host.http.client import BodySource, RelayableBody, UpstreamRequest, UpstreamResponse
from sentinel_host.http.proxy_header_writer import ProxyVersion, local_header, proxy_header
from sentinel_host.http.rules import Admitted, Forwarding, end_to_end
from sentinel_host.http.server.replies import error_reply
from sentinel_host.limiter import Checked
from sentinel_host.messages import Origin, Outcome, ResponseHead, Summary
from sentinel_host.observe.recorder import Observation, Recorder, Tries
from sentinel_host.observe.trace_context import TRACEPARENT, trace_id_of
from sentinel_host.pipeline import LocalReply
from sentinel_host.upstream import ReplayableBody, UpstreamCall

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

# As plain numbers: a member of an enum takes two look-ups by its name.
_SWITCHING_PROTOCOLS: Final = 101
_CONTENT_TOO_LARGE: Final = 413
_TOO_MANY_REQUESTS: Final = 429
_SERVER_FAILURE: Final = 500
_COMPLETED: Final = Outcome.COMPLETED
_FROM_UPSTREAM: Final = Origin.UPSTREAM

_forwarding: Final = Forwarding()
# Names of this module's own are found faster.
_perf_counter_ns: Final = perf_counter_ns
_time_ns: Final = time_ns
_add_unsampled_parent: Final = add_unsampled_parent


class ProxyExchange:
    """A request that was admitted and routed, and its response."""

    __slots__ = (
        "_admitted",
        "_body",
        "_call",
        "_copy",
        "_deadline",
        "_generation",
        "_is_call",
        "_is_checked",
        "_observation",
        "_receive",
        "_recorder",
        "_response",
        "_route",
        "_scope",
        "_started",
        "_stats",
        "_status",
        "_upgrade",
        "_watch",
    )

    def __init__(
        self,
        stats: Stats,
        recorder: Recorder,
        generation: Generation,
        admitted: Admitted,
        route: Route,
        scope: Scope,
        abilities: Abilities,
        receive: Receive,
        send: Send,
        started: int,
        told: object,
        checked: list[Checked] | None,
    ) -> None:
        """``started`` is when the request began, by `perf_counter_ns`. ``told`` or ``checked`` is
        what is known of the route's first limits, if they were checked already; see
        `RouteLimits.tell`.
        """
        upgrade = tunnel.asked_for(scope["extensions"], route.upgrades) if abilities.upgrade else b""
        observation: Observation | None = None
        if recorder.is_on or started >= recorder.watch_at or admitted.observed is not None:
            observation = recorder.begin(admitted, started)
        self._started = started
        self._observation = observation
        self._recorder = recorder
        self._call: UpstreamCall | None = None
        # The upstream's, once it has answered.
        self._status = 0
        self._stats = stats
        self._admitted = admitted
        self._scope = scope
        self._route = route
        self._generation = generation
        recording = observation.recording if observation is not None else None
        sends_whole, sends_trailers, relays = abilities.whole, abilities.trailers, abilities.relay
        self._is_call = False
        self._deadline: float | None = None
        if admitted.head.method == "POST":
            if route.grpc_web and (web_type := grpc_web_type(admitted.head.headers)):
                web = GrpcWeb(web_type, receive, send)
                receive, send = web.receive, web.send
                admitted.head.headers = web.request_fields(admitted.head.headers)
                if not web.keeps_length:
                    admitted.content_length = None
                sends_whole, sends_trailers, relays = False, True, False
                self._is_call = True
            elif admitted.head.http_version in ("2", "3"):
                self._is_call = is_call(admitted.head.headers)
            if self._is_call:
                self._deadline = deadline_of(admitted.head.headers)
        self._response = ResponseSender(
            stats,
            admitted.head,
            route,
            send,
            has_informational=abilities.informational,
            has_trailers=sends_trailers,
            sends_whole=sends_whole,
            relays=relays,
            recording=recording,
            is_call=self._is_call,
        )
        self._is_checked = told is not None or checked is not None
        self._response.told = told
        self._response.checked = checked
        self._watch = None if abilities.cancels else DisconnectWatch(receive)
        self._receive = receive
        # Made for the requests that have one, and for those whose body guests ask for.
        self._body: RequestBody | None = None
        self._upgrade = upgrade
        self._copy: Copy | None = None

    async def run(self) -> None:
        """Serve the request.

        Raises `ResponseAborted` when the response broke off after its head had gone out.
        """
        sender = self._response
        summary = sender.summary
        if self._watch is not None and not self._admitted.has_body:
            self._watch.start()
        try:
            await self._serve()
            sender.passed(RESPOND)
        except asyncio.CancelledError:
            summary.outcome = Outcome.CLIENT_ABORTED
            if self._watch is None or not self._watch.gone:
                raise
        except (ClientGone, ConnectionError):
            summary.outcome = Outcome.CLIENT_ABORTED
        except UpstreamError as failure:
            # Not by the name below: compiled, a name has the type of its first handler.
            sender.count_failure(failure)
            summary.outcome = Outcome.UPSTREAM_ABORTED
            raise ResponseAborted(str(failure)) from None
        except SentinelError as error:
            summary.outcome = Outcome.CLIENT_ABORTED if isinstance(error, ClientError) else Outcome.GATEWAY_ABORTED
            raise ResponseAborted(str(error)) from None
        except BaseException:
            summary.outcome = Outcome.GATEWAY_ABORTED
            raise
        finally:
            if self._watch is not None:
                self._watch.stop()
            if self._copy is not None:
                self._copy.close()
            summary.request_bytes = 0 if self._body is None else self._body.received
            summary.duration = (_perf_counter_ns() - self._started) // 1000
            self._stats.routes[self._route.name].record(summary)
            if summary.upstream_duration is not None and summary.upstream is not None:
                self._stats.upstream_durations[summary.upstream].observe(summary.upstream_duration / 1e6)
            recorder = self._recorder
            # Known to be over, so that completion hooks that nothing waits for are the last that is
            # missing.
            observation = self._observation
            is_recorded = (observation is not None and observation.recording is not None) or (
                recorder.looks_back and (summary.duration >= recorder.slow or _has_failed(summary))
            )
            if is_recorded or recorder.access_log is not None or self._route.chain.completers:
                # Nobody else reads it: a look at the clock is not free.
                summary.started_at = _time_ns() // 1000 - summary.duration
            if is_recorded:
                recorder.end(observation, self._admitted, summary, self._started, self._tries())
            if recorder.access_log is not None:
                trace = ""
                if recorder.access_log.with_trace and recorder.is_on:
                    trace = self._trace_id() if observation is None else observation.trace_id
                recorder.access_log.add(summary, self._admitted.head.headers, trace)
            sender.run.close()
            sender.run.on_complete(summary)
            sender.passed(COMPLETE)

    async def _serve(self) -> None:
        limits, request, sender = self._route.limits, self._admitted.head, self._response
        most, length = self._route.body_bytes, self._admitted.content_length
        if most is not None and length is not None and length > most:
            refused = error_reply(_CONTENT_TOO_LARGE)
            await sender.send_whole(ResponseHead(refused.status, refused.headers, Origin.GATEWAY), refused.body)
            return
        if limits is not None and not self._is_checked:
            checked: list[Checked] = []
            sender.checked = checked
            # Only strict checks may wait. A coroutine costs more than a check.
            if limits.strict:
                over = await limits.check_strictly(limits.before, request, checked)
            else:
                over = limits.check(limits.before, request, checked)
            sender.passed(LIMITS)
            if over:
                # No guest has seen the request: none sees the answer, before it is over.
                refused = error_reply(_TOO_MANY_REQUESTS)
                head = ResponseHead(refused.status, refused.headers + limits.headers(checked), Origin.GATEWAY)
                await sender.send_whole(head, refused.body)
                return
        # Nothing to wait for is told without a coroutine, which costs as much as a call of a guest.
        hooks = sender.run.on_request(request)
        answer = None if hooks is None else await hooks
        sender.passed(REQUEST_HOOKS)
        if answer is not None:
            await sender.reply(answer[0], answer[1])
            return
        if limits is not None and limits.after:
            # `told` is only of limits that have none after the guests.
            assert sender.checked is not None
            if await limits.check_strictly(limits.after, request, sender.checked):
                await sender.send_own(error_reply(_TOO_MANY_REQUESTS))
                return
        if not self._admitted.may_forward:
            await sender.send_own(own_options(self._route.methods))
            return
        own = self._route.own
        if own is not None and sender.run.upstream is None:
            await self._respond_by_itself(own)
            return
        response: UpstreamResponse | None = None
        reply: Reply | None = None
        try:
            response = await self._ask_upstream()
        except ClientGone:
            raise
        except LocalReply as local:
            reply = local.head, local.body
        except SentinelError as error:
            reply = sender.refused(error)
        # Out of the handler: compiled, what waits inside one shows its exception to whatever runs
        # meanwhile.
        if reply is not None:
            await sender.reply(reply[0], reply[1])
            return
        assert response is not None
        ending = self._end_in_time(response)
        try:
            await self._respond(response)
        finally:
            if ending is not None:
                ending.cancel()
            response.abort()

    async def _respond_by_itself(self, own: OwnResponse) -> None:
        """Send the route's own response, once the guests that asked for the request's body have
        seen all of it.
        """
        sender = self._response
        if sender.run.asked_request is not None and not self._upgrade:
            reply: Reply | None = None
            try:
                body = await begin_request(sender.run, self._admitted, self._request_body())
                if isinstance(body, FilteredRequest):
                    while await body.read():
                        pass
            except ClientGone:
                raise
            except LocalReply as local:
                reply = local.head, local.body
            except SentinelError as error:
                reply = sender.refused(error)
            if reply is not None:
                await sender.reply(reply[0], reply[1])
                return
        await sender.send_own(own.response(self._admitted.head))

    def _end_in_time(self, response: UpstreamResponse) -> asyncio.TimerHandle | None:
        """Have a response cut off whose route bounds the whole of it."""
        times = self._route.times
        total = times.total if times is not None else None
        if total is not None and (self._upgrade or _is_event_stream(response)):
            total = None
        if self._deadline is not None:
            total = self._deadline if total is None else min(total, self._deadline)
        if total is None:
            return None
        name = self._response.summary.upstream
        left = total - (perf_counter_ns() - self._started) / 1e9
        error = UpstreamTimeout(f"upstream {name}: no whole response within {total:g} s", Progress.RESPONDED)
        return asyncio.get_running_loop().call_later(max(0.0, left), response.cut_off, error)

    async def _ask_upstream(self) -> UpstreamResponse:
        admitted, route, sender = self._admitted, self._route, self._response
        head, run, summary = admitted.head, sender.run, sender.summary
        length = admitted.content_length
        filtered: bytes | FilteredRequest | None = None
        if run.asked_request is not None and not self._upgrade:
            filtered = await begin_request(run, admitted, self._request_body())
            length = None
        name = run.upstream or route.upstream or self._split()
        upstream = self._generation.upstreams[name]
        summary.upstream = name
        _forwarding.add(head.headers, admitted)
        target = head.path if head.query is None else f"{head.path}?{head.query}"
        body: bytes | FilteredRequest | None = b""
        if self._upgrade:
            tunnel.complete_handshake(head.headers, self._upgrade)
        elif filtered is not None:
            body = filtered
        elif self._is_call:
            # The service may be the first to speak: nothing is waited for.
            body = self._request_body().begin_at_once()
        elif admitted.has_body:
            body = await self._request_body().begin()
        source: bytes | BodySource = self._request_body() if body is None else body
        # Nobody but the upstream gets to see the body.
        relayable: RelayableBody | None = self._request_body() if body is None and length is not None else None
        if route.mirror is not None and not self._upgrade and route.mirror.chooses():
            source = self._mirror(route.mirror, source, length)
            relayable = None
        repeatable = head.method in route.repeatable and not self._upgrade
        if (repeatable or self._is_call) and not isinstance(source, bytes) and upstream.kept_body:
            # A call that its upstream refused has had no effect, whatever its method.
            relayable = source = ReplayableBody(source, upstream.kept_body, relayable)
        request = UpstreamRequest(
            method=head.method.encode("ascii"),
            target=target.encode("ascii"),
            headers=head.headers,
            host=b"",
            body=source,
            content_length=length,
            informed=sender if sender.has_informational else None,
            upgrade=self._upgrade,
            takes_trailers=self._is_call or (admitted.takes_trailers and bool(route.trailers)),
        )
        request.relayable = relayable
        if upstream.proxy_version is not None:
            request.proxy_header = self._proxy_header(upstream.proxy_version)
        call = UpstreamCall(request, admitted.host if route.preserve_host else b"", head.client, repeatable)
        if upstream.is_sticky:
            call.is_secure = head.scheme == "https"
        if upstream.hash_key is not None:
            call.hash = upstream.hash_key(head)
        observation = self._observation
        if observation is None:
            if self._recorder.is_on:
                _add_unsampled_parent(head.headers, TRACEPARENT, self._trace_id())
        elif observation.sampled and (TRACEPARENT, observation.told) in head.headers:
            call.observation = observation
        if route.times is not None:
            _set_times(call, route.times, self._started)
        if self._deadline is not None:
            call.timeout = self._deadline if call.timeout is None else min(call.timeout, self._deadline)
        sender.passed(FORWARD)
        try:
            response = await upstream.send(call)
        finally:
            # What holds the summary must not hold the call, whose request holds the sender: a
            # cycle.
            summary.tries = call.tries
            summary.endpoint = None if call.endpoint is None else call.endpoint.name
            self._call = call
        self._status = response.status
        summary.upstream_duration = (call.answered - call.began) // 1000
        if call.cookie is not None:
            response.headers.append(call.cookie)
        sender.passed(UPSTREAM)
        return response

    def _request_body(self) -> RequestBody:
        body = self._body
        if body is None:
            body = self._body = RequestBody(
                self._receive,
                None if self._is_call else self._route.trailers,
                self._watch.start if self._watch else None,
                self._route.body_bytes,
            )
        return body

    def _trace_id(self) -> str:
        """The id of a trace that begins here."""
        return trace_id_of(self._admitted.head.request_id, self._admitted.has_own_id)

    def _tries(self) -> Tries:
        """How endpoints were asked, the one that served included."""
        call = self._call
        if call is None:
            return []
        tries: Tries = list(call.tried or ())
        if 0 < self._status < _SERVER_FAILURE and call.endpoint is not None:
            tries.append((call.endpoint.name, call.answered - call.latency * 1000, call.answered, self._status, ""))
        return tries

    def _mirror(self, mirror: Mirror, source: bytes | BodySource, length: int | None) -> bytes | BodySource:
        """Have the request copied. Returns where its body is to be read from then on."""
        admitted, route = self._admitted, self._route
        upstream = self._generation.upstreams[mirror.upstream]
        self._copy = mirror.begin(
            upstream,
            admitted.head,
            admitted.host if route.preserve_host else b"",
            source,
            length,
            self._stats.mirrors[route.name, mirror.upstream],
            b"" if upstream.proxy_version is None else self._proxy_header(upstream.proxy_version),
        )
        return source if self._copy is None or isinstance(source, bytes) else MirroredBody(source, self._copy)

    def _proxy_header(self, version: ProxyVersion) -> bytes:
        """What tells an upstream who the client is. Of one that a trusted proxy has named, no port
        is known.
        """
        client, own = self._scope.get("client"), self._scope.get("server")
        if not client or not own:
            return local_header(version)
        address = self._admitted.head.client
        return proxy_header(version, client if client[0] == address else (address, 0), own)

    def _split(self) -> str:
        split = self._route.split
        assert split is not None
        return split.choose(self._admitted.head)

    def _respond(self, response: UpstreamResponse) -> Awaitable[None]:
        sender = self._response
        # Nobody reads those of the response after this: they need not be copied.
        fields = response.headers if response.is_end_to_end else end_to_end(response.headers)
        head = ResponseHead(response.status, fields, _FROM_UPSTREAM)
        hooks = sender.on_response(head)
        if hooks is None and response.status != _SWITCHING_PROTOCOLS:
            return sender.forward(head, response)
        return self._respond_after(hooks, head, response)

    async def _respond_after(
        self, hooks: Awaitable[bytes | None] | None, head: ResponseHead, response: UpstreamResponse
    ) -> None:
        sender = self._response
        replaced = None if hooks is None else await hooks
        if replaced is not None:
            response.abort()
            await sender.send_whole(head, replaced)
        elif response.status != _SWITCHING_PROTOCOLS:
            await sender.forward(head, response)
        elif head.status == _SWITCHING_PROTOCOLS:
            await sender.switch_protocols(head)
            await tunnel.relay(self._request_body(), response, sender.send, sender.summary)
        else:
            # A guest replaced the status: its response is sent, and the protocol stays.
            response.abort()
            await sender.send_whole(head, b"")


def _has_failed(summary: Summary) -> bool:
    return summary.status >= _SERVER_FAILURE or summary.outcome != _COMPLETED


def _set_times(call: UpstreamCall, times: RouteTimes, started: int) -> None:
    request = call.request
    request.idle_timeout = times.idle
    if request.upgrade:
        # An upgraded connection may last for days (RFC 9110 section 7.8).
        return
    call.timeout = times.timeout
    if times.total is not None:
        # Its head tells whether it is an event stream: until then it is a response like any other.
        left = max(0.001, round(times.total - (perf_counter_ns() - started) / 1e9, 3))
        call.timeout = left if call.timeout is None else min(call.timeout, left)
    call.per_try_timeout = times.per_try
    call.hedge_after = times.hedge_after


def _is_event_stream(response: UpstreamResponse) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in response.headers)
