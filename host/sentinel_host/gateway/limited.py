"""Requests that a limit refuses, for which nothing else is made: no exchange, no run of the chain,
no summary that nobody reads.

Rule 1: what is refused here is told, counted, logged and completed as by a `ProxyExchange`.
Rule 2: only requests are checked here whose refusal needs nothing of an exchange: none that is
        observed, timed, may be a gRPC call, asks for an upgrade or has a body that is too large.
"""

from __future__ import annotations

from time import perf_counter_ns, time_ns
from typing import Final

from sentinel_host.gateway.abilities import Abilities
from sentinel_host.gateway.routes import Route
from sentinel_host.gateway.stats import Stats
from sentinel_host.http.rules import Admitted
from sentinel_host.http.server.replies import error_reply
from sentinel_host.messages import Headers, Outcome, Summary
from sentinel_host.observe.recorder import Recorder
from sentinel_host.pipeline import ChainRun

STATUS: Final = 429

_COMPLETED: Final = Outcome.COMPLETED
_REPLY: Final = error_reply(STATUS)


def is_plain(
    stats: Stats, recorder: Recorder, admitted: Admitted, route: Route, abilities: Abilities, started: int
) -> bool:
    """Whether the first limits of the route can be checked before there is an exchange; ``started``
    is the time now, by `perf_counter_ns`.
    """
    limits = route.limits
    if limits is None or not limits.is_early or abilities.upgrade:
        return False
    if recorder.is_on or started >= recorder.watch_at or admitted.observed is not None or stats.stages is not None:
        return False
    head = admitted.head
    if head.method == "POST" and (route.grpc_web or head.http_version in ("2", "3")):
        return False
    most, length = route.body_bytes, admitted.content_length
    return most is None or length is None or length <= most


class LimitRefusal:
    """The response to a request that a limit refused, for `send_framed`. `end` is to be called
    once, when it was sent or could not be.
    """

    __slots__ = ("_admitted", "_recorder", "_route", "_started", "_stats", "body", "headers", "is_head")

    def __init__(
        self,
        stats: Stats,
        recorder: Recorder,
        admitted: Admitted,
        route: Route,
        fields: Headers,
        started: int,
    ) -> None:
        """``fields`` tell of the limits; ``started`` is when the request began, by
        `perf_counter_ns`.
        """
        self._stats = stats
        self._recorder = recorder
        self._admitted = admitted
        self._route = route
        self._started = started
        head = admitted.head
        headers: Headers = _REPLY.headers + fields
        headers.append((b"x-request-id", head.request_id.encode("ascii")))
        self.headers = headers
        self.body = _REPLY.body
        self.is_head = head.method == "HEAD"

    def end(self, outcome: Outcome) -> None:
        """The exchange is over: count it, and tell those who hear of every request."""
        head, route, recorder = self._admitted.head, self._route, self._recorder
        duration = (perf_counter_ns() - self._started) // 1000
        sent = 0 if self.is_head else len(self.body)
        self._stats.routes[route.name].add(STATUS, head.method, outcome, duration, 0, sent)
        is_late = recorder.looks_back and (duration >= recorder.slow or outcome != _COMPLETED)
        if not is_late and recorder.access_log is None and not route.chain.completers:
            return
        summary = Summary(
            request_id=head.request_id,
            method=head.method,
            path=head.path,
            query=head.query,
            route=route.name,
            authority=head.authority,
            client=head.client,
            http_version=head.http_version,
            started_at=time_ns() // 1000 - duration,
            duration=duration,
            status=STATUS,
            response_bytes=sent,
            outcome=outcome,
        )
        if is_late:
            recorder.end(None, self._admitted, summary, self._started, [])
        if recorder.access_log is not None:
            recorder.access_log.add(summary, head.headers, "")
        ChainRun(route.chain, head.request_id, head.client).on_complete(summary)
