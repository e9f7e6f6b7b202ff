"""Latencies of routes, from the histogram that workers count."""

from __future__ import annotations

import pytest

from sentinel_host.control.routes import quantile, view_latency

BOUNDS = (1.0, 2.0, 4.0)


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([], 0.5, 0.0),
        ([0, 0, 0, 0], 0.5, 0.0),
        ([10, 0, 0, 0], 0.5, 0.5),
        ([10, 0, 0, 0], 1.0, 1.0),
        ([5, 5, 0, 0], 0.75, 1.5),
        ([0, 0, 10, 0], 0.5, 3.0),
        ([1, 0, 0, 9], 0.5, 4.0),
    ],
)
def test_a_quantile_is_estimated_within_its_bucket(counts: list[int], share: float, expected: float) -> None:
    assert quantile(BOUNDS, counts, share) == pytest.approx(expected)


def test_a_route_without_requests_has_no_latency() -> None:
    told = view_latency(BOUNDS, [])
    assert (told.count, told.sum, told.p99) == (0, 0.0, 0.0)
    assert view_latency(BOUNDS, [1.0, 2.0, 0.0, 1.0, 9.5]).count == 4
