"""Which requests a route takes, and what its chain may change about where they go."""

from __future__ import annotations

from asyncio import StreamReader, StreamWriter

import pytest

from tests.support.clients import fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess
from tests.support.upstreams import Received, Upstream, answer_hello

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[guest.path-rewrite]
upstreams = ["blue"]

[guest.ungranted.config]
upstream = { header = "x-color", map = { blue = "blue" } }

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[upstream]]
name = "blue"
targets = ["http://localhost:PORT"]

[[route]]
path = "/"
upstream = "origin"
chain = [{ guest = "header-injection", config = { request = { set = { x-route = "default" } } } }]

[[route]]
path = "/api"
upstream = "origin"
chain = [{ guest = "header-injection", config = { request = { set = { x-route = "api" } } } }]

[[route]]
name = "api-write"
path = "/api"
methods = ["POST", "PUT"]
upstream = "origin"
chain = [{ guest = "header-injection", config = { request = { set = { x-route = "api-write" } } } }]

[[route]]
name = "beta"
path = "/api"
headers = { x-beta = "yes" }
upstream = "origin"
chain = [{ guest = "header-injection", config = { request = { set = { x-route = "beta" } } } }]

[[route]]
name = "shop"
path = "/"
hosts = ["shop.example"]
upstream = "origin"
chain = [{ guest = "header-injection", config = { request = { set = { x-route = "shop" } } } }]

[[route]]
name = "any-shop"
path = "/"
hosts = ["*.shop.example"]
upstream = "origin"
preserve_host = true
chain = [{ guest = "header-injection", config = { request = { set = { x-route = "any-shop" } } } }]

[[route]]
path = "/moved"
upstream = "origin"
chain = [{ guest = "path-rewrite", config = { strip_prefix = "/moved", add_prefix = "/api" } }]

[[route]]
path = "/colors"
upstream = "origin"

[[route.chain]]
guest = "path-rewrite"
config = { upstream = { header = "x-color", map = { blue = "blue", red = "red" } } }

[[route]]
path = "/ungranted"
upstream = "origin"
chain = ["ungranted"]

[[upstream]]
name = "pair"
targets = ["UPSTREAM", "http://localhost:PORT"]
eject = false

[[route]]
path = "/pair"
upstream = "pair"

[[route]]
path = "/pair/again"
upstream = "pair"
retry_methods = ["POST"]
"""
GUESTS = {
    "header-injection": ARTEFACTS / "rust" / "header-injection.wasm",
    "path-rewrite": ARTEFACTS / "assemblyscript" / "path-rewrite.wasm",
    "ungranted": ARTEFACTS / "rust" / "path-rewrite.wasm",
}


@pytest.mark.parametrize(
    ("method", "path", "headers", "route"),
    [
        ("GET", "/", {}, "default"),
        ("GET", "/apix", {}, "default"),
        ("GET", "/api", {}, "api"),
        ("GET", "/api/", {}, "api"),
        ("GET", "/%61pi/x?y=/z", {}, "api"),
        ("DELETE", "/api/x", {}, "api"),
        ("POST", "/api/x", {}, "api-write"),
        ("GET", "/api/x", {"x-beta": "yes"}, "beta"),
        ("GET", "/api/x", {"x-beta": "no"}, "api"),
        ("GET", "/", {"host": "shop.example"}, "shop"),
        ("GET", "/", {"host": "SHOP.example:8080"}, "shop"),
        ("GET", "/", {"host": "a.b.shop.example"}, "any-shop"),
        ("GET", "/", {"host": "notshop.example"}, "default"),
        ("GET", "/api", {"host": "shop.example"}, "api"),
    ],
)
def test_the_longest_path_wins_then_the_most_conditions(
    shared_gateway: GatewayProcess, origin: Upstream, method: str, path: str, headers: dict[str, str], route: str
) -> None:
    assert fetch(shared_gateway.public, path, method=method, headers=headers).status == 200
    (received,) = origin.requests
    assert received.values("x-route") == [route]


def test_a_dot_behind_the_host_is_no_way_around_its_route(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    """``Host: shop.example.`` is the same host in DNS and to most upstreams, but it used to match
    only the routes for any host, so that a client could leave a host's chain, its authentication
    included, by adding a dot.
    """
    for host in ("shop.example.", "shop.example.:80"):
        assert fetch(shared_gateway.public, headers={"host": host}).status == 200
    assert [received.values("x-route") for received in origin.requests] == [["shop"], ["shop"]]


def test_the_target_sees_its_own_name_unless_the_route_preserves_the_client_s(
    shared_gateway: GatewayProcess, origin: Upstream
) -> None:
    fetch(shared_gateway.public, headers={"host": "shop.example:81"})
    fetch(shared_gateway.public, headers={"host": "a.shop.example:81"})
    own, preserved = origin.requests
    assert own.values("host") == [f"127.0.0.1:{origin.port}"]
    assert preserved.values("host") == ["a.shop.example:81"]
    assert own.values("x-forwarded-host") == ["shop.example:81"]


def test_a_guest_moves_a_path_without_entering_another_route(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    assert fetch(shared_gateway.public, "/moved/x?y=1").status == 200
    (received,) = origin.requests
    assert received.target == "/api/x?y=1"
    assert received.values("x-route") == []


def test_a_guest_chooses_among_the_upstreams_granted_to_it(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    assert fetch(shared_gateway.public, "/colors").status == 200
    assert fetch(shared_gateway.public, "/colors", headers={"x-color": "blue"}).status == 200
    hosts = [received.values("host")[0].partition(":")[0] for received in origin.requests]
    assert hosts == ["127.0.0.1", "localhost"]


@pytest.mark.parametrize(("path", "color"), [("/colors", "red"), ("/ungranted", "blue")])
def test_an_upstream_that_was_not_granted_is_not_asked(
    shared_gateway: GatewayProcess, origin: Upstream, path: str, color: str
) -> None:
    assert fetch(shared_gateway.public, path, headers={"x-color": color}).status == 503
    assert origin.requests == []
    shared_gateway.wait_for_log("which is not granted to it")


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [("GET", "/pair", {200}), ("PUT", "/pair", {200}), ("POST", "/pair", {200, 503}), ("POST", "/pair/again", {200})],
)
def test_a_route_says_which_methods_are_sent_again(
    shared_gateway: GatewayProcess, origin: Upstream, method: str, path: str, statuses: set[int]
) -> None:
    """One of two endpoints answers 503."""

    async def answer(received: Received, reader: StreamReader, writer: StreamWriter) -> None:
        if received.values("host")[0].startswith("localhost"):
            await answer_hello(received, reader, writer)
        else:
            writer.write(b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n")

    origin.handler = answer
    assert {fetch(shared_gateway.public, path, method=method, body=b"body").status for _ in range(10)} == statuses
    assert {received.body for received in origin.requests} == {b"body"}
