"""An upstream: which of its endpoints a request goes to, and to which next when that one fails.

Rule 1: what was not sent yet goes elsewhere, whatever its method. What may have been seen goes
        elsewhere only when it is repeatable and within the budget. No endpoint is asked twice for
        one request.
Rule 2: a failure counts against an endpoint at once when nothing was sent, or when the same request
        then succeeded elsewhere. Otherwise it may be the request's own: it counts when several
        clients have such failures. So one client that sends what makes endpoints fail takes none
        away from others.
Rule 3: an endpoint that asks for a pause (`Retry-After`) gets no retries until then, or until it
        answers a request well.
Rule 4: a request keeps the members that it began with. Those that vanish meanwhile finish what they
        have.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import zlib
from collections.abc import Callable, Coroutine, Sequence
from random import random
from time import monotonic, perf_counter_ns
from time import time as wall_clock
from typing import Any, Final

from sentinel_host.errors import (
    Progress,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from sentinel_host.http.client import GIVEN_UP, UpstreamRequest, UpstreamResponse
from sentinel_host.upstream._endpoints import Group
from sentinel_host.upstream.budget import RetryBudget
from sentinel_host.upstream.call import UpstreamCall
from sentinel_host.upstream.endpoint import Endpoint, UpstreamCounts
from sentinel_host.upstream.outliers import ShareWatch
from sentinel_host.upstream.replay import ReplayableBody
from sentinel_host.upstream.retry_after import pause_of
from sentinel_host.upstream.settings import UpstreamSettings
from sentinel_host.upstream.sticky import StickyCookie
from sentinel_host.upstream.table import EndpointTable

_log: Final = logging.getLogger("sentinel.upstream")

# A name of this module's own is found faster.
_perf_counter_ns: Final = perf_counter_ns

_SWITCHING_PROTOCOLS: Final = 101
_GATEWAY_FAILURE: Final = 0
_SERVER_FAILURE: Final = 1
_NOBODY: Final = -1
_NONE_TRIED: Final[tuple[int, ...]] = ()
_NONE_FAILED: Final[tuple[tuple[int, int], ...]] = ()
# Kinds of failures that say nothing about an endpoint.
_OURS: Final = ("busy", "closed", "denied", "overloaded")
# Also of those that nothing is sent to: a request must not go round hundreds that are all down.
_MOST_TRIES: Final = 8
# What `Group.pick` can leave out beside those that were tried; more of them may get retries.
_MOST_PAUSED: Final = 16


Failures = tuple[tuple[int, int], ...]
"""Failures of a request whose fault is not known yet: the member's index and the kind of each."""


class Members:
    """The endpoints of an upstream at one time, and the native group that picks one of them by its
    index.
    """

    __slots__ = ("endpoints", "group", "indices", "pick", "watch", "watched", "weights")

    def __init__(self, endpoints: Sequence[tuple[Endpoint, int]], settings: UpstreamSettings) -> None:
        self.endpoints: Final = tuple(endpoint for endpoint, _ in endpoints)
        self.weights: Final = tuple(weight for _, weight in endpoints)
        self.indices: Final = {endpoint.key: index for index, endpoint in enumerate(self.endpoints)}
        self.watch: ShareWatch | None = None
        self.watched = 0.0
        eject = settings.eject
        self.group: Final = Group(
            tuple((endpoint.cell, weight) for endpoint, weight in endpoints),
            policy=settings.policy,
            panic_percent=settings.panic_percent,
            slow_start_ms=round(settings.slow_start * 1000),
            ejected_percent=eject.max_share if eject else 0,
            gateway_failures=eject.failures if eject else 0,
            server_failures=eject.server_errors if eject else 0,
            base_ms=round(eject.time * 1000) if eject else 0,
            max_ms=round(eject.max_time * 1000) if eject else 0,
            seed=secrets.randbits(63) + 1,
        )
        # A method that is looked up for each call takes longer.
        self.pick: Final[Callable[[int, tuple[int, ...]], int]] = self.group.pick


