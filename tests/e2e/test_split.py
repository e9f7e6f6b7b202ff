"""Requests of one route that are divided among upstreams."""

from __future__ import annotations

import socket
from collections import Counter

from tests.e2e.conftest import only_sentinel
from tests.http2.peer import Peer
from tests.support.clients import Wire, fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess
from tests.support.upstreams import Upstream

# What the upstream gets for Host says by which name it was asked.
CONFIG = """
[server]
bind = ["127.0.0.1:0"]
trusted_proxies = ["127.0.0.1"]

[guest.path-rewrite]
config = { upstream = { header = "x-color", map = { green = "green" } } }
upstreams = ["green"]

[[upstream]]
name = "blue"
targets = ["http://127.0.0.1:PORT"]

[[upstream]]
name = "green"
targets = ["http://localhost:PORT"]

[[route]]
path = "/"
split = { blue = 3, green = 1 }

[[route]]
path = "/sticky"
split = { blue = 1, green = 1 }
split_by = "client-ip"

[[route]]
path = "/by-user"
split = { blue = 1, green = 1 }
split_by = "header:x-user"

[[route]]
path = "/chosen"
split = { blue = 65535, green = 1 }
chain = ["path-rewrite"]
"""
GUESTS = {"path-rewrite": ARTEFACTS / "rust" / "path-rewrite.wasm"}


def hosts(origin: Upstream) -> Counter[str]:
    """How many requests each of the two got."""
    counts = Counter(request.values("host")[0].partition(":")[0] for request in origin.requests)
    origin.requests.clear()
    return counts


def test_requests_are_divided_by_weight(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    with Wire(shared_gateway.public) as wire:
        for _ in range(400):
            wire.get()
            assert wire.answer().status == 200
    counts = hosts(origin)
    # Seven standard deviations.
    assert 240 <= counts["127.0.0.1"] <= 360
    assert counts.total() == 400


@only_sentinel
def test_over_http_2(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    with Peer(socket.create_connection(shared_gateway.public)) as peer:
        assert [peer.get(2 * number + 1).status for number in range(100)] == [200] * 100
    assert set(hosts(origin)) == {"127.0.0.1", "localhost"}


def test_a_client_stays_where_it_is(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    seen = set()
    for client in range(20):
        for _ in range(3):
            assert (
                fetch(shared_gateway.public, "/sticky", headers={"x-forwarded-for": f"10.0.0.{client}"}).status == 200
            )
        (host,) = hosts(origin)
        seen.add(host)
    assert seen == {"127.0.0.1", "localhost"}


def test_users_stay_where_they_are(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    seen = set()
    for user in range(20):
        for _ in range(3):
            assert fetch(shared_gateway.public, "/by-user", headers={"x-user": f"user-{user}"}).status == 200
        (host,) = hosts(origin)
        seen.add(host)
    assert seen == {"127.0.0.1", "localhost"}


def test_a_guest_that_chooses_wins(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    for _ in range(10):
        assert fetch(shared_gateway.public, "/chosen", headers={"x-color": "green"}).status == 200
    assert hosts(origin) == {"localhost": 10}
