"""Snapshots as Prometheus metrics, rendered on request by the process that serves the admin
side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from sentinel_host.control.snapshot import GUESTS_OWN, Description, Distribution, Numbers, Snapshot
from sentinel_host.errors import UPSTREAM_FAILURES


@dataclass(frozen=True, slots=True)
class Family:
    """A metric's help text and the names of its labels."""

    help: str
    labels: tuple[str, ...] = ()


_UPSTREAM: Final = ("upstream",)
_TARGET: Final = ("upstream", "target")
_GUEST: Final = ("guest",)
_PROCESS: Final = ("process",)
_REFUSED: Final = ("guest", "reason")

COUNTERS: Final = {
    "sentinel_requests": Family("Requests that reached a route, by status; 0 if none was sent.", ("route", "status")),
    "sentinel_requests_by_method": Family(
        "Requests that reached a route, by method; others than the usual ones are other.", ("route", "method")
    ),
    "sentinel_process_cpu_seconds": Family("Processor time.", _PROCESS),
    "sentinel_requests_aborted": Family("Exchanges that broke off, by the side that did.", ("route", "by")),
    "sentinel_requests_refused": Family("Requests that reached no route, by status.", ("status",)),
    "sentinel_upstream_failures": Family(
        f"Requests that an upstream failed, by kind: {', '.join(UPSTREAM_FAILURES)}.", (*_TARGET, "kind")
    ),
    "sentinel_upstream_connects": Family("Connections that were made.", _TARGET),
    "sentinel_upstream_retries": Family("Tries after the first.", _UPSTREAM),
    "sentinel_upstream_retries_denied": Family("Requests that the retry budget did not let be tried again.", _UPSTREAM),
    "sentinel_upstream_hedges": Family("Second tries beside the first, which had not been answered.", _UPSTREAM),
    "sentinel_upstream_overloads": Family("Requests that the breaker refused.", _UPSTREAM),
    "sentinel_upstream_unavailable": Family("Requests for which there was no endpoint.", _UPSTREAM),
    "sentinel_endpoint_requests": Family("Tries that were begun.", _TARGET),
    "sentinel_endpoint_failures": Family("Tries that count as failures of the endpoint.", _TARGET),
    "sentinel_endpoint_check_changes": Family("Times that a check found the endpoint down, or up again.", _TARGET),
    "sentinel_endpoint_ejections": Family("Ejections of the endpoint.", _TARGET),
    "sentinel_connections_accepted": Family("Client connections."),
    "sentinel_guest_calls": Family("Hook calls that began.", _GUEST),
    "sentinel_guest_cpu_seconds": Family("Running time of guests' calls.", _GUEST),
    "sentinel_guest_suspensions": Family("Times that a call gave control back to the event loop.", _GUEST),
    "sentinel_guest_traps": Family("Calls that trapped, deadlines aside.", _GUEST),
    "sentinel_guest_deadlines": Family("Calls that used up their deadline.", _GUEST),
    "sentinel_guest_protocol_errors": Family("Answers that break the contract.", _GUEST),
    "sentinel_guest_quarantines": Family("Times that a guest was put into quarantine.", _GUEST),
    "sentinel_guest_refused": Family("Calls refused: the guest is quarantined, or no instance is free.", _REFUSED),
    "sentinel_guest_instances_started": Family("Instances that were made.", _GUEST),
    "sentinel_guest_swaps": Family("Versions that replaced another one, or were the first after the start.", _GUEST),
    "sentinel_guest_failed_loads": Family("Versions that could not be loaded, and files that disappeared.", _GUEST),
    "sentinel_guest_rollbacks": Family("Rollbacks of versions, automatic ones and those by an operator.", _GUEST),
    "sentinel_guest_log_lines_cut": Family("Lines beyond what one call may log.", _GUEST),
    "sentinel_guest_metrics_dropped": Family("Guests' own metrics that the gateway dropped, by reason.", _REFUSED),
    "sentinel_guest_http_calls": Family("Requests of guests to HTTP services.", ("guest", "outcome")),
    "sentinel_guest_kv_calls": Family("Calls of the store of guests' keys.", _GUEST),
    "sentinel_guest_kv_refused": Family("Calls of the store that failed, by reason.", _REFUSED),
    "sentinel_limits_hit": Family("Limits and deadlines that clients exceeded; refused is bad framing.", ("limit",)),
    "sentinel_limit_checks": Family(
        "Requests checked against a route's limit; shadowed ones were allowed.", ("route", "limit", "verdict")
    ),
    "sentinel_mirrored_requests": Family(
        "Copies of a route's requests; dropped ones were slower than their requests.", ("route", "upstream", "result")
    ),
    "sentinel_exported": Family(
        "What was sent to the collector, or lost: spans (records where they never came so far), points, lines.",
        ("signal", "result"),
    ),
    "sentinel_records": Family("Requests that were recorded, or left out for there were too many.", ("result",)),
    "sentinel_log_lines_dropped": Family("Lines of the log, guests' included, that could not be written."),
    "sentinel_access_log_lines_dropped": Family("Lines of the access log that could not be written."),
    "sentinel_stage_seconds": Family("Time that requests spent in a stage; with server.stage_times.", ("stage",)),
    "sentinel_stage_passes": Family("Requests that went through a stage.", ("stage",)),
    "sentinel_worker_restarts": Family("Workers that died and were replaced.", ("worker",)),
}
GAUGES: Final = {
    "sentinel_config_refused": Family("1 while the configuration file is refused, and the active one stays."),
    "sentinel_requests_active": Family("Requests being served."),
    "sentinel_upstream_connections": Family("Connections that are open.", _TARGET),
    "sentinel_upstream_connections_idle": Family("Open and unused.", _TARGET),
    "sentinel_upstream_waiting": Family("Requests waiting for a connection.", _TARGET),
    "sentinel_endpoint_state": Family(
        "1 for its state, 0 for the others: serving, warming, ejected, down, draining.", (*_TARGET, "state")
    ),
    "sentinel_endpoint_active": Family("Tries under way.", _TARGET),
    "sentinel_endpoint_latency_seconds": Family("Moving average of the time to an answer's head.", _TARGET),
    "sentinel_connections": Family("Client connections that are open."),
    "sentinel_connections_by_state": Family("Client connections: active ones have a request under way.", ("state",)),
    "sentinel_certificate_expiry_seconds": Family("When a listener's certificate expires, since 1970.", ("file",)),
    "sentinel_build_info": Family("Processes of these versions.", ("version", "python", "wasmtime")),
    "sentinel_process_resident_bytes": Family("Memory.", _PROCESS),
    "sentinel_process_open_descriptors": Family("Open file descriptors.", _PROCESS),
    "sentinel_process_start_seconds": Family("When it began, since 1970.", _PROCESS),
    "sentinel_guest_missing": Family("Workers in which the guest could not be loaded.", ("guest",)),
    "sentinel_guest_info": Family("Workers that serve this version of the guest.", ("guest", "sha256")),
    "sentinel_guest_canary": Family("Workers that try a new version on some of the requests.", _GUEST),
    "sentinel_guest_instances": Family("Instances.", _GUEST),
    "sentinel_guest_memory_bytes": Family("Linear memory of a guest's instances.", _GUEST),
    "sentinel_guest_waiting": Family("Requests waiting for an instance.", _GUEST),
    "sentinel_guest_quarantined": Family("Uses of a guest that are in quarantine.", _GUEST),
    "sentinel_worker_up": Family("Whether the worker is ready to serve.", ("worker",)),
}
HISTOGRAMS: Final = {
    "sentinel_upstream_duration_seconds": Family("From the first try to the head of the answer.", _UPSTREAM),
    "sentinel_loop_lag_seconds": Family("How late the event loop ran its timers."),
    "sentinel_request_duration_seconds": Family("From a request's head to the end of its response.", ("route",)),
    "sentinel_request_size_bytes": Family("Bodies of requests.", ("route",)),
    "sentinel_response_size_bytes": Family("Bodies of responses.", ("route",)),
}


