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
from sentinel_host.control.metrics import COUNTERS, GAUGES, HISTOGRAMS, Family, own_descriptions, own_labels
from sentinel_host.control.snapshot import GUESTS_OWN, Description
from sentinel_host.export.spans import SCOPE, attributes_of, resource_of

_CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE

# UCUM's codes, which OpenTelemetry uses.
_UNITS = {"seconds": "s", "milliseconds": "ms", "bytes": "By", "ratio": "1", "percent": "%"}


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
        descriptions = own_descriptions(snapshot)
        sums: dict[str, Metric] = {}
        for (guest, name, *labels), value in snapshot.counters.get(GUESTS_OWN, {}).items():
            if name not in sums:
                sums[name] = self._own(name, "Counted by guests.", descriptions.get((name, False)))
                sums[name].sum.aggregation_temporality = _CUMULATIVE
                sums[name].sum.is_monotonic = True
            sums[name].sum.data_points.append(self._number(own_labels(guest, labels), value))
        histograms: dict[str, Metric] = {}
        for (guest, name), observed in snapshot.own_histograms.items():
            if name not in histograms:
                histograms[name] = self._own(name, "Observed by guests.", descriptions.get((name, True)))
                histograms[name].histogram.aggregation_temporality = _CUMULATIVE
            histograms[name].histogram.data_points.extend(
                self._distribution(own_labels(guest, labels), observed.bounds, counts, total)
                for labels, (*counts, total) in observed.values.items()
            )

    def _own(self, name: str, text: str, described: Description | None) -> Metric:
        metric = self._metric(f"guest_{name}", text)
        if described is not None:
            metric.description = described.help or text
            if described.unit:
                # What is no unit of UCUM is an annotation there.
                metric.unit = _UNITS.get(described.unit, f"{{{described.unit}}}")
        return metric

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


def _unit(name: str) -> str:
    return _UNITS.get(name.rpartition("_")[2], "")
