"""Which header fields pass, and what the gateway adds: RFC 9110 section 7.6, RFC 7239."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import StartGateway
from tests.support.clients import Wire, fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream, answering

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
identity_headers = ["x-principal", "x-tenant"]

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"

[[route]]
path = "/set"
upstream = "origin"
chain = [{ guest = "header-injection", config = { request = { set = { x-principal = "guest", x-user = "guest" } } } }]
"""
GUESTS = {"header-injection": ARTEFACTS / "rust" / "header-injection.wasm"}


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream) -> Iterator[GatewayProcess]:
    """A gateway that believes its only peer."""
    config = CONFIG.replace("UPSTREAM", shared_upstream.url).replace(
        "bind =", 'trusted_proxies = ["127.0.0.1"]\nbind ='
    )
    with sentinel_run(write_config(tmp_path_factory.mktemp("trusting"), config, GUESTS)) as gateway:
        yield gateway


def test_the_upstream_learns_who_asked(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    answer = fetch(shared_gateway.public, "/x", headers={"host": "shop.example:81"})
    (received,) = origin.requests
    (request_id,) = received.values("x-request-id")
    assert re.fullmatch("[0-9a-f]{32}", request_id)
    assert answer.values("x-request-id") == [request_id]
    assert received.values("x-forwarded-for") == ["127.0.0.1"]
    assert received.values("x-forwarded-proto") == ["http"]
    assert received.values("x-forwarded-host") == ["shop.example:81"]
    assert received.values("forwarded") == ['for=127.0.0.1;host="shop.example:81";proto=http']
    assert received.values("via") == ["1.1 sentinel"]


def test_a_stranger_s_claims_are_dropped_and_its_via_is_kept(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    claims = {
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "x-forwarded-port": "1",
        "x-forwarded-prefix": "/evil",
        "x-real-ip": "10.0.0.1",
        "forwarded": "for=10.0.0.1",
        "x-request-id": "forged",
        "via": "1.0 laptop",
    }
    fetch(shared_gateway.public, headers=claims)
    (received,) = origin.requests
    assert received.values("x-forwarded-for") == ["127.0.0.1"]
    assert received.values("x-forwarded-proto") == ["http"]
    assert received.values("via") == ["1.0 laptop, 1.1 sentinel"]
    told = str(received.headers)
    assert not any(claim in told for claim in ("10.0.0.1", "evil", "forged", "x-forwarded-port", "x-real-ip"))


def test_a_trusted_proxy_is_believed(start_anywhere: StartGateway, upstream: Upstream) -> None:
    gateway = start_anywhere(
        f"""
        [server]
        bind = ["127.0.0.1:0"]
        trusted_proxies = ["127.0.0.0/8"]
        [[upstream]]
        name = "origin"
        targets = ["{upstream.url}"]
        [[route]]
        path = "/"
        upstream = "origin"
        chain = ["access-log"]
        """,
        {"access-log": ARTEFACTS / "rust" / "access-log.wasm"},
    )
    claims = {
        "x-forwarded-for": "198.51.100.9, 192.0.2.7, 127.0.0.2",
        "x-forwarded-host": "shop.example",
        "x-forwarded-proto": "https",
        "x-request-id": "from-the-edge.1",
    }
    answer = fetch(gateway.public, headers=claims)
    (received,) = upstream.requests
    assert received.values("x-forwarded-for") == ["198.51.100.9, 192.0.2.7, 127.0.0.2, 127.0.0.1"]
    assert received.values("x-forwarded-host") == ["shop.example"]
    assert received.values("x-forwarded-proto") == ["https"]
    assert received.values("x-request-id") == ["from-the-edge.1"] == answer.values("x-request-id")
    line = gateway.wait_for_log("from-the-edge.1")
    assert '\\"client\\":\\"192.0.2.7\\"' in line


@pytest.mark.parametrize("request_id", ["a b", "a" * 129, "", "<script>", "a;b"])
def test_an_odd_request_id_is_replaced_even_from_a_trusted_proxy(
    trusting: GatewayProcess, origin: Upstream, request_id: str
) -> None:
    answer = fetch(trusting.public, headers={"x-request-id": request_id})
    assert re.fullmatch("[0-9a-f]{32}", answer.header("x-request-id") or "")


def test_hop_by_hop_fields_stop_here(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = answering(
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive, x-internal\r\nkeep-alive: timeout=5\r\n"
        b"x-internal: 1\r\nproxy-connection: close\r\nupgrade: h2c\r\ntrailer: x-t\r\nx-end: 1\r\n\r\nhello"
    )
    with Wire(shared_gateway.public) as client:
        client.get(
            "/",
            "Connection: x-hop, keep-alive",
            "X-Hop: 1",
            "Keep-Alive: 5",
            "TE: trailers",
            "Proxy-Connection: keep-alive",
            "Proxy-Authorization: Basic Og==",
            "X-End: 1",
        )
        answer = client.answer()
    (received,) = origin.requests
    names = {name for name, _ in received.headers}
    assert "x-end" in names
    assert not names & {"connection", "x-hop", "keep-alive", "te", "proxy-connection", "proxy-authorization", "upgrade"}
    names = {name for name, _ in answer.headers}
    assert "x-end" in names
    assert not names & {"x-internal", "keep-alive", "proxy-connection", "upgrade", "trailer"}


def test_a_client_cannot_take_away_what_a_guest_sets(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    with Wire(shared_gateway.public) as client:
        client.get("/set", "Connection: x-user, x-principal", "X-User: client", "X-Principal: client")
        assert client.answer().status == 200
    (received,) = origin.requests
    assert received.values("x-user") == received.values("x-principal") == ["guest"]


@pytest.mark.parametrize("name", ["X-Principal", "x-tenant", "X_Principal", "x.principal", "x_tenant"])
def test_identity_fields_of_a_client_are_removed(shared_gateway: GatewayProcess, origin: Upstream, name: str) -> None:
    for path in ("/", "/set"):
        fetch(shared_gateway.public, path, headers={name: "root"})
    assert len(origin.requests) == 2
    assert "root" not in str([received.headers for received in origin.requests])


def test_fields_keep_their_order_and_number(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = answering(
        b"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\ncontent-length: 0\r\nset-cookie: b=2\r\n"
        b"x-utf8: \xc3\xa9\r\nx-empty:\r\n\r\n"
    )
    with Wire(shared_gateway.public) as client:
        client.get("/", "Accept: a", "Cookie: a=1", "X-Latin: \xe9", "Accept: b", "Cookie: b=2")
        answer = client.answer()
    (received,) = origin.requests
    assert received.values("accept") == ["a", "b"]
    assert received.values("cookie") == ["a=1; b=2"]
    assert received.values("x-latin") == ["\xc3\xa9"]
    assert answer.values("set-cookie") == ["a=1", "b=2"]
    assert (answer.header("x-utf8"), answer.header("x-empty")) == ("\xc3\xa9", "")
