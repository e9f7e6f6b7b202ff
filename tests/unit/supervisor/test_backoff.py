from __future__ import annotations

from sentinel_host.supervisor.backoff import Backoff


def test_a_worker_that_lived_is_replaced_at_once() -> None:
    backoff = Backoff()
    assert [backoff.after_death(60.0) for _ in range(50)] == [0.0] * 50


def test_delays_double_for_one_that_never_gets_ready_and_have_an_end() -> None:
    backoff = Backoff()
    delays = [backoff.after_death(None) for _ in range(12)]
    assert delays == [0.0, 0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]
    assert [backoff.after_death(None) for _ in range(10_000)][-1] == 10.0


def test_one_that_gets_ready_is_there_within_a_second_however_often_it_dies() -> None:
    backoff = Backoff()
    assert max(backoff.after_death(0.01) for _ in range(1000)) == 0.2


def test_a_life_that_was_long_enough_is_a_new_beginning() -> None:
    backoff = Backoff()
    for _ in range(8):
        backoff.after_death(None)
    assert backoff.after_death(1.0) == 0.0
    assert [backoff.after_death(None) for _ in range(3)] == [0.0, 0.0, 0.1]