class Balancer:
    """Sends requests to the members of one upstream, which `place` sets."""

    __slots__ = (
        "_max_pending",
        "_max_requests",
        "_members",
        "_settings",
        "_sticky",
        "_table",
        "budget",
        "counts",
        "name",
    )

    def __init__(
        self,
        name: str,
        settings: UpstreamSettings,
        table: EndpointTable,
        counts: UpstreamCounts,
        sticky: StickyCookie | None = None,
    ) -> None:
        self.name: Final = name
        self.counts: Final = counts
        retry = settings.retry
        self.budget: Final = RetryBudget(retry.budget / 100 if retry else 0.0, retry.least if retry else 0)
        self._settings: Final = settings
        self._max_requests: Final[int] = settings.max_requests
        self._max_pending: Final[int] = settings.max_pending
        self._sticky: Final = sticky
        self._table: Final = table
        self._members: Members | None = None

    @property
    def members(self) -> Members | None:
        """The endpoints of now; None before any is known."""
        return self._members

    def place(self, endpoints: Sequence[tuple[Endpoint, int]]) -> None:
        """Have these endpoints serve, by their weights; without any, requests are refused."""
        self._members = Members(endpoints, self._settings) if endpoints else None

    def send(self, call: UpstreamCall) -> Coroutine[Any, Any, UpstreamResponse]:
        """Send a request, to another endpoint if need be, and wait for the head of its final
        response.

        Raises what `UpstreamPool.send` raises, `UpstreamOverloaded` beyond the breaker's limits,
        and `UpstreamUnavailable` when no endpoint may be used.
        """
        self.budget.requests += 1
        if call.timeout is not None or call.hedge_after is not None:
            return self._send_in_time(call)
        return self._send(call, _NONE_TRIED)

    async def _send_in_time(self, call: UpstreamCall) -> UpstreamResponse:
        try:
            async with asyncio.timeout(call.timeout):
                if call.hedge_after is not None and call.repeatable and isinstance(call.request.body, bytes):
                    return await self._send_hedged(call, call.hedge_after)
                return await self._send(call, _NONE_TRIED)
        except TimeoutError:
            raise UpstreamTimeout(
                f"upstream {self.name}: no response within {call.timeout:g} s", Progress.SENT
            ) from None

    async def _send(self, call: UpstreamCall, tried: tuple[int, ...]) -> UpstreamResponse:
        members = self._members
        if members is None:
            raise self._unavailable(None)
        if self.counts.active >= self._max_requests:
            raise self._overloaded(f"{self.counts.active} requests are under way")
        failed = _NONE_FAILED
        index = self._choose(members, call, tried)
        if index == _NOBODY:
            raise self._unavailable(members)
        while True:
            endpoint = members.endpoints[index]
            began = self._begin(call, endpoint, index)
            response: UpstreamResponse | None = None
            error: UpstreamError | None = None
            try:
                http1 = endpoint.http1
                waiting = endpoint.pool.waiting if http1 is None else http1.waiting
                if waiting >= self._max_pending:
                    raise self._overloaded(f"{waiting} requests wait for a connection")
                if call.per_try_timeout is not None:
                    response = await _send_within(endpoint, call.request, call.per_try_timeout)
                elif http1 is not None:
                    response = await http1.send(call.request)
                else:
                    response = await endpoint.pool.send(call.request)
            except UpstreamError as raised:
                endpoint.end(GIVEN_UP)
                error = raised
            except BaseException:
                endpoint.end(GIVEN_UP)
                raise
            if response is not None and response.status < 500:
                self._succeeded(members, call, endpoint, response, began, failed)
                return response
            # Out of the handler: compiled, what waits inside one shows its exception to whatever
            # runs meanwhile.
            tried = (*tried, index)
            if error is not None:
                call.note_try(began, 0, error.kind)
                failed = self._count_failure(members, index, error, call, failed)
                goes_on = self._may_go_elsewhere(call, members, tried, error)
                # What nobody has got yet burdens nobody: when all are down, that is known at once.
                waits = error.progress != Progress.UNSENT and len(tried) > 1
            else:
                assert response is not None
                response.hold(endpoint)
                call.note_try(began, response.status, "")
                failed = (*failed, (index, _SERVER_FAILURE))
                self._heed_pause(endpoint, response)
                goes_on = waits = self._may_repeat(call, members, tried, response.status)
            if goes_on:
                try:
                    unsent = error is not None and error.progress == Progress.UNSENT
                    index = await self._next(members, call, tried, waits=waits, unsent=unsent)
                except BaseException:
                    if response is not None:
                        response.abort()
                    raise
                if index != _NOBODY:
                    if response is not None:
                        response.abort()
                    continue
            self._give_up(members, call, failed)
            if response is None:
                assert error is not None
                try:
                    raise self._last(members, error)
                finally:
                    # Its traceback has this frame: they would hold each other.
                    error = None
            call.answered = _perf_counter_ns()
            return response

    def _begin(self, call: UpstreamCall, endpoint: Endpoint, index: int) -> int:
        """Count a try at an endpoint; when it began, in nanoseconds."""
        self.counts.active += 1
        call.tries += 1
        call.endpoint = endpoint
        call.index = index
        request = call.request
        request.host = call.host or endpoint.authority
        began = _perf_counter_ns()
        if not call.began:
            call.began = began
        if call.observation is not None:
            request.headers = call.observation.fields_of_try(request.headers, call.tries)
        return began

    def _succeeded(
        self,
        members: Members,
        call: UpstreamCall,
        endpoint: Endpoint,
        response: UpstreamResponse,
        began: int,
        failed: Failures,
    ) -> None:
        """The endpoint has answered, and the client gets that."""
        call.answered = _perf_counter_ns()
        call.latency = (call.answered - began) // 1000
        endpoint.paused_until = 0.0
        if not endpoint.is_doubted:
            endpoint.succeeded(call.latency)
        if failed:
            self._confirm(members, call, failed)
        if self._sticky is not None and not call.is_kept:
            call.cookie = self._sticky.field(endpoint.key, secure=call.is_secure)
        if response.status == _SWITCHING_PROTOCOLS:
            # How a tunnel ends says nothing.
            response.hold(endpoint)
        else:
            call.judge = self
            call.leased = endpoint
            response.hold(call)

    def broke_off(self, call: UpstreamCall) -> None:
        """Part of `Judge`. No other endpoint was asked for the request, so that the failure may be
        its own.
        """
        endpoint, members = call.leased, self._members
        assert endpoint is not None
        endpoint.is_doubted = True
        index = members.indices.get(endpoint.key, _NOBODY) if members is not None else _NOBODY
        if members is not None and index != _NOBODY:
            self._failed(members, index, _GATEWAY_FAILURE, call, confirmed=False)

    # Which endpoint.

    def _choose(self, members: Members, call: UpstreamCall, tried: tuple[int, ...]) -> int:
        if self._sticky is not None and not tried:
            key = self._sticky.read(call.request.headers)
            index = members.indices.get(key, _NOBODY) if key is not None else _NOBODY
            if index != _NOBODY and members.group.take(index):
                call.is_kept = True
                return index
        return members.pick(call.hash, tried)

    async def _next(
        self, members: Members, call: UpstreamCall, tried: tuple[int, ...], *, waits: bool, unsent: bool
    ) -> int:
        """The endpoint for the next try, after a pause where one is due; ``unsent``: nobody has got
        the request yet.
        """
        retry = self._settings.retry
        assert retry is not None
        if waits:
            most = min(retry.max_backoff, retry.backoff * 2 ** (len(tried) - 1))
            await asyncio.sleep(most * random())
        # A sticky client whose endpoint failed is to be kept by the next.
        call.is_kept = False
        left_out = tried if unsent else (*tried, *_paused(members, tried)[:_MOST_PAUSED])
        index = members.pick(call.hash, left_out)
        if index != _NOBODY:
            self.counts.retries += 1
        return index

    def _may_go_elsewhere(
        self, call: UpstreamCall, members: Members, tried: tuple[int, ...], error: UpstreamError
    ) -> bool:
        retry = self._settings.retry
        if retry is None or len(tried) >= min(_MOST_TRIES, len(members.endpoints)) or error.kind == "overloaded":
            return False
        if error.progress == Progress.UNSENT:
            return error.kind != "closed" and (not error.has_read or _can_be_read_again(call.request))
        return (
            call.repeatable
            and len(tried) < retry.tries
            and error.progress != Progress.RESPONDED
            and _can_be_read_again(call.request)
            and len(tried) + len(_paused(members, tried)) < len(members.endpoints)
            and self._afford()
        )

    def _may_repeat(self, call: UpstreamCall, members: Members, tried: tuple[int, ...], status: int) -> bool:
        retry = self._settings.retry
        return (
            retry is not None
            and call.repeatable
            and status in retry.statuses
            and len(tried) < retry.tries
            and _can_be_read_again(call.request)
            and len(tried) + len(_paused(members, tried)) < len(members.endpoints)
            and self._afford()
        )

    def _heed_pause(self, endpoint: Endpoint, response: UpstreamResponse) -> None:
        retry = self._settings.retry
        if retry is not None and response.status in retry.statuses:
            pause = pause_of(response.headers, wall_clock())
            if pause:
                endpoint.paused_until = monotonic() + pause

    def _afford(self) -> bool:
        if self.budget.take():
            return True
        self.counts.retries_denied += 1
        return False

    # What failures say of endpoints.

    def _count_failure(
        self, members: Members, index: int, error: UpstreamError, call: UpstreamCall, failed: Failures
    ) -> Failures:
        """Count what is the endpoint's for certain; the others are added to ``failed``."""
        if error.kind in _OURS:
            return failed
        if error.progress != Progress.UNSENT:
            return (*failed, (index, _GATEWAY_FAILURE))
        self._failed(members, index, _GATEWAY_FAILURE, call, confirmed=True)
        return failed

    def _confirm(self, members: Members, call: UpstreamCall, failed: Failures) -> None:
        for index, kind in failed:
            self._failed(members, index, kind, call, confirmed=True)

    def _give_up(self, members: Members, call: UpstreamCall, failed: Failures) -> None:
        for index, kind in failed:
            self._failed(members, index, kind, call, confirmed=False)

    def _failed(self, members: Members, index: int, kind: int, call: UpstreamCall, *, confirmed: bool) -> None:
        who = zlib.crc32(_network_of(call.client).encode())
        group = members.group
        time = group.failed(index, kind, who, confirmed)
        if not time and confirmed and self._stands_out(members, index):
            time = group.eject(index)
        if time:
            members.endpoints[index].ejections += 1
            _log.warning(
                "upstream %s: %s is ejected for %.1f s: it fails", self.name, members.endpoints[index].name, time / 1000
            )

    def _stands_out(self, members: Members, index: int) -> bool:
        eject = self._settings.eject
        now = monotonic()
        # To compare all endpoints takes a while: not with each failure of many.
        if eject is None or not eject.share or len(members.endpoints) < 2 or now - members.watched < 0.1:
            return False
        members.watched = now
        states = [self._table.state(endpoint.key) for endpoint in members.endpoints]
        counts = [(state.requests, state.failures) for state in states]
        if members.watch is None:
            members.watch = ShareWatch(eject.share, counts, now)
            return False
        return members.watch.stands_out(index, counts, now)

    # Refusals.

    def _last(self, members: Members, error: UpstreamError) -> UpstreamError:
        """What a request ends with that found no other endpoint."""
        several = len(members.endpoints) > 1 and self._settings.retry is not None
        if several and error.progress == Progress.UNSENT and error.kind not in _OURS:
            return self._unavailable(members, str(error))
        return error

    def _overloaded(self, reason: str) -> UpstreamOverloaded:
        self.counts.overloads += 1
        return UpstreamOverloaded(f"upstream {self.name}: {reason}")

    def _unavailable(self, members: Members | None, reason: str = "") -> UpstreamUnavailable:
        self.counts.unavailable += 1
        waits = [self._settings.check_interval or 1.0]
        if members is not None:
            states = [self._table.state(endpoint.key) for endpoint in members.endpoints]
            waits += [state.ejected_for / 1000 for state in states if state.ejected_for]
            reason = reason or "all endpoints are down, draining or ejected"
        else:
            reason = reason or "no endpoint is known"
        return UpstreamUnavailable(f"upstream {self.name}: {reason}", max(1, math.ceil(min(waits))))

    # Hedging.

    async def _send_hedged(self, call: UpstreamCall, after: float) -> UpstreamResponse:
        """Send it a second time beside the first, once that has taken ``after``; whichever answers
        first serves.
        """
        loop = asyncio.get_running_loop()
        calls = {loop.create_task(self._send(call, _NONE_TRIED)): call}
        twin: UpstreamCall | None = None
        try:
            done, pending = await asyncio.wait(calls, timeout=after)
            if pending and call.index != _NOBODY and self._afford():
                twin = call.twin()
                self.counts.hedges += 1
                second = loop.create_task(self._send(twin, (call.index,)))
                calls[second] = twin
                pending.add(second)
            answered = [task for task in done if task.exception() is None]
            # A failure serves only when nobody is left who may answer.
            while pending and not answered:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                answered = [task for task in done if task.exception() is None]
            won = (answered or list(done))[0]
            best = calls.pop(won)
            call.endpoint, call.cookie = best.endpoint, best.cookie
            call.answered, call.latency = best.answered, best.latency
            return won.result()
        finally:
            if twin is not None:
                call.tries += twin.tries
                if twin.tried is not None:
                    call.tried = [*(call.tried or ()), *twin.tried]
            for task in calls:
                if not task.cancel() and not task.cancelled() and task.exception() is None:
                    task.result().abort()


async def _send_within(endpoint: Endpoint, request: UpstreamRequest, seconds: float) -> UpstreamResponse:
    try:
        async with asyncio.timeout(seconds):
            return await endpoint.pool.send(request)
    except TimeoutError:
        raise UpstreamTimeout(f"upstream {endpoint.name}: no response within {seconds:g} s", Progress.SENT) from None


def _paused(members: Members, tried: tuple[int, ...]) -> tuple[int, ...]:
    """The indices of those that have asked for no retries now, without ``tried``."""
    now = monotonic()
    return tuple(
        [
            index
            for index, endpoint in enumerate(members.endpoints)
            if endpoint.paused_until > now and index not in tried
        ]
    )


def _can_be_read_again(request: UpstreamRequest) -> bool:
    body = request.body
    return isinstance(body, bytes) or (isinstance(body, ReplayableBody) and body.rewind())


def _network_of(client: str) -> str:
    """The network of a client that is likely to be one person's: with IPv6, its first four groups
    (RFC 6177).
    """
    return client if ":" not in client else ":".join(client.split(":")[:4])
