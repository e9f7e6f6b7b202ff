"""What operators are told about routes: what they match, where requests go, and how these fare."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Literal, TypeAlias

import msgspec

from sentinel_host.config import Config, RouteConfig
from sentinel_host.config.effective import shown
from sentinel_host.config.goes_to import goes_to
from sentinel_host.control.snapshot import Distribution, Snapshot

Kind: TypeAlias = Literal["upstream", "split", "respond", "redirect"]
_DURATION = "sentinel_request_duration_seconds"


class LatencyView(msgspec.Struct, frozen=True):
    """How long requests took, in seconds. ``counts`` are by bucket, up to each of ``bounds`` and
    beyond all of them.

    ``p50``, ``p95`` and ``p99`` are of all requests since the start, estimated within their
    buckets; those of a shorter time follow from the difference of two ``counts``.
    """

    count: int
    sum: float
    p50: float
    p95: float
    p99: float
    bounds: list[float]
    counts: list[int]


class RouteView(msgspec.Struct, frozen=True):
    """A route. ``kind`` and ``goes_to`` tell where its requests go; ``upstreams`` are those with
    their weights.

    ``requests`` are all since the start, ``statuses`` them by status, ``failed`` those that were
    answered with 500 or more, and ``aborted`` those that broke off.
    """

    name: str
    path: str
    scheme: str | None
    hosts: list[str]
    methods: list[str]
    headers: dict[str, str]
    guests: list[str]
    limits: list[str]
    kind: Kind
    goes_to: str
    upstreams: dict[str, int]
    mirror: str | None
    requests: int
    statuses: dict[str, int]
    failed: int
    aborted: int
    latency: LatencyView


def view_routes(config: Config, snapshot: Snapshot) -> list[RouteView]:
    """Every route of the configuration, in its order; ``snapshot`` is the sum of all workers."""
    return [_view(config, index, route, snapshot) for index, route in enumerate(config.route)]


def _view(config: Config, index: int, route: RouteConfig, snapshot: Snapshot) -> RouteView:
    name = route.name or route.path
    statuses = _of(snapshot.counters.get("sentinel_requests", {}), name)
    aborted = _of(snapshot.counters.get("sentinel_requests_aborted", {}), name)
    distribution = snapshot.histograms.get(_DURATION, Distribution())
    return RouteView(
        name=name,
        path=route.path,
        scheme=route.scheme,
        hosts=route.hosts,
        methods=route.methods,
        headers={key: shown(config, f"route[{index}].headers.{key}", value) for key, value in route.headers.items()},
        guests=[entry.guest for entry in route.entries()],
        limits=[limit.name for limit in route.all_limits()],
        kind=_kind(route),
        goes_to=goes_to(config, route),
        upstreams=route.split or ({route.upstream: 1} if route.upstream else {}),
        mirror=route.mirror.upstream if route.mirror is not None else None,
        requests=sum(statuses.values()),
        statuses=statuses,
        failed=sum(count for status, count in statuses.items() if int(status) >= 500),
        aborted=sum(aborted.values()),
        latency=view_latency(distribution.bounds, distribution.values.get((name,), [])),
    )


def view_latency(bounds: tuple[float, ...], values: list[float]) -> LatencyView:
    """Of a histogram's values: a count for each bucket, and the sum."""
    counts = [int(value) for value in values[:-1]]
    return LatencyView(
        count=sum(counts),
        sum=values[-1] if values else 0.0,
        p50=quantile(bounds, counts, 0.5),
        p95=quantile(bounds, counts, 0.95),
        p99=quantile(bounds, counts, 0.99),
        bounds=list(bounds),
        counts=counts,
    )


def quantile(bounds: tuple[float, ...], counts: list[int], share: float) -> float:
    """Estimated as Prometheus does: evenly within a bucket. Beyond the last bound it is that bound,
    and 0 where nothing was counted.
    """
    total = sum(counts)
    if not total:
        return 0.0
    rank = share * total
    for index, reached in enumerate(accumulate(counts)):
        if reached >= rank and counts[index]:
            if index >= len(bounds):
                return bounds[-1]
            lower = bounds[index - 1] if index else 0.0
            return lower + (bounds[index] - lower) * (rank - (reached - counts[index])) / counts[index]
    return bounds[-1]


def _of(numbers: Mapping[tuple[str, ...], float], route: str) -> dict[str, int]:
    return {labels[1]: int(value) for labels, value in sorted(numbers.items()) if labels[0] == route and value}


def _kind(route: RouteConfig) -> Kind:
    if route.respond is not None:
        return "respond"
    if route.redirect is not None:
        return "redirect"
    return "split" if route.split is not None else "upstream"
