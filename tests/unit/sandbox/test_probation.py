"""Probations: a share of the calls over several clients, and never what one client can produce."""

from __future__ import annotations

import pytest

from sentinel_host.sandbox.breaker import LEAST
from sentinel_host.sandbox.probation import Probation, RollbackPolicy


class Watched:
    """A probation, with the calls that are said to have been made and what it told."""

    def __init__(self, share: float = 0.25, calls: int = 10_000, time: float = 600) -> None:
        self.calls = 0
        self.degraded = 0
        self.now = 1000.0
        self.reasons: list[str] = []
        self.probation = Probation(
            RollbackPolicy(share, calls, time), lambda: self.calls, self._degrade, self.reasons.append, lambda: self.now
        )

    def _degrade(self) -> None:
        self.degraded += 1

    def fail(self, client: str, times: int = 1) -> None:
        for _ in range(times):
            self.calls += 1
            self.probation.failed(client)


def test_a_version_that_always_fails_is_told_once() -> None:
    watched = Watched()
    for number in range(200):
        watched.fail(f"192.0.2.{number % 4}")
    (reason,) = watched.reasons
    assert reason == f"{LEAST} of {LEAST} calls failed, for 4 clients"
    assert watched.degraded == 1


@pytest.mark.parametrize("clients", [1, 2])
def test_few_clients_decide_nothing_however_often_they_fail(clients: int) -> None:
    watched = Watched()
    for number in range(5000):
        watched.fail(f"192.0.2.{number % clients}")
    assert watched.reasons == []


def test_addresses_of_one_ipv6_network_are_one_client() -> None:
    watched = Watched()
    for number in range(500):
        watched.fail(f"2001:db8::{number:x}")
    assert watched.reasons == []


def test_one_client_cannot_take_a_version_back_that_fails_now_and_then() -> None:
    """One call in twenty of everybody's fails, and one client sends nothing but what fails: that is
    no share of calls, it is one client.
    """
    watched = Watched()
    for number in range(4000):
        watched.fail("192.0.2.66")
        watched.calls += 1
        if number % 20 == 0:
            watched.fail(f"198.51.100.{number % 250}")
            watched.calls -= 1
    assert watched.reasons == []


def test_a_share_below_the_terms_is_no_reason_and_one_above_is() -> None:
    for every, expected in ((5, 0), (3, 1)):
        watched = Watched()
        for number in range(3000):
            watched.calls += 1
            if number % every == 0:
                watched.probation.failed(f"198.51.100.{number % 50}")
        assert len(watched.reasons) == expected


def test_failures_beyond_the_first_calls_or_the_time_are_not_looked_at() -> None:
    late = Watched(calls=100)
    late.calls = 100
    old = Watched(time=60)
    old.now += 61
    for number in range(300):
        late.fail(f"192.0.2.{number % 9}")
        old.fail(f"192.0.2.{number % 9}")
    assert late.reasons == old.reasons == []
    # Who waits for a time without failures still hears of them.
    assert late.degraded == old.degraded == 1
    old.now += 1
    old.fail("192.0.2.1")
    assert old.degraded == 2


def test_terms_that_nothing_can_break() -> None:
    watched = Watched(share=1.0)
    for number in range(500):
        watched.fail(f"192.0.2.{number % 9}")
    assert watched.reasons == []
