"""A client's request to an upstream: what it asks, what it allows, and what became of it."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Protocol

from sentinel_host.http.client import BROKEN, WHOLE, Lease, UpstreamRequest
from sentinel_host.observe.recorder import Observation
from sentinel_host.upstream.endpoint import Endpoint


class Judge(Protocol):
    """Who draws conclusions from responses."""

    def broke_off(self, call: UpstreamCall) -> None:
        """The endpoint has broken off a response whose head was passed on."""
        ...


class UpstreamCall(Lease):
    """One request, however often it is tried.

    ``host`` is its Host; empty: that of the endpoint. ``client`` is who is counted when endpoints
    fail. ``repeatable`` says that it may be sent again after an upstream may have seen it. ``hash``
    chooses the endpoint where the upstream balances so. Times are in seconds, None where there is
    no limit: ``timeout`` for the head of the answer, all tries included, ``per_try_timeout`` for
    that of each, ``hedge_after`` until a second try begins beside the first.

    Afterwards ``tries`` is how often it was sent, ``endpoint`` where the answer comes from, or the
    last failure, and ``cookie`` the field that keeps the client there, if it is to be kept;
    ``is_kept`` says that it has the cookie already. It is the lease of its response, which comes
    from ``leased``: ``judge`` hears when it breaks off. ``latency`` is when its head came after its
    try began, in microseconds; ``began`` and ``answered`` are when the first try began and when the
    head came, in nanoseconds of the performance counter. ``tried`` is the tries that did not serve,
    if any: the endpoint's name, when the try began and ended, the status or 0, and the kind of
    error. ``observation`` is there if the request takes part in a trace that is recorded.
    """

    __slots__ = (
        "answered",
        "began",
        "client",
        "cookie",
        "endpoint",
        "hash",
        "hedge_after",
        "host",
        "index",
        "is_kept",
        "is_secure",
        "judge",
        "latency",
        "leased",
        "observation",
        "per_try_timeout",
        "repeatable",
        "request",
        "timeout",
        "tried",
        "tries",
    )

    def __init__(self, request: UpstreamRequest, host: bytes, client: str, repeatable: bool, hash: int = 0) -> None:
        self.request = request
        self.host = host
        self.client = client
        self.repeatable = repeatable
        self.hash = hash
        self.timeout: float | None = None
        self.per_try_timeout: float | None = None
        self.hedge_after: float | None = None
        self.is_secure = False
        self.is_kept = False
        self.tries = 0
        self.index = -1
        self.latency = 0
        self.began = 0
        self.answered = 0
        self.tried: list[tuple[str, int, int, int, str]] | None = None
        self.observation: Observation | None = None
        self.judge: Judge | None = None
        self.leased: Endpoint | None = None
        self.endpoint: Endpoint | None = None
        self.cookie: tuple[bytes, bytes] | None = None

    def note_try(self, began: int, status: int, error: str) -> None:
        """A try of ``endpoint`` has ended now that began then, and did not serve."""
        assert self.endpoint is not None
        if self.tried is None:
            self.tried = []
        self.tried.append((self.endpoint.name, began, perf_counter_ns(), status, error))

    def end(self, how: int) -> None:
        """Part of `Lease`."""
        endpoint = self.leased
        assert endpoint is not None
        endpoint.end(how)
        if how == BROKEN:
            if self.judge is not None:
                self.judge.broke_off(self)
        elif how == WHOLE and endpoint.is_doubted:
            endpoint.is_doubted = False
            endpoint.succeeded(self.latency)

    def twin(self) -> UpstreamCall:
        """The same request, to be sent beside this one."""
        asked = self.request
        request = UpstreamRequest(
            asked.method,
            asked.target,
            asked.headers,
            asked.host,
            asked.body,
            asked.content_length,
            asked.informed,
            asked.upgrade,
            asked.takes_trailers,
        )
        request.idle_timeout = asked.idle_timeout
        request.response_timeout = asked.response_timeout
        request.proxy_header = asked.proxy_header
        twin = UpstreamCall(request, self.host, self.client, self.repeatable, self.hash)
        twin.per_try_timeout = self.per_try_timeout
        twin.is_secure = self.is_secure
        twin.observation = self.observation
        return twin
