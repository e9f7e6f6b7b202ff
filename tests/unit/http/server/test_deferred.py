"""Connections that may wait take turns, and leave most of the loop to others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from sentinel_host.http.server.deferred import DeferredInput


class Loop:
    """What is to be called, and after how many seconds; its clock tells how long work took, which a
    test says.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self.due.append((delay, callback))

    def run(self) -> float:
        delay, callback = self.due.pop(0)
        callback()
        return delay


def test_one_after_the_other() -> None:
    loop = Loop()
    deferred = DeferredInput(cast(Any, loop), lambda: loop.now)
    had: list[str] = []

    def go_on(name: str, more: int) -> None:
        had.append(name)
        loop.now += 0.001
        if more:
            deferred.wait(lambda: go_on(name, more - 1))

    deferred.wait(lambda: go_on("a", 2))
    deferred.wait(lambda: go_on("b", 1))
    assert len(loop.due) == 1
    while loop.due:
        loop.run()
        assert len(loop.due) <= 1
    assert had == ["a", "b", "a", "b", "a"]
    deferred.wait(lambda: go_on("c", 0))
    assert len(loop.due) == 1


def test_a_fifth_of_the_time_at_most_however_many_wait() -> None:
    loop = Loop()
    deferred = DeferredInput(cast(Any, loop), lambda: loop.now)
    busy = rested = 0.0

    def work() -> None:
        nonlocal busy
        loop.now += 0.002
        busy += 0.002

    for _ in range(10):
        deferred.wait(work)
    while loop.due:
        rested += loop.run()
    # The first waits for a timer's shortest time.
    assert rested >= 4 * busy * 0.9


def test_small_pieces_share_a_turn_that_ends_with_its_time() -> None:
    loop = Loop()
    deferred = DeferredInput(cast(Any, loop), lambda: loop.now)
    count = 0

    def go_on() -> None:
        nonlocal count
        count += 1
        loop.now += 0.00001
        deferred.wait(go_on)

    deferred.wait(go_on)
    loop.run()
    assert count in (10, 11)
    assert len(loop.due) == 1


def test_one_that_fails_takes_no_turn_from_others() -> None:
    loop = Loop()
    deferred = DeferredInput(cast(Any, loop), lambda: loop.now)
    had: list[str] = []

    def fail() -> None:
        raise RuntimeError("broken")

    deferred.wait(fail)
    deferred.wait(lambda: had.append("next"))
    with pytest.raises(RuntimeError, match="broken"):
        loop.run()
    loop.run()
    deferred.wait(lambda: had.append("later"))
    loop.run()
    assert had == ["next", "later"]
