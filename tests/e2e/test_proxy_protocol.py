"""Connections that begin with a PROXY header: whose address counts, and what is refused."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.http2.peer import Peer, request
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream
from tests.tls.authority import Authority
from tests.unit.http.test_proxy_header import V4, addresses, binary

V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
V2 = binary(0x21, 0x11, addresses(V4))
GET = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n\r\n"

REFUSED = 'sentinel_limits_hit_total{limit="proxy_header"}'


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def gateway(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    shared_upstream: Upstream,
    authority: Authority,
) -> Iterator[GatewayProcess]:
    """Its listeners: in the clear, with TLS, and for peers that are elsewhere."""
    pair = authority.server("a")
    tls = f'{{ cert = "{pair.cert}", key = "{pair.key}" }}'
    text = f"""
[server]
bind = [
    {{ address = "127.0.0.1:0", proxy_protocol = ["127.0.0.0/8"] }},
    {{ address = "127.0.0.2:0", proxy_protocol = ["127.0.0.0/8"], tls = {tls} }},
    {{ address = "127.0.0.3:0", proxy_protocol = ["192.0.2.0/24"] }},
]
admin = "127.0.0.1:0"
workers = {request.param}
trusted_proxies = ["127.0.0.0/8"]

[server.limits]
head_time = "2s"
connections_per_client = 2

[[upstream]]
name = "origin"
targets = ["{shared_upstream.url}"]

[[route]]
path = "/"
upstream = "origin"
"""
    with sentinel_run(write_config(tmp_path_factory.mktemp("proxied"), text)) as running:
        running.wait(lambda: len([line for line in running.log if "public on" in line]) == 3, "three listeners")
        yield running


def connect(gateway: GatewayProcess, host: str = "127.0.0.1") -> socket.socket:
    found = (re.search(rf"public on https?://{host}:(\d+)", line) for line in gateway.log)
    return socket.create_connection((host, int(next(match for match in found if match)[1])), PATIENCE)


def status(connection: socket.socket) -> int:
    response = http.client.HTTPResponse(connection)
    response.begin()
    response.read()
    return response.status


def is_closed(connection: socket.socket) -> bool:
    """Waits until the gateway closes, or sends something."""
    with contextlib.suppress(ConnectionResetError):
        return connection.recv(1) == b""
    return True


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (V1, "192.0.2.1"),
        (V2, "192.0.2.1"),
        # The load balancer's own connections: it is trusted with what it says of others.
        (b"PROXY UNKNOWN\r\n", "203.0.113.9, 127.0.0.1"),
        (binary(0x20, 0x00, b""), "203.0.113.9, 127.0.0.1"),
    ],
    ids=["v1", "v2", "v1 unknown", "v2 local"],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"], ids=["in the clear", "TLS"])
def test_the_client_is_who_the_header_says(
    gateway: GatewayProcess, shared_upstream: Upstream, authority: Authority, host: str, header: bytes, client: str
) -> None:
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(connect(gateway, host))
        connection.sendall(header)
        if host == "127.0.0.2":
            context = ssl.create_default_context(cafile=str(authority.file))
            connection = stack.enter_context(context.wrap_socket(connection, server_hostname="a"))
        connection.sendall(GET)
        assert status(connection) == 200
    assert shared_upstream.requests[-1].values("x-forwarded-for") == [client]


def test_http2_behind_a_header(gateway: GatewayProcess, shared_upstream: Upstream, authority: Authority) -> None:
    raw = connect(gateway, "127.0.0.2")
    raw.sendall(V2)
    context = ssl.create_default_context(cafile=str(authority.file))
    context.set_alpn_protocols(["h2"])
    with Peer(context.wrap_socket(raw, server_hostname="a")) as peer:
        fields = [(name, b"https" if name == b":scheme" else value) for name, value in request()]
        peer.send(peer.headers(1, fields, end=True))
        assert peer.answer(1).status == 200
    assert shared_upstream.requests[-1].values("x-forwarded-for") == ["192.0.2.1"]


def test_one_segment_holds_header_and_request(gateway: GatewayProcess) -> None:
    with connect(gateway) as connection:
        connection.sendall(V2 + GET)
        assert status(connection) == 200


@pytest.mark.parametrize(
    "data",
    [GET, V1[:-2] + b" " * 100, binary(0x21, 0x11, b"", 65535), b"\x16\x03\x01\x00\x05"],
    ids=["none", "v1 too long", "v2 too long", "TLS without one"],
)
def test_a_connection_without_a_header_is_refused(gateway: GatewayProcess, data: bytes) -> None:
    with connect(gateway) as connection:
        connection.sendall(data)
        assert is_closed(connection)


def test_one_that_is_cut_off_is_refused(gateway: GatewayProcess) -> None:
    with connect(gateway) as connection:
        connection.sendall(V2[:-1])
        connection.shutdown(socket.SHUT_WR)
        assert is_closed(connection)


def test_one_that_does_not_come_in_time_is_refused(gateway: GatewayProcess) -> None:
    with connect(gateway) as connection:
        connection.sendall(V1[:10])
        assert is_closed(connection)


def test_nobody_else_is_believed(gateway: GatewayProcess) -> None:
    before = gateway.metric(REFUSED)
    with connect(gateway, "127.0.0.3") as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(V1 + GET)
        assert is_closed(connection)
    end = time.monotonic() + PATIENCE
    while gateway.metric(REFUSED) <= before:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_second_header_is_a_bad_request(gateway: GatewayProcess) -> None:
    with connect(gateway) as connection:
        connection.sendall(V1 + V1 + GET)
        assert status(connection) == 400


def test_connections_are_counted_by_the_client_in_the_header(gateway: GatewayProcess) -> None:
    keep = GET.replace(b"Connection: close\r\n", b"")
    with contextlib.ExitStack() as stack:
        # With two workers the third connection may be the second of its worker.
        answers = []
        for _ in range(5):
            connection = stack.enter_context(connect(gateway))
            connection.sendall(V1.replace(b"192.0.2.1", b"192.0.2.77") + keep)
            answers.append(status(connection))
        assert 503 in answers
        other = stack.enter_context(connect(gateway))
        other.sendall(V1 + keep)
        assert status(other) == 200
