"""Counts as OpenTelemetry's metrics."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from sentinel_host.control import Distribution, Snapshot
from sentinel_host.control.snapshot import GUESTS_OWN, Description
from sentinel_host.export.points import metrics_request


def metrics_of(snapshot: Snapshot) -> dict[str, Any]:
    data, points = metrics_request(snapshot, {}, 1, 2)
    (group,) = ExportMetricsServiceRequest.FromString(data).resource_metrics
    metrics = {metric.name: metric for scope in group.scope_metrics for metric in scope.metrics}
    assert points == sum(len(getattr(each, each.WhichOneof("data")).data_points) for each in metrics.values())
    return metrics


def test_what_guests_say_of_their_metrics() -> None:
    snapshot = Snapshot(
        counters={
            GUESTS_OWN: {("a", "spent_tokens"): 1, ("b", "spent_tokens", "user", "x"): 2, ("a", "sent_bytes"): 3},
        },
        own_histograms={("a", "age_seconds"): Distribution((1.0, 60.0), {(): [1, 0, 2, 200.0]})},
        descriptions={
            ("a", "spent_tokens"): Description(False, "Tokens.", "tokens", (), 1),
            ("a", "age_seconds"): Description(True, "Age of tokens.", "seconds", (1.0, 60.0), 1),
        },
    )
    metrics = metrics_of(snapshot)
    told = {name: (each.description, each.unit) for name, each in metrics.items()}
    assert told == {
        "guest_spent_tokens": ("Tokens.", "{tokens}"),
        "guest_sent_bytes": ("Counted by guests.", "By"),
        "guest_age_seconds": ("Age of tokens.", "s"),
    }
    spent = metrics["guest_spent_tokens"].sum
    labels = [{each.key: each.value.string_value for each in point.attributes} for point in spent.data_points]
    assert (spent.is_monotonic, labels) == (True, [{"guest": "a"}, {"guest": "b", "user": "x"}])
    (age,) = metrics["guest_age_seconds"].histogram.data_points
    assert (age.count, age.sum, list(age.explicit_bounds), list(age.bucket_counts)) == (3, 200.0, [1, 60], [1, 0, 2])
