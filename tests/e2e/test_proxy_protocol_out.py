"""PROXY headers towards upstreams: whose address they tell, over which connections."""

from __future__ import annotations

import http.client
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.clients import Wire
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream, answering, running_upstream

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
IPV6 = b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
LOCAL = {"v1": b"PROXY UNKNOWN\r\n", "v2": b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"}


@pytest.fixture(scope="module")
def upstreams() -> Iterator[dict[str, Upstream]]:
    """One for each version, and one that is only checked."""
    with running_upstream() as first, running_upstream() as second, running_upstream() as checked:
        for each in (first, second, checked):
            each.proxied = True
        yield {"v1": first, "v2": second, "checked": checked}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstreams: dict[str, Upstream]) -> Iterator[GatewayProcess]:
    """Its first listener is in the clear, its second is behind a load balancer with the PROXY
    protocol. Its peers are trusted proxies.
    """
    text = f"""
[server]
bind = ["127.0.0.1:0", {{ address = "127.0.0.2:0", proxy_protocol = ["127.0.0.0/8"] }}]
trusted_proxies = ["127.0.0.0/8"]

[[upstream]]
name = "v1"
targets = ["{upstreams["v1"].url}"]
proxy_protocol = "v1"

[[upstream]]
name = "v2"
targets = ["{upstreams["v2"].url}"]
proxy_protocol = "v2"

[[upstream]]
name = "checked-http"
targets = ["{upstreams["checked"].url}"]
proxy_protocol = "v1"
check = {{ path = "/checked" }}

[[upstream]]
name = "checked-tcp"
targets = ["{upstreams["checked"].url}"]
proxy_protocol = "v2"
check = {{ type = "tcp" }}

[[upstream]]
name = "checked-grpc"
targets = ["{upstreams["checked"].url}"]
proxy_protocol = "v2"
check = {{ type = "grpc" }}

[[route]]
path = "/v1"
upstream = "v1"
upgrades = ["websocket"]

[[route]]
path = "/v2"
upstream = "v2"
upgrades = ["websocket"]

[[route]]
path = "/mirrored"
upstream = "v1"
mirror = {{ upstream = "v2" }}

[[route]]
path = "/checked"
split = {{ checked-http = 1, checked-tcp = 1, checked-grpc = 1 }}
"""
    with sentinel_run(write_config(tmp_path_factory.mktemp("proxied"), text)) as running:
        running.wait(lambda: len([line for line in running.log if "public on" in line]) == 2, "two listeners")
        yield running


@pytest.fixture(autouse=True)
def _clean(upstreams: dict[str, Upstream]) -> None:
    for name in ("v1", "v2"):
        upstreams[name].reset()


def address(gateway: GatewayProcess, host: str) -> tuple[str, int]:
    found = (re.search(rf"public on http://{host}:(\d+)", line) for line in gateway.log)
    return host, int(next(match for match in found if match)[1])


def connect(gateway: GatewayProcess, host: str) -> socket.socket:
    return socket.create_connection(address(gateway, host), PATIENCE)


def ask(connection: socket.socket, path: str, *fields: bytes) -> int:
    more = b"".join(b"\r\n" + field for field in fields)
    connection.sendall(GET.replace(b"\r\n\r\n", more + b"\r\n\r\n") % path.encode())
    response = http.client.HTTPResponse(connection)
    response.begin()
    response.read()
    return response.status


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_each_client_has_its_own_connections(
    gateway: GatewayProcess, upstreams: dict[str, Upstream], version: str
) -> None:
    upstream = upstreams[version]
    with connect(gateway, "127.0.0.1") as first, connect(gateway, "127.0.0.1") as second:
        clients = [first, second, first, second]
        for client in clients:
            assert ask(client, f"/{version}") == 200
        seen = upstream.requests
        assert [each.client for each in seen] == [client.getsockname() for client in clients]
        assert [each.own for each in seen] == [client.getpeername() for client in clients]
    assert seen[0].connection == seen[2].connection != seen[1].connection == seen[3].connection


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_a_load_balancer_says_is_passed_on(
    gateway: GatewayProcess, upstreams: dict[str, Upstream], version: str
) -> None:
    with connect(gateway, "127.0.0.2") as connection:
        connection.sendall(IPV6)
        assert ask(connection, f"/{version}") == 200
    (seen,) = upstreams[version].requests
    assert (seen.client, seen.own) == (("2001:db8::1", 56324), ("2001:db8::2", 443))


def test_of_a_client_behind_a_trusted_proxy_no_port_is_known(
    gateway: GatewayProcess, upstreams: dict[str, Upstream]
) -> None:
    with connect(gateway, "127.0.0.1") as connection:
        own = connection.getpeername()
        for client in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
            assert ask(connection, "/v1", b"X-Forwarded-For: " + client.encode()) == 200
    seen = upstreams["v1"].requests
    assert [each.client for each in seen] == [("192.0.2.1", 0), ("192.0.2.2", 0), ("192.0.2.1", 0)]
    assert {each.own for each in seen} == {own}
    assert seen[0].connection == seen[2].connection != seen[1].connection


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_upgrades_have_it_too(gateway: GatewayProcess, upstreams: dict[str, Upstream], version: str) -> None:
    upstreams[version].handler = answering(SWITCH, then_close=True)
    with Wire(address(gateway, "127.0.0.1")) as wire:
        upgrade = b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        wire.send(GET.replace(b"\r\n\r\n", upgrade) % f"/{version}".encode())
        assert wire.head().status == 101
        client = wire.socket.getsockname()
    assert upstreams[version].requests[-1].client == client


def test_a_mirror_has_it_in_its_own_version(gateway: GatewayProcess, upstreams: dict[str, Upstream]) -> None:
    with connect(gateway, "127.0.0.1") as connection:
        assert ask(connection, "/mirrored") == 200
        client = connection.getsockname()
    eventually(lambda: bool(upstreams["v2"].requests))
    assert [each.client for each in upstreams["v2"].requests] == [client]
    assert upstreams["v2"].headers[-1].startswith(b"\r\n\r\n\0")


def test_a_retry_has_it_too(gateway: GatewayProcess, upstreams: dict[str, Upstream]) -> None:
    """A kept connection that the upstream has given up is replaced by another of the same client."""
    upstreams["v1"].handler = hang_up_later
    with connect(gateway, "127.0.0.1") as connection:
        client = connection.getsockname()
        for _ in range(3):
            assert ask(connection, "/v1") == 200
    seen = upstreams["v1"].requests
    assert {each.client for each in seen} == {client}
    assert len({each.connection for each in seen}) == 3


async def hang_up_later(received, reader, writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    await writer.drain()
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def test_checks_say_that_they_are_the_gateways_own(gateway: GatewayProcess, upstreams: dict[str, Upstream]) -> None:
    """Each kind of check asks once at the start; the answer to the one for gRPC is none of it."""
    checked = upstreams["checked"]
    asked = {"GET /checked HTTP/1.1", "PRI * HTTP/2.0"}
    # The check of a connection says nothing behind its header.
    eventually(lambda: len(checked.headers) >= 3 and asked <= {each.line for each in checked.requests})
    assert {LOCAL["v1"], LOCAL["v2"]} == set(checked.headers)
