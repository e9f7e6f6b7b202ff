"""Listeners with several certificates, and listeners that ask clients for one."""

from __future__ import annotations

import http.client
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509

from tests.http2.peer import Peer, request
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.tls.authority import Authority, Pair

ROUTE = """
[[route]]
path = "/"
respond = { status = 200, body = "served" }
"""


def client_context(authority: Authority, pair: Pair | None = None, alpn: str = "http/1.1") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    context.set_alpn_protocols([alpn])
    # Which certificate is shown is what these tests are about.
    context.check_hostname = False
    if pair is not None:
        context.load_cert_chain(pair.cert, pair.key)
    return context


def connect(
    gateway: GatewayProcess, context: ssl.SSLContext, name: str | None, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    raw = socket.create_connection(gateway.public, PATIENCE)
    return context.wrap_socket(raw, server_hostname=name, session=session)


def names(connection: ssl.SSLSocket) -> set[str]:
    shown = connection.getpeercert()
    assert shown is not None
    return {str(value) for kind, value in shown["subjectAltName"] if kind == "DNS"}


def status(connection: ssl.SSLSocket, host: str) -> int:
    """Of one request on the connection, which it ends."""
    with connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[GatewayProcess]:
    pairs = [authority.server("default.test"), authority.server("one.test"), authority.server("*.many.test")]
    more = ", ".join(f'{{ cert = "{pair.cert}", key = "{pair.key}" }}' for pair in pairs[1:])
    text = f"""
[server]
bind = ["127.0.0.1:0"]
tls = {{ cert = "{pairs[0].cert}", key = "{pairs[0].key}", certificates = [{more}] }}
"""
    with sentinel_run(write_config(tmp_path_factory.mktemp("several"), text + ROUTE)) as running:
        yield running


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("one.test", "one.test"),
        ("ONE.test", "one.test"),
        ("a.many.test", "*.many.test"),
        ("a.b.many.test", "default.test"),
        ("many.test", "default.test"),
        ("unknown.test", "default.test"),
        ("default.test", "default.test"),
        (None, "default.test"),
    ],
)
def test_the_server_name_chooses(tenants: GatewayProcess, authority: Authority, asked: str | None, shown: str) -> None:
    with connect(tenants, client_context(authority), asked) as connection:
        assert names(connection) == {shown}


@pytest.mark.parametrize(
    ("asked", "host", "expected"),
    [
        ("one.test", "one.test", 200),
        ("one.test", "One.Test:443", 200),
        ("a.many.test", "b.many.test", 200),
        ("one.test", "a.many.test", 421),
        ("one.test", "default.test", 421),
        ("one.test", "unknown.test", 421),
        ("default.test", "one.test", 421),
        ("unknown.test", "one.test", 421),
        ("unknown.test", "default.test", 200),
        (None, "one.test", 200),
    ],
)
def test_a_host_of_another_certificate_is_misdirected(
    tenants: GatewayProcess, authority: Authority, asked: str | None, host: str, expected: int
) -> None:
    assert status(connect(tenants, client_context(authority), asked), host) == expected


def test_a_misdirected_stream_leaves_the_others(tenants: GatewayProcess, authority: Authority) -> None:
    with Peer(connect(tenants, client_context(authority, alpn="h2"), "one.test")) as peer:
        for stream, host, expected in ((1, b"a.many.test", 421), (3, b"one.test", 200)):
            fields = [*{**dict(request()), b":authority": host, b":scheme": b"https"}.items()]
            peer.send(peer.headers(stream, fields, end=True))
            assert peer.answer(stream).status == expected


@contextmanager
def asking_for_certificates(folder: Path, authority: Authority, workers: int) -> Iterator[GatewayProcess]:
    server = authority.server("default.test")
    (folder / "clients.pem").write_bytes(authority.file.read_bytes())
    text = f"""
[server]
bind = ["127.0.0.1:0"]
workers = {workers}
tls = {{ cert = "{server.cert}", key = "{server.key}", client_ca = "clients.pem" }}
"""
    with sentinel_run(write_config(folder, text + ROUTE)) as running:
        yield running


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def guarded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[GatewayProcess]:
    with asking_for_certificates(tmp_path_factory.mktemp("clients"), authority, request.param) as running:
        yield running


def test_who_has_a_certificate_is_served(guarded: GatewayProcess, authority: Authority) -> None:
    pair = authority.issue("alice", x509.DNSName("alice.test"))
    assert status(connect(guarded, client_context(authority, pair), "default.test"), "a") == 200


@pytest.mark.parametrize("kind", ["none", "expired", "of another authority"])
def test_others_are_refused(guarded: GatewayProcess, authority: Authority, tmp_path: Path, kind: str) -> None:
    pair = {
        "none": lambda: None,
        "expired": lambda: authority.issue("bob", days=-1),
        "of another authority": lambda: Authority(tmp_path, "stranger").issue("mallory"),
    }[kind]()
    # With TLS 1.3 the client learns of it with its first read.
    with pytest.raises((ssl.SSLError, ConnectionError)):
        status(connect(guarded, client_context(authority, pair), "default.test"), "a")


def test_one_that_is_trusted_no_longer_resumes_nothing(authority: Authority, tmp_path: Path) -> None:
    context = client_context(authority, authority.issue("carol"))
    # With TLS 1.2 the session is there as soon as the handshake is over.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with asking_for_certificates(tmp_path, authority, workers=1) as gateway:
        with connect(gateway, context, "default.test") as first:
            session = first.session
        with connect(gateway, context, "default.test", session) as second:
            assert second.session_reused
        (tmp_path / "clients.pem").write_bytes(Authority(tmp_path, "stranger").file.read_bytes())
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_for_log("new certificates are used from now on")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connect(gateway, context, "default.test", session)


def test_a_listener_that_only_asks_serves_others_too(tmp_path: Path, authority: Authority) -> None:
    server = authority.server("default.test")
    text = f"""
[server]
bind = ["127.0.0.1:0"]

[server.tls]
cert = "{server.cert}"
key = "{server.key}"
client_ca = "{authority.file}"
client_certificate = "request"
min_version = "1.3"
alpn = ["http/1.1"]
"""
    with sentinel_run(write_config(tmp_path, text + ROUTE)) as gateway:
        assert status(connect(gateway, client_context(authority), "default.test"), "a") == 200
        pair = authority.issue("dave")
        assert status(connect(gateway, client_context(authority, pair), "default.test"), "a") == 200
        with connect(gateway, client_context(authority, alpn="h2"), "default.test") as connection:
            assert connection.selected_alpn_protocol() is None
        old = client_context(authority)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            connect(gateway, old, "default.test")
