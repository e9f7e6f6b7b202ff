"""The error bound of shared limits, over whatever order requests, exchanges and failures come
in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_host.limiter import Limit, SharedTable
from sentinel_host.limiter.store.deltas import Delta, Deltas

REQUESTS = 12
LIMIT = Limit(REQUESTS, 60)
KEY = b"client"
NOW = 1_000  # ms; within one window


class Gateway:
    """One worker, its table and its exchange in two halves, so that anything can happen between
    them.
    """

    def __init__(self) -> None:
        self.table = SharedTable.create(16)
        self.deltas = Deltas()
        self.under_way: tuple[list[Delta], list[int]] | None = None
        self.allowed = 0
        self.allowed_when_told = 0
        self.allowed_when_learnt = 0
        self.unlearnt = 0
        """Requests since it last told the store and got an answer, when it last allowed one."""

    def request(self) -> None:
        packed = self.table.check_at(LIMIT, KEY, NOW * 1_000_000)
        self.deltas.count(LIMIT, KEY, packed, NOW)
        if packed >= 0:
            self.allowed += 1
            self.unlearnt = self.allowed - self.allowed_when_learnt

    def tell(self, store: dict[bytes, int], reached: bool) -> None:
        if self.under_way is not None:
            return
        batch = self.deltas.take(NOW, 10)
        if batch:
            self.allowed_when_told = self.allowed
        totals = []
        for delta in batch:
            if reached:
                store[delta.key] = store.get(delta.key, 0) + delta.count
            totals.append(store.get(delta.key, 0))
        if batch:
            self.under_way = batch, totals

    def learn(self, answered: bool) -> None:
        if self.under_way is None:
            return
        batch, totals = self.under_way
        self.under_way = None
        if not answered:
            self.deltas.restore(batch)
            return
        for delta, total in zip(batch, totals, strict=True):
            used = total + self.deltas.pending(delta.limit, delta.key)
            assert self.table.learn(delta.limit, delta.key, used, 60_000, NOW * 1_000_000)
        self.allowed_when_learnt = self.allowed_when_told


STEPS = st.tuples(
    st.integers(0, 3),
    st.sampled_from(["request", "request", "request", "tell", "learn", "exchange", "lost", "unanswered"]),
)


@settings(max_examples=400)
@given(st.lists(STEPS, max_size=120))
def test_all_together_allow_the_limit_and_what_was_not_exchanged(steps: list[tuple[int, str]]) -> None:
    gateways = [Gateway() for _ in range(4)]
    store: dict[bytes, int] = {}
    for which, step in steps:
        gateway = gateways[which]
        if step == "request":
            gateway.request()
        elif step == "tell":
            gateway.tell(store, reached=True)
        elif step == "learn":
            # An answer that never left the store cannot be learnt: "lost" below ends within one
            # step.
            gateway.learn(answered=True)
        elif step == "exchange":
            gateway.learn(answered=True)
            gateway.tell(store, reached=True)
            gateway.learn(answered=True)
        else:
            gateway.learn(answered=True)
            gateway.tell(store, reached=step == "unanswered")
            gateway.learn(answered=False)
    unlearnt = [gateway.unlearnt for gateway in gateways]
    total = sum(gateway.allowed for gateway in gateways)
    assert total <= REQUESTS + sum(unlearnt) - min(unlearnt)
    for gateway in gateways:
        assert gateway.allowed <= REQUESTS
        # Everything is told in the end, and nothing is forgotten on the way.
        gateway.learn(answered=True)
        gateway.tell(store, reached=True)
        gateway.learn(answered=True)
        gateway.table.close()
    assert store.get(KEY, 0) >= total
    if not any(step == "unanswered" for _, step in steps):
        assert store.get(KEY, 0) == total


@pytest.fixture
def count() -> Iterator[Callable[[Deltas, bytes, int], None]]:
    table = SharedTable.create(64)
    limit = Limit(2, 1)

    def judge(deltas: Deltas, key: bytes, now: int) -> None:
        deltas.count(limit, key, table.check_at(limit, key, now * 1_000_000), now)

    yield judge
    table.close()


def test_refused_requests_are_not_told(count: Callable[[Deltas, bytes, int], None]) -> None:
    deltas = Deltas()
    for _ in range(5):
        count(deltas, KEY, NOW)
    assert [(delta.key, delta.count, delta.end) for delta in deltas.take(NOW, 10)] == [(KEY, 2, NOW + 1000)]
    assert deltas.take(NOW, 10) == []


def test_a_count_dies_with_its_window(count: Callable[[Deltas, bytes, int], None]) -> None:
    deltas = Deltas()
    count(deltas, b"a", NOW)
    count(deltas, b"b", NOW)
    batch = deltas.take(NOW, 1)
    count(deltas, b"b", NOW + 1000)
    count(deltas, b"a", NOW + 1000)
    deltas.restore(batch)
    assert sorted((delta.key, delta.count) for delta in deltas.take(NOW + 1500, 10)) == [(b"a", 1), (b"b", 1)]
    count(deltas, b"a", NOW + 2000)
    assert deltas.take(NOW + 3000, 10) == []


def test_many_keys_are_bounded_and_told_in_turn(count: Callable[[Deltas, bytes, int], None]) -> None:
    deltas = Deltas(capacity=3)
    for key in (b"a", b"b", b"c", b"d", b"a"):
        count(deltas, key, NOW)
    assert (len(deltas), deltas.dropped) == (3, 1)
    assert [delta.key for delta in deltas.take(NOW, 2)] == [b"a", b"b"]
    assert [delta.key for delta in deltas.take(NOW, 2)] == [b"c"]
