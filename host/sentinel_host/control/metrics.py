"""The gateway's counts as Prometheus metrics: collected when somebody asks, never while a request is served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from sentinel_host.gateway import Gateway
from sentinel_host.gateway.stats import Histogram
from sentinel_host.messages import Outcome


class ConnectionCounts(Protocol):
    """What the server side counts; `sentinel_host.http.lane.Connections` has it."""

    open: int
    accepted: int

    @property
    def limits_hit(self) -> Mapping[str, int]:
        """Limit to how often clients ran into it."""


class GatewayCollector(Collector):
    """Renders `Stats`, the upstream pools and the connections of one worker."""

    def __init__(self, gateway: Gateway, connections: ConnectionCounts) -> None:
        self._gateway = gateway
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        """One pass over all counts."""
        yield from self._requests()
        yield from self._upstreams()
        yield from self._clients()
        yield from self._guests()

    def _requests(self) -> Iterator[Metric]:
        stats = self._gateway.stats
        requests = CounterMetricFamily(
            "sentinel_requests", "Requests that reached a route, by status; 0 is none sent.", labels=["route", "status"]
        )
        aborted = CounterMetricFamily(
            "sentinel_requests_aborted", "Exchanges that broke off, by who did.", labels=["route", "by"]
        )
        duration = HistogramMetricFamily(
            "sentinel_request_duration_seconds", "From a request's head to the end of its response.", labels=["route"]
        )
        received = HistogramMetricFamily("sentinel_request_size_bytes", "Bodies of requests.", labels=["route"])
        sent = HistogramMetricFamily("sentinel_response_size_bytes", "Bodies of responses.", labels=["route"])
        for name, route in stats.routes.items():
            for status, count in route.statuses.items():
                requests.add_metric([name, str(status)], count)
            for outcome, count in route.outcomes.items():
                aborted.add_metric([name, Outcome(outcome).name.lower().removesuffix("_aborted")], count)
            _add(duration, name, route.duration)
            _add(received, name, route.request_size)
            _add(sent, name, route.response_size)
        refused = CounterMetricFamily(
            "sentinel_requests_refused", "Requests that reached no route, by status.", labels=["status"]
        )
        for status, count in stats.refused.items():
            refused.add_metric([str(status)], count)
        active = GaugeMetricFamily("sentinel_requests_active", "Requests being served.", value=stats.active)
        yield from (requests, aborted, duration, received, sent, refused, active)

    def _upstreams(self) -> Iterator[Metric]:
        failures = CounterMetricFamily(
            "sentinel_upstream_failures", "Requests that an upstream failed, by kind.", labels=["upstream", "kind"]
        )
        for (failed, kind), count in self._gateway.stats.upstream_failures.items():
            failures.add_metric([failed, kind], count)
        labels = ["upstream", "target"]
        opened = GaugeMetricFamily("sentinel_upstream_connections", "Connections that are open.", labels=labels)
        idle = GaugeMetricFamily("sentinel_upstream_connections_idle", "Open and unused.", labels=labels)
        waiting = GaugeMetricFamily("sentinel_upstream_waiting", "Requests waiting for a connection.", labels=labels)
        connects = CounterMetricFamily("sentinel_upstream_connects", "Connections that were made.", labels=labels)
        for name, upstream in self._gateway.generation.upstreams.items():
            for pool in upstream.pools:
                target = [name, str(pool.target)]
                opened.add_metric(target, pool.open)
                idle.add_metric(target, pool.idle)
                waiting.add_metric(target, pool.waiting)
                connects.add_metric(target, pool.connects)
        yield from (failures, opened, idle, waiting, connects)

    def _clients(self) -> Iterator[Metric]:
        connections = self._connections
        yield GaugeMetricFamily("sentinel_connections", "Client connections that are open.", value=connections.open)
        yield CounterMetricFamily("sentinel_connections_accepted", "Client connections.", value=connections.accepted)
        limits = CounterMetricFamily(
            "sentinel_limits_hit",
            "Limits and deadlines that clients ran into; refused is bad framing.",
            labels=["limit"],
        )
        for limit, count in connections.limits_hit.items():
            limits.add_metric([limit], count)
        yield limits

    def _guests(self) -> Iterator[Metric]:
        missing = GaugeMetricFamily("sentinel_guest_missing", "Guests that could not be loaded.", labels=["guest"])
        for name in self._gateway.generation.faults:
            missing.add_metric([name], 1)
        yield missing


def _add(family: HistogramMetricFamily, label: str, histogram: Histogram) -> None:
    buckets = []
    total = 0
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else str(bound), total))
    family.add_metric([label], buckets, histogram.sum)
