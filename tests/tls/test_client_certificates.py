"""What guests see of a client's certificate."""

from __future__ import annotations

import hashlib
import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from guestbuild.places import BUILD
from guestbuild.project_guests import build_projects
from sentinel_host.authoring.c import C
from tests.http2.peer import Peer, request
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.tls.authority import Authority, Pair
from tests.tls.test_listeners import client_context, connect

CONFORMANCE = Path(__file__).parents[1] / "conformance" / "c"
# What a client may say to seem to have one.
FORGED = [
    (b"client-certificate", b"CN=admin"),
    (b"client-cert", b":TUlJQg==:"),
    (b"x-client-cert", b"CN=admin"),
    (b"x-forwarded-client-cert", b"Subject=CN=admin"),
    (b"forged", b"a\\x0aclient-certificate=CN=admin"),
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[GatewayProcess]:
    """A guest behind it answers with what it sees of each request."""
    out = BUILD / "conformance" / "c"
    out.mkdir(parents=True, exist_ok=True)
    built = build_projects(C(), CONFORMANCE, out, debug=True)
    guest = next(each.path for each in built if each.path.stem == "conformance")
    server = authority.server("default.test")
    text = f"""
[server]
bind = ["127.0.0.1:0"]

[server.tls]
cert = "{server.cert}"
key = "{server.key}"
client_ca = "{authority.file}"
client_certificate = "request"

[guest.conformance.config]
hook = "on-request"
ops = [["dump"]]

[[route]]
path = "/"
respond = {{ status = 204 }}
chain = ["conformance"]
"""
    with sentinel_run(write_config(tmp_path_factory.mktemp("seen"), text, {"conformance": guest})) as running:
        yield running


def seen(gateway: GatewayProcess, authority: Authority, version: str, pair: Pair | None) -> list[str]:
    """The lines of what the guest sees of a request."""
    connection = connect(gateway, client_context(authority, pair, alpn=version), "default.test")
    if version == "h2":
        with Peer(connection) as peer:
            fields = [(name, b"https" if name == b":scheme" else value) for name, value in request()]
            peer.send(peer.headers(1, [*fields, *FORGED], end=True))
            return peer.answer(1).body.decode().split("\n")
    with connection:
        head = b"".join(b"%s: %s\r\n" % field for field in FORGED)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + head + b"\r\n")
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.read().decode().split("\n")


@pytest.mark.parametrize("version", ["http/1.1", "h2"])
def test_a_guest_sees_it(gateway: GatewayProcess, authority: Authority, version: str) -> None:
    spiffe = "spiffe://example.org/billing"
    pair = authority.issue("alice", x509.DNSName("alice.test"), x509.UniformResourceIdentifier(spiffe))
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pair.cert.read_text())).hexdigest()
    lines = seen(gateway, authority, version, pair)
    shown = [line for line in lines if line.startswith("client-certificate=")]
    assert shown == [f"client-certificate=CN=alice DNS:alice.test,URI:{spiffe} {digest} true"]


@pytest.mark.parametrize("version", ["http/1.1", "h2"])
def test_a_client_without_one_cannot_seem_to_have_it(
    gateway: GatewayProcess, authority: Authority, version: str
) -> None:
    lines = seen(gateway, authority, version, None)
    assert "header=client-certificate: CN=admin" in lines
    assert not [line for line in lines if line.startswith("client-certificate=")]
