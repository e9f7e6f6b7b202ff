"""Nobody passes for somebody else, and no spelling of a path, host or field leads around a
guest.
"""

from __future__ import annotations

import pytest

from tests.support.clients import Wire, exchange, fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess
from tests.support.upstreams import Upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
identity_headers = ["x-principal", "x-tenant"]

[guest.api-key-auth]
config = { keys = { key = "demo" } }

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"
trailers = ["x-checksum"]

[[route]]
path = "/admin"
upstream = "origin"
chain = ["api-key-auth"]

[[route]]
name = "inner"
path = "/"
hosts = ["inner.example"]
upstream = "origin"
preserve_host = true
chain = ["api-key-auth"]
"""
GUESTS = {"api-key-auth": ARTEFACTS / "rust" / "api-key-auth.wasm"}

# Every one of these is /admin to some server.
SPELLINGS = [
    "/admin",
    "/admin/",
    "/admin?x=/",
    "/%61dmin",
    "/%61%64%6d%69%6e",
    "/admin/x",
    "//admin",
    "///admin",
    "/./admin",
    "/x/../admin",
    "/x/..//admin",
    "/x/%2e%2e/admin",
    "/x/%2E./admin",
    "/x/..%2fadmin",
    "/x/..%2Fadmin",
    "/x%2f..%2fadmin",
    "/x/..%5cadmin",
    "/x\\..\\admin",
    "/%2fadmin",
    "/%5cadmin",
    "\\admin",
    "/admin%00",
    "/%00/../admin",
    "/admin%2f",
    "/admin%2f..",
    "/admin/..",
    "/.",
    "/..",
    "/%2e",
    "/admin%0d%0ax:1",
    "/admin%zz",
    "/admin%",
    "/admin%1",
    "/admin%u0061",
    "http://a/admin",
    "HTTP://a/admin",
    "http://a//admin",
    "http://inner.example/",
]


@pytest.mark.parametrize("target", SPELLINGS)
def test_no_spelling_of_a_path_leads_around_the_guest(gateway: GatewayProcess, origin: Upstream, target: str) -> None:
    reply = exchange(gateway.public, f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert int(reply[9:12]) in (400, 401)
    assert origin.requests == []


HOSTS = ["inner.example", "INNER.example", "inner.example:80", "inner.example.", "Inner.Example.:8080"]
HOSTS += [
    "inner.example:",
    "inner.example.:",
    "%69nner.example",
    "inner%2Eexample",
    "inner.example,a",
    "a,inner.example",
]
HOSTS += [
    "inner.example;a",
    "u@inner.example",
    "inner.example::",
    "inner.example:80:",
    "inner.example#",
    "inner.example/",
]


@pytest.mark.parametrize("host", HOSTS)
def test_no_spelling_of_a_host_leads_around_the_guest(gateway: GatewayProcess, origin: Upstream, host: str) -> None:
    for target in ("/", f"http://{host}/"):
        request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        assert int(exchange(gateway.public, request.encode())[9:12]) in (400, 401)
    assert origin.requests == []


@pytest.mark.parametrize(
    "field", ["X-Forwarded-Host", "X-Host", "X-Original-URL", "Forwarded", "X-HTTP-Method-Override"]
)
def test_no_field_chooses_a_route(gateway: GatewayProcess, origin: Upstream, field: str) -> None:
    reply = fetch(gateway.public, "/admin", headers={field: "/", "x-forwarded-for": "127.0.0.1"})
    assert reply.status == 401
    assert origin.requests == []


FORGERIES = [
    "X-Principal: root",
    "x-principal: root",
    "X_Principal: root",
    "x.principal: root",
    "X_PRINCIPAL: root",
    "X-Tenant: root",
    "x.tenant: root",
    "X-Principal:root",
    "X-Principal:\troot",
    "Connection: x-principal\r\nX-Principal: root",
]


@pytest.mark.parametrize("fields", FORGERIES)
@pytest.mark.parametrize("path", ["/", "/admin"])
def test_an_identity_is_never_a_client_s_to_give(
    gateway: GatewayProcess, origin: Upstream, path: str, fields: str
) -> None:
    with Wire(gateway.public) as client:
        client.get(path, *fields.split("\r\n"), "X-Api-Key: key")
        assert client.answer().status == 200
    (received,) = origin.requests
    assert "root" not in str(received.headers)
    assert received.values("x-principal") == (["demo"] if path == "/admin" else [])


@pytest.mark.parametrize("name", ["x-principal", "X_Principal", "x-checksum", "content-length", "host", "x-api-key"])
def test_a_trailer_is_never_a_header(gateway: GatewayProcess, origin: Upstream, name: str) -> None:
    with Wire(gateway.public) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: %b\r\n\r\n" % name.encode())
        client.send(b"2\r\nhi\r\n0\r\n%b: root\r\n\r\n" % name.encode())
        assert client.answer().status == 200
    (received,) = origin.requests
    assert "root" not in str(received.headers)
    assert received.trailers == ([("x-checksum", "root")] if name == "x-checksum" else [])


def test_a_key_in_a_trailer_opens_nothing(gateway: GatewayProcess, origin: Upstream) -> None:
    with Wire(gateway.public) as client:
        client.send(b"POST /admin HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"0\r\nX-Api-Key: key\r\n\r\n")
        assert client.answer().status == 401
    assert origin.requests == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_the_admin_side_is_not_on_the_public_listener(gateway: GatewayProcess, origin: Upstream, path: str) -> None:
    fetch(gateway.public, path, headers={"host": "127.0.0.1:8081"})
    assert [received.target for received in origin.requests] == [path]
