"""Which upstream of a split a request goes to."""

from __future__ import annotations

from collections import Counter

import pytest

from sentinel_host.gateway.split import Split
from sentinel_host.messages import Headers, RequestHead
from sentinel_host.upstream.hashing import hash_key


def head(client: str = "", path: str = "/", headers: Headers | None = None) -> RequestHead:
    return RequestHead("GET", path, None, headers or [], "http", "h", client, "", "", "1.1")


HEADS = [head(f"10.{number >> 8}.{number & 255}.1", f"/{number}") for number in range(20_000)]
NEIGHBOURS = [head(f"10.0.{number >> 8}.{number & 255}") for number in range(20_000)]


@pytest.mark.parametrize("heads", [HEADS, NEIGHBOURS], ids=["far", "near"])
@pytest.mark.parametrize("key", [None, "client-ip", "path"])
@pytest.mark.parametrize("weights", [{"a": 90, "b": 10}, {"a": 1, "b": 1, "c": 2}, {"a": 3}, {"b": 1, "a": 999}])
def test_shares_follow_the_weights(heads: list[RequestHead], key: str | None, weights: dict[str, int]) -> None:
    if key == "path" and heads is NEIGHBOURS:
        heads = HEADS
    split = Split(weights, hash_key(key) if key else None)
    counts = Counter(split.choose(request) for request in heads)
    for name, weight in weights.items():
        # Six standard deviations of a binomial, and more.
        assert counts[name] / len(heads) == pytest.approx(weight / sum(weights.values()), abs=0.025)


def test_a_client_stays_where_it_is() -> None:
    splits = [Split({"a": 1, "b": 1}, hash_key("client-ip")) for _ in range(2)]
    for client in ("10.0.0.1", "10.0.0.2", "2001:db8::1"):
        assert len({split.choose(head(client, f"/{number}")) for split in splits for number in range(20)}) == 1


def test_no_more_clients_move_than_the_weights() -> None:
    before = Split({"a": 90, "b": 10}, hash_key("client-ip"))
    after = Split({"a": 80, "b": 20}, hash_key("client-ip"))
    moves = Counter((before.choose(request), after.choose(request)) for request in HEADS)
    assert moves["b", "a"] == 0
    assert moves["a", "b"] / len(HEADS) == pytest.approx(0.1, abs=0.025)


def test_requests_without_the_key_go_anywhere() -> None:
    split = Split({"a": 1, "b": 1}, hash_key("cookie:user"))
    assert {split.choose(head(headers=[(b"cookie", b"other=1")])) for _ in range(100)} == {"a", "b"}
    assert len({split.choose(head(headers=[(b"cookie", b"x=1; user=7")])) for _ in range(100)}) == 1


@pytest.mark.parametrize(("number", "name"), [(0, "a"), ((1 << 31) - 1, "a"), (1 << 31, "b"), ((1 << 32) - 1, "b")])
def test_the_borders_of_the_hash(number: int, name: str) -> None:
    assert Split({"a": 1, "b": 1}, lambda head: number).choose(head()) == name
