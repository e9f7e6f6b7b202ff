"""What requests are told apart by, and what they are not."""

from __future__ import annotations

import pytest

from sentinel_host.messages import RequestHead
from sentinel_host.upstream.hashing import hash_key


def head(client: str = "192.0.2.1", path: str = "/a", *headers: tuple[bytes, bytes]) -> RequestHead:
    return RequestHead("GET", path, None, list(headers), "http", "a.example", client, "1", "main", "1.1")


A, B = (b"x-user", b"a"), (b"x-user", b"b")
PAIRS = [
    ("client-ip", head("192.0.2.1", "/a"), head("192.0.2.1", "/b"), head("192.0.2.2", "/a")),
    ("path", head("192.0.2.1", "/a"), head("192.0.2.2", "/a"), head("192.0.2.1", "/b")),
    ("header:x-user", head("1", "/", A), head("2", "/x", (b"a", b"b"), A), head("1", "/", B)),
    (
        "cookie:id",
        head("1", "/", (b"cookie", b"id=5")),
        head("2", "/", (b"cookie", b"x=y; id=5; xid=6")),
        head("1", "/", (b"cookie", b"id=6")),
    ),
]


@pytest.mark.parametrize(("key", "first", "same", "other"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_a_hash_tells_what_it_is_for(key, first, same, other):
    hash_of = hash_key(key)
    assert hash_of(first) == hash_of(same)
    assert hash_of(first) != hash_of(other)


@pytest.mark.parametrize("key", ["header:x-user", "cookie:id"])
def test_requests_that_lack_it_go_anywhere(key):
    hash_of = hash_key(key)
    assert len({hash_of(head("1", "/", (b"cookie", b"xid=1"))) for _ in range(20)}) > 10
