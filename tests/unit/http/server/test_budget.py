"""What a peer may spend on frames that carry nothing, and how it gets it back."""

from __future__ import annotations

from sentinel_host.http.server.budget import Budget


def test_the_budget_fills_again() -> None:
    budget = Budget(10, 2.0, 100.0)
    assert [budget.spend(100.0) for _ in range(11)] == [True] * 10 + [False]
    assert budget.spend(101.0)
    assert [budget.spend(1000.0) for _ in range(11)] == [True] * 10 + [False]


def test_a_burst_is_not_throttled_and_more_is_until_time_passes() -> None:
    budget = Budget(100, 1.0, 0.0)
    for _ in range(64):
        budget.spend(0.0)
    assert not budget.throttled(0.0)
    budget.spend(0.0)
    assert budget.throttled(0.5)
    assert not budget.throttled(1.0)