_generate_openmetrics: Final[Callable[[CollectorRegistry], bytes]] = exposition.generate_latest


def render(snapshot: Snapshot, *, openmetrics: bool = False) -> bytes:
    """Prometheus' text format, or OpenMetrics', which has exemplars. Every family is there, those
    without numbers too.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_SnapshotCollector(snapshot))
    return _generate_openmetrics(registry) if openmetrics else generate_latest(registry)


class _SnapshotCollector(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        for name, family in COUNTERS.items():
            counter = CounterMetricFamily(name, family.help, labels=family.labels)
            yield _numbers(counter, self._snapshot.counters.get(name, {}))
        for name, family in GAUGES.items():
            gauge = GaugeMetricFamily(name, family.help, labels=family.labels)
            yield _numbers(gauge, self._snapshot.gauges.get(name, {}))
        for name, family in HISTOGRAMS.items():
            histogram = HistogramMetricFamily(name, family.help, labels=family.labels)
            yield _histogram(histogram, self._snapshot.histograms.get(name, Distribution()))
        yield from _guests_own(self._snapshot)


def own_descriptions(snapshot: Snapshot) -> dict[tuple[str, bool], Description]:
    """What guests say of their metrics, by name and whether it is a histogram. Of several guests
    that use the same name, the one that described it last says it.
    """
    by_age = sorted(snapshot.descriptions.items(), key=lambda item: item[1].at)
    return {(name, described.is_histogram): described for (_, name), described in by_age}


def _guests_own(snapshot: Snapshot) -> Iterator[Metric]:
    """The metrics of guests' own: one family for each name, over all guests that use it."""
    descriptions = own_descriptions(snapshot)
    counters: dict[str, Metric] = {}
    for (guest, name, *labels), value in snapshot.counters.get(GUESTS_OWN, {}).items():
        counter = counters.setdefault(name, _own_family(name, False, descriptions))
        counter.add_sample(f"guest_{name}_total", own_labels(guest, labels), value)
    histograms: dict[str, Metric] = {}
    for (guest, name), observed in snapshot.own_histograms.items():
        histogram = histograms.setdefault(name, _own_family(name, True, descriptions))
        bounds = [*map(str, observed.bounds), "+Inf"]
        for pairs, (*counts, total) in observed.values.items():
            named = own_labels(guest, pairs)
            for bound, count in zip(bounds, accumulate(counts), strict=True):
                histogram.add_sample(f"guest_{name}_bucket", named | {"le": bound}, count)
            histogram.add_sample(f"guest_{name}_count", named, sum(counts))
            histogram.add_sample(f"guest_{name}_sum", named, total)
    for name, is_histogram in descriptions:
        # A family has one type.
        if name not in counters and name not in histograms:
            (histograms if is_histogram else counters)[name] = _own_family(name, is_histogram, descriptions)
    yield from counters.values()
    yield from histograms.values()


