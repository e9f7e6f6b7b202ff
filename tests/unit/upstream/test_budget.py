"""Retries against requests, by a clock that the test sets."""

from __future__ import annotations

from sentinel_host.upstream.budget import WINDOW, RetryBudget
from tests.support.clocks import Clock


def taken(budget: RetryBudget, wanted: int) -> int:
    return sum(budget.take() for _ in range(wanted))


def test_a_few_retries_a_second_are_there_without_any_request() -> None:
    clock = Clock()
    budget = RetryBudget(0.2, 3, clock)
    assert taken(budget, 100) == 30
    clock.now += WINDOW - 0.1
    assert taken(budget, 10) == 0
    clock.now += 1.2
    assert taken(budget, 100) == 30


def test_retries_are_a_share_of_the_requests_of_the_window() -> None:
    clock = Clock()
    budget = RetryBudget(0.2, 3, clock)
    budget.requests += 1000
    assert taken(budget, 1000) == 200


def test_a_storm_gets_no_more_than_its_share_however_long_it_lasts() -> None:
    clock = Clock()
    budget = RetryBudget(0.2, 3, clock)
    retries = 0
    for _ in range(6000):
        clock.now += 0.01
        budget.requests += 5
        retries += taken(budget, 5)
    assert 0.19 * budget.requests < retries <= 0.2 * budget.requests + 30


def test_what_an_endpoint_had_under_way_is_retried_at_once() -> None:
    clock = Clock()
    budget = RetryBudget(0.2, 3, clock)
    for _ in range(100):
        clock.now += 1.0
        budget.requests += 500
    # Of a long calm only the last ten seconds count.
    assert 900 <= taken(budget, 5000) <= 1000


def test_a_budget_of_nothing_allows_nothing() -> None:
    budget = RetryBudget(0.0, 0, Clock())
    budget.requests += 100
    assert not budget.take()
