"""Clients that stay on their endpoint, by a cookie or by a hash, through the whole gateway."""

from __future__ import annotations

from tests.support.clients import fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess
from tests.support.upstreams import Upstream

# What the upstream gets for Host says by which name it was asked.
CONFIG = """
[server]
bind = ["127.0.0.1:0"]
trusted_proxies = ["127.0.0.1"]

[[upstream]]
name = "web"
targets = ["http://127.0.0.1:PORT", "http://localhost:PORT"]
sticky = { cookie = "backend" }

[[upstream]]
name = "shards"
targets = ["http://127.0.0.1:PORT", "http://localhost:PORT"]
balance = "hash"
hash = "header:x-shard"

[guest.header-injection]
config = { request = { set = { "x-shard" = "one" } } }

[[route]]
path = "/"
upstream = "web"

[[route]]
path = "/shards"
upstream = "shards"

[[route]]
path = "/one-shard"
upstream = "shards"
chain = ["header-injection"]
"""
GUESTS = {"header-injection": ARTEFACTS / "rust" / "header-injection.wasm"}


def test_a_client_that_sends_its_cookie_stays(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    first = fetch(shared_gateway.public)
    cookie = first.values("set-cookie")[0]
    assert cookie.startswith("backend=")
    for _ in range(10):
        again = fetch(shared_gateway.public, headers={"cookie": cookie.partition(";")[0]})
        assert again.values("set-cookie") == []
    assert len({request.values("host")[0] for request in origin.requests}) == 1


def test_the_cookie_is_secure_where_the_client_is(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    plain = fetch(shared_gateway.public)
    secure = fetch(shared_gateway.public, headers={"x-forwarded-proto": "https"})
    assert not plain.values("set-cookie")[0].endswith("; Secure")
    assert secure.values("set-cookie")[0].endswith("; Secure")


def test_a_hash_is_of_the_field_as_the_guests_leave_it(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    asked = {}
    for path in ("/shards", "/one-shard"):
        for number in range(20):
            assert fetch(shared_gateway.public, path, headers={"x-shard": f"client-{number}"}).status == 200
        asked[path] = {request.values("host")[0].partition(":")[0] for request in origin.requests}
        origin.requests.clear()
    assert asked["/shards"] == {"127.0.0.1", "localhost"}
    assert len(asked["/one-shard"]) == 1
