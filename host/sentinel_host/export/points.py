"""A snapshot of counts as OpenTelemetry metrics: the same families, names and labels as
``/metrics``.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ScopeMetrics,
)

from sentinel_host.control import Distribution, Numbers, Snapshot
from sentinel_host.control.metrics import COUNTERS, GAUGES, HISTOGRAMS, Family
from sentinel_host.control.snapshot import GUESTS_OWN
from sentinel_host.export.spans import SCOPE, attributes_of, resource_of

_CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


def metrics_request(snapshot: Snapshot, resource: Mapping[str, str], began: int, now: int) -> tuple[bytes, int]:
    """An ``ExportMetricsServiceRequest``, and how many points it has; times are nanoseconds since
    1970.
    """
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add(resource=resource_of(resource))
    scope = group.scope_metrics.add()
    scope.scope.name = SCOPE
    writer = _Writer(scope, began, now)
    for name, family in COUNTERS.items():
        writer.add_sum(name, family, snapshot.counters.get(name, {}))
    for name, family in GAUGES.items():
        writer.add_gauge(name, family, snapshot.gauges.get(name, {}))
    for name, family in HISTOGRAMS.items():
        writer.add_histogram(name, family, snapshot.histograms.get(name, Distribution()))
    writer.add_guests_own(snapshot)
    return request.SerializeToString(), writer.points


class _Writer:
    def __init__(self, scope: ScopeMetrics, began: int, now: int) -> None:
        self._scope = scope
        self._began = began
        self._now = now
        self.points = 0

    def add_sum(self, name: str, family: Family, numbers: Numbers) -> None:
        if numbers:
            metric = self._metric(name, family.help)
            metric.sum.aggregation_temporality = _CUMULATIVE
            metric.sum.is_monotonic = True
            metric.sum.data_points.extend(self._numbers(family, numbers))

    def add_gauge(self, name: str, family: Family, numbers: Numbers) -> None:
        if numbers:
            self._metric(name, family.help).gauge.data_points.extend(self._numbers(family, numbers))

    def add_histogram(self, name: str, family: Family, distribution: Distribution) -> None:
        if distribution.values:
            metric = self._metric(name, family.help)
            metric.histogram.aggregation_temporality = _CUMULATIVE
            for labels, (*counts, total) in distribution.values.items():
                named = dict(zip(family.labels, labels, strict=True))
                point = self._distribution(named, distribution.bounds, counts, total)
                for trace_id, span_id, value, when in distribution.exemplars.get(labels, {}).values():
                    point.exemplars.add(
                        trace_id=bytes.fromhex(trace_id),
                        span_id=bytes.fromhex(span_id),
                        as_double=value,
                        time_unix_nano=int(when * 1e9),
                    )
                metric.histogram.data_points.append(point)

    def add_guests_own(self, snapshot: Snapshot) -> None:
        """What guests count by themselves."""
        for (guest, name, *labels), value in snapshot.counters.get(GUESTS_OWN, {}).items():
            metric = self._metric(f"guest_{name}", "Counted by guests.")
            metric.sum.aggregation_temporality = _CUMULATIVE
            metric.sum.is_monotonic = True
            metric.sum.data_points.append(self._number(_own_labels(guest, labels), value))
        observed = snapshot.histograms.get(GUESTS_OWN, Distribution())
        for (guest, name, *labels), (*counts, total) in observed.values.items():
            metric = self._metric(f"guest_{name}", "Observed by guests.")
            metric.histogram.aggregation_temporality = _CUMULATIVE
            metric.histogram.data_points.append(
                self._distribution(_own_labels(guest, labels), observed.bounds, counts, total)
            )

    def _metric(self, name: str, text: str) -> Metric:
        metric: Metric = self._scope.metrics.add(name=name, description=text, unit=_unit(name))
        return metric

    def _numbers(self, family: Family, numbers: Numbers) -> list[NumberDataPoint]:
        return [self._number(dict(zip(family.labels, labels, strict=True)), value) for labels, value in numbers.items()]

    def _number(self, labels: Mapping[str, str], value: float) -> NumberDataPoint:
        self.points += 1
        return NumberDataPoint(
            attributes=attributes_of(labels),
            start_time_unix_nano=self._began,
            time_unix_nano=self._now,
            as_double=value,
        )

    def _distribution(
        self, labels: Mapping[str, str], bounds: tuple[float, ...], counts: list[float], total: float
    ) -> HistogramDataPoint:
        self.points += 1
        return HistogramDataPoint(
            attributes=attributes_of(labels),
            start_time_unix_nano=self._began,
            time_unix_nano=self._now,
            count=int(sum(counts)),
            sum=total,
            bucket_counts=[int(count) for count in counts],
            explicit_bounds=bounds,
        )


def _own_labels(guest: str, labels: list[str]) -> dict[str, str]:
    return {"guest": guest, **dict(zip(labels[::2], labels[1::2], strict=True))}


def _unit(name: str) -> str:
    if name.endswith("_seconds"):
        return "s"
    return "By" if name.endswith("_bytes") else ""
