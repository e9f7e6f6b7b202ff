"""One worker's counts as a snapshot; only a process that serves the data plane imports this."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from sentinel_host.abi.contract import HTTP_ERRORS
from sentinel_host.control.snapshot import (
    GUESTS_OWN,
    LIMIT_KEYS,
    Description,
    Distribution,
    EndpointReport,
    Exemplar,
    Numbers,
    Snapshot,
    UpstreamReport,
    merge,
)
from sentinel_host.gateway.app import Gateway
from sentinel_host.gateway.generation import Generation
from sentinel_host.gateway.stats import LAG_BUCKETS, LATENCY_BUCKETS, SIZE_BUCKETS, STAGES, Histogram, StageTimes, Stats
from sentinel_host.http.server.connections import ServerConnection
from sentinel_host.messages import Outcome
from sentinel_host.sandbox import Description as Told
from sentinel_host.sandbox import Series
from sentinel_host.upstream import Upstream
from sentinel_host.upstream.endpoint import UpstreamCounts


class ConnectionCounts(Protocol):
    """The counts of `sentinel_host.http.server.Connections`."""

    open: int
    accepted: int

    @property
    def active(self) -> Collection[ServerConnection]:
        """Those that speak HTTP by now."""

    @property
    def limits_hit(self) -> Mapping[str, int]:
        """How often clients exceeded each limit."""


def collect(gateway: Gateway, connections: ConnectionCounts) -> Snapshot:
    """The counts of this process: requests, upstreams, connections and guests."""
    return merge(
        [
            _requests(gateway),
            _upstreams(gateway.stats, gateway.generation),
            Snapshot(counters={"sentinel_endpoint_check_changes": gateway.check_changes()}),
            Snapshot(upstreams={name: _report(each) for name, each in gateway.generation.upstreams.items()}),
            _connections(connections),
            _guests(gateway),
            _own_metrics(gateway.guest_metrics(), gateway.guest_descriptions()),
        ]
    )


def _requests(gateway: Gateway) -> Snapshot:
    stats = gateway.stats
    routes = stats.routes.items()
    return Snapshot(
        counters={
            "sentinel_requests": {
                (name, str(status)): count for name, route in routes for status, count in route.statuses.items()
            },
            "sentinel_requests_by_method": {
                (name, method): count for name, route in routes for method, count in route.methods.items()
            },
            "sentinel_requests_aborted": {
                (name, Outcome(outcome).name.lower().removesuffix("_aborted")): count
                for name, route in routes
                for outcome, count in route.outcomes.items()
            },
            "sentinel_requests_refused": {(str(status),): count for status, count in stats.refused.items()},
            "sentinel_limit_checks": {
                (*limit, verdict): count
                for limit, counts in stats.limits.items()
                for verdict, count in counts.by_verdict()
                if count
            },
            "sentinel_mirrored_requests": {
                (*mirror, result): count
                for mirror, counts in stats.mirrors.items()
                for result, count in counts.by_result()
            },
            "sentinel_records": {(result,): count for result, count in gateway.recorder.counts().items()},
            **_stage_counters(stats.stages),
        },
        gauges={
            "sentinel_requests_active": {(): gateway.manager.requests},
            LIMIT_KEYS: {
                (*limit, key): count
                for limit, counts in stats.limits.items()
                for key, count in counts.keys.counts.items()
            },
        },
        histograms={
            "sentinel_request_duration_seconds": _distribution(
                LATENCY_BUCKETS, {name: route.duration for name, route in routes}, gateway.recorder.exemplars
            ),
            "sentinel_upstream_duration_seconds": _distribution(LATENCY_BUCKETS, dict(stats.upstream_durations)),
            "sentinel_loop_lag_seconds": Distribution(LAG_BUCKETS, {(): [*stats.loop_lag.counts, stats.loop_lag.sum]}),
            "sentinel_request_size_bytes": _distribution(
                SIZE_BUCKETS, {name: route.request_size for name, route in routes}
            ),
            "sentinel_response_size_bytes": _distribution(
                SIZE_BUCKETS, {name: route.response_size for name, route in routes}
            ),
        },
    )


def _upstreams(stats: Stats, generation: Generation) -> Snapshot:
    opened: Numbers = {}
    idle: Numbers = {}
    waiting: Numbers = {}
    connects: Numbers = {}
    ejections: Numbers = {}
    for name, upstream in generation.upstreams.items():
        for endpoint in upstream.endpoints:
            pool, target = endpoint.pool, (name, endpoint.name)
            opened[target] = opened.get(target, 0) + pool.open
            idle[target] = idle.get(target, 0) + pool.idle
            waiting[target] = waiting.get(target, 0) + pool.waiting
            connects[target] = connects.get(target, 0) + pool.connects
            ejections[target] = ejections.get(target, 0) + endpoint.ejections
    failures: Numbers = {(name, target, kind): count for (name, target, kind), count in stats.upstream_failures.items()}
    return Snapshot(
        counters={
            "sentinel_upstream_failures": failures,
            "sentinel_upstream_connects": connects,
            "sentinel_endpoint_ejections": ejections,
            **_upstream_counters({name: upstream.counts for name, upstream in generation.upstreams.items()}),
        },
        gauges={
            "sentinel_upstream_connections": opened,
            "sentinel_upstream_connections_idle": idle,
            "sentinel_upstream_waiting": waiting,
        },
    )


def _upstream_counters(counts: Mapping[str, UpstreamCounts]) -> dict[str, Numbers]:
    return {
        f"sentinel_upstream_{what}": {(name,): getattr(each, what) for name, each in counts.items()}
        for what in ("retries", "retries_denied", "hedges", "overloads", "unavailable")
    }


def _report(upstream: Upstream) -> UpstreamReport:
    return UpstreamReport(
        upstream.policy,
        upstream.slow_start,
        {
            endpoint.key: EndpointReport(
                endpoint.name,
                weight,
                endpoint.pool.open,
                endpoint.pool.idle,
                endpoint.pool.waiting,
                endpoint.pool.tunnels,
            )
            for endpoint, weight in upstream.weighted_endpoints
        },
    )


def _connections(connections: ConnectionCounts) -> Snapshot:
    idle = sum(1 for connection in connections.active if connection.is_idle)
    return Snapshot(
        counters={
            "sentinel_connections_accepted": {(): connections.accepted},
            "sentinel_limits_hit": {(limit,): count for limit, count in connections.limits_hit.items()},
        },
        gauges={
            "sentinel_connections": {(): connections.open},
            "sentinel_connections_by_state": {("idle",): idle, ("active",): len(connections.active) - idle},
        },
    )


def _guests(gateway: Gateway) -> Snapshot:
    guests, states = gateway.guest_counts(), gateway.guest_states()
    return Snapshot(
        counters={
            **_guest_counters(guests),
            "sentinel_guest_swaps": {(state.name,): state.swaps for state in states},
            "sentinel_guest_failed_loads": {(state.name,): state.failed_loads for state in states},
        },
        gauges={
            **{
                f"sentinel_guest_{name}": {(guest,): counts[name] for guest, counts in guests.items()}
                for name in ("instances", "memory_bytes", "waiting", "quarantined")
            },
            "sentinel_guest_info": {(state.name, state.sha256): 1 for state in states if state.state == "serving"},
            "sentinel_guest_canary": {(state.name,): 1 for state in states if state.canary},
            "sentinel_guest_missing": {(name,): 1 for name in gateway.generation.faults},
        },
    )


def _own_metrics(guests: dict[str, list[Series]], descriptions: dict[str, list[Told]]) -> Snapshot:
    return Snapshot(
        counters={GUESTS_OWN: _own_counters(guests)},
        own_histograms=_own_histograms(guests),
        descriptions={
            (guest, each.name): Description(each.is_histogram, each.help, each.unit, each.bounds, each.at)
            for guest, found in descriptions.items()
            for each in found
        },
    )


def _stage_counters(stages: StageTimes | None) -> dict[str, Numbers]:
    if stages is None:
        return {}
    return {
        "sentinel_stage_seconds": {(name,): stages.nanoseconds[stage] / 1e9 for stage, name in enumerate(STAGES)},
        "sentinel_stage_passes": {(name,): stages.passes[stage] for stage, name in enumerate(STAGES)},
    }


def _guest_counters(guests: dict[str, dict[str, int]]) -> dict[str, Numbers]:
    plain = ("calls", "suspensions", "traps", "deadlines", "protocol_errors", "quarantines", "instances_started")
    counters: dict[str, Numbers] = {
        f"sentinel_guest_{name}": {(guest,): counts[name] for guest, counts in guests.items()}
        for name in (*plain, "log_lines_cut")
    }
    counters["sentinel_guest_cpu_seconds"] = {(guest,): counts["cpu_ns"] / 1e9 for guest, counts in guests.items()}
    counters["sentinel_guest_metrics_dropped"] = {
        (guest, reason): counts[f"metrics_{reason}"]
        for guest, counts in guests.items()
        for reason in ("full", "invalid")
    }
    counters["sentinel_guest_http_calls"] = {
        (guest, outcome): counts[f"http_{outcome}"]
        for guest, counts in guests.items()
        for outcome in ("answered", *HTTP_ERRORS)
    }
    counters["sentinel_guest_kv_calls"] = {(guest,): counts["kv_calls"] for guest, counts in guests.items()}
    counters["sentinel_guest_kv_refused"] = {
        (guest, reason): counts[f"kv_{reason}"]
        for guest, counts in guests.items()
        for reason in ("full", "unavailable")
    }
    counters["sentinel_guest_refused"] = {
        (guest, reason): counts[f"refused_{reason}"]
        for guest, counts in guests.items()
        for reason in ("quarantined", "busy")
    }
    return counters


def _own_counters(guests: dict[str, list[Series]]) -> Numbers:
    return {
        (guest, series.name, *series.labels): series.values[0]
        for guest, found in guests.items()
        for series in found
        if not series.is_histogram
    }


def _own_histograms(guests: dict[str, list[Series]]) -> dict[tuple[str, str], Distribution]:
    histograms: dict[tuple[str, str], Distribution] = {}
    for guest, found in guests.items():
        for series in found:
            if series.is_histogram:
                # All series of a histogram have the same bounds.
                histogram = histograms.setdefault((guest, series.name), Distribution(series.bounds))
                histogram.values[series.labels] = list(series.values)
    return histograms


def _distribution(
    bounds: tuple[float, ...],
    histograms: dict[str, Histogram],
    exemplars: Mapping[str, dict[int, Exemplar]] | None = None,
) -> Distribution:
    return Distribution(
        bounds,
        {(name,): [*found.counts, found.sum] for name, found in histograms.items()},
        {(name,): dict(found) for name, found in (exemplars or {}).items()},
    )
