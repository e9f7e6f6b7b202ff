"""Counts of requests: what is kept at hand of a run of equal ones is never lost, and never counted
elsewhere.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from math import inf
from random import Random

import pytest

from sentinel_host.gateway.stats import LATENCY_BUCKETS, OTHER_METHOD, SIZE_BUCKETS, Histogram, RouteStats
from sentinel_host.messages import Outcome


@pytest.mark.parametrize("bounds", [LATENCY_BUCKETS, SIZE_BUCKETS, (1.0,)])
def test_values_are_counted_in_their_buckets(bounds: tuple[float, ...]) -> None:
    random = Random(9)
    histogram, expected, total = Histogram(bounds), [0] * (len(bounds) + 1), 0.0
    around = [edge * factor for edge in bounds for factor in (0.5, 0.999, 1.0, 1.001)] + [0.0, bounds[-1] * 9]
    for number in range(2000):
        value = random.choice(around)
        for _ in range(random.randrange(3)):
            histogram.observe(value)
            expected[bisect_left(bounds, value)] += 1
            total += value
        if number % 100 == 0:
            assert histogram.counts == expected
    assert histogram.counts == expected
    assert histogram.counts == expected
    assert histogram.sum == pytest.approx(total)


def test_a_value_beyond_all_bounds_has_a_bucket_of_its_own() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (3.0, inf, 1.5, 3.0):
        histogram.observe(value)
    assert histogram.counts == [0, 1, 3]


def test_requests_are_counted_by_status_and_by_method() -> None:
    random = Random(9)
    stats, statuses, methods, outcomes = RouteStats(), Counter[int](), Counter[str](), Counter[int]()
    for number in range(2000):
        status, method = random.choice((200, 200, 404)), random.choice(("GET", "GET", "POST", "BREW"))
        outcome = random.choice((Outcome.COMPLETED, Outcome.CLIENT_ABORTED))
        for _ in range(random.randrange(3)):
            stats.add(status, method, outcome, 1500, 1, 2)
            statuses[status] += 1
            methods[method if method != "BREW" else OTHER_METHOD] += 1
            outcomes[outcome] += 1
        if number % 100 == 0:
            assert (dict(stats.statuses), dict(stats.methods)) == (dict(statuses), dict(methods))
    assert (dict(stats.statuses), dict(stats.methods)) == (dict(statuses), dict(methods))
    assert dict(stats.outcomes) == {Outcome.CLIENT_ABORTED: outcomes[Outcome.CLIENT_ABORTED]}
    assert sum(stats.duration.counts) == sum(statuses.values())


def test_nothing_is_told_of_a_route_without_requests() -> None:
    stats = RouteStats()
    assert (dict(stats.statuses), dict(stats.methods)) == ({}, {})