def _own_family(name: str, is_histogram: bool, descriptions: dict[tuple[str, bool], Description]) -> Metric:
    described = descriptions.get((name, is_histogram))
    text = (described.help if described else "") or ("Observed by guests." if is_histogram else "Counted by guests.")
    family = Metric(f"guest_{name}", text, "histogram" if is_histogram else "counter")
    if described is not None:
        # Every such name ends in its unit.
        family.unit = described.unit
    return family


def own_labels(guest: str, labels: Sequence[str]) -> dict[str, str]:
    """The labels of a series of a guest's own, of which ``labels`` are names and values in turn."""
    return {"guest": guest, **dict(zip(labels[::2], labels[1::2], strict=True))}


def _numbers(metric: CounterMetricFamily | GaugeMetricFamily, numbers: Numbers) -> Metric:
    for labels, value in numbers.items():
        metric.add_metric(labels, value)
    return metric


def _histogram(metric: HistogramMetricFamily, distribution: Distribution) -> Metric:
    bounds = [*(str(bound) for bound in distribution.bounds), "+Inf"]
    for labels, (*counts, total) in distribution.values.items():
        found = distribution.exemplars.get(labels, {})
        buckets = [
            _bucket(bound, count, found.get(place))
            for place, (bound, count) in enumerate(zip(bounds, accumulate(counts), strict=True))
        ]
        metric.add_metric(labels, buckets, total)
    return metric


def _bucket(
    bound: str, count: float, found: tuple[str, str, float, float] | None
) -> tuple[str, float] | tuple[str, float, Exemplar]:
    if found is None:
        return bound, count
    trace_id, span_id, value, when = found
    return bound, count, Exemplar({"trace_id": trace_id, "span_id": span_id}, value, when)
