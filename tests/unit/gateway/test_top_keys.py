"""The keys that are refused most, in a bounded memory."""

from __future__ import annotations

from hashlib import blake2b

from sentinel_host.gateway.top_keys import MOST_KEYS, TopKeys


def digest(key: bytes) -> str:
    return blake2b(key, digest_size=8).hexdigest()


def test_refusals_are_counted_by_key() -> None:
    top = TopKeys()
    for key in (b"a", b"b", b"a"):
        top.add(key)
    assert top.counts == {digest(b"a"): 2, digest(b"b"): 1}


def test_a_flood_of_keys_does_not_hide_the_worst() -> None:
    top = TopKeys()
    for number in range(10_000):
        top.add(b"%d" % number)
        if number % 10 == 0:
            top.add(b"worst")
    assert len(top.counts) == MOST_KEYS
    assert top.counts[digest(b"worst")] >= 1000
