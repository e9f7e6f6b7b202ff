"""WebSockets to an upstream that is spoken to over HTTP/2: a gateway in front of another, which
has WebSockets over HTTP/2.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from tests.hotload.failing import TOKEN
from tests.hotload.operating import admin
from tests.http2.peer import Peer, data, request
from tests.supervisor.support import wait_until
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.upgrades.conftest import CONFIG, GUESTS
from tests.upgrades.servers import serving
from tests.upgrades.test_websocket import Origin, choose, with_client

FRONT = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
admin_token = "TOKEN"

[[upstream]]
name = "behind"
targets = ["UPSTREAM"]
protocol = "http/2"

[[route]]
path = "/"
upstream = "behind"
"""


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    running = Origin()
    with serving(running.handle, select_subprotocol=choose, max_size=None) as running.port:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[GatewayProcess]:
    """The one in front."""
    behind = CONFIG.replace("UPSTREAM", f"http://127.0.0.1:{origin.port}")
    with sentinel_run(write_config(tmp_path_factory.mktemp("behind"), behind, GUESTS)) as back:
        front = FRONT.replace("UPSTREAM", back.url).replace("TOKEN", TOKEN)
        with sentinel_run(write_config(tmp_path_factory.mktemp("front"), front)) as running:
            yield running


def tunnels(gateway: GatewayProcess) -> int:
    """What the admin side tells of the one upstream's one endpoint."""
    (upstream,) = admin(gateway, "/upstreams").json()["upstreams"]
    (endpoint,) = upstream["endpoints"]
    return int(endpoint["connections"]["tunnels"])


def test_messages_both_ways(gateway: GatewayProcess) -> None:
    async def use(client: ClientConnection) -> None:
        assert client.subprotocol == "chat"
        assert await asyncio.to_thread(tunnels, gateway) >= 1
        for message in ("hello", "", b"\0\xff", b"x" * 3_000_000, "y" * 100_000):
            await client.send(message)
            assert await client.recv() == message

    with_client(gateway, use, subprotocols=["other", "chat"])


def test_either_side_closes(gateway: GatewayProcess, origin: Origin) -> None:
    async def be_closed(client: ClientConnection) -> None:
        await client.send("close")
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (4321, "as you wish")

    async def close(client: ClientConnection) -> None:
        await client.send("x")
        await client.recv()
        origin.ended.clear()

    with_client(gateway, be_closed)
    with_client(gateway, close)
    assert origin.ended.wait(PATIENCE)
    wait_until(lambda: tunnels(gateway) == 0, "their end")


def test_the_upstream_vanishes(gateway: GatewayProcess) -> None:
    async def use(client: ClientConnection) -> None:
        await client.send("vanish")
        with pytest.raises(ConnectionClosed):
            await client.recv()

    with_client(gateway, use)
    assert fetch(gateway.public, "/closed").status == 426


def test_a_refusal_is_passed_on(gateway: GatewayProcess) -> None:
    async def use(client: ClientConnection) -> None:
        raise AssertionError("it was let through")

    for path, status in (("/guarded", 401), ("/closed", 501)):
        with pytest.raises(InvalidStatus) as refused:
            with_client(gateway, use, path)
        assert refused.value.response.status_code == status


def test_clients_of_http2_have_them_too(gateway: GatewayProcess) -> None:
    fields = [*request(b"CONNECT", b"/"), (b":protocol", b"websocket"), (b"sec-websocket-version", b"13")]
    with Peer(socket.create_connection(gateway.public, PATIENCE)) as peer:
        peer.ping()
        peer.send(peer.headers(1, sorted(fields, key=lambda field: not field[0].startswith(b":"))))
        peer.until(lambda: peer.of(1).status)
        assert b"sec-websocket-accept" not in peer.of(1).heads[0]
        frames = Connection(ConnectionType.CLIENT)
        peer.send(data(1, frames.send(TextMessage(data="hello"))))
        peer.until(lambda: len(peer.of(1).body) >= 7)
        frames.receive_data(peer.of(1).body)
        assert [event.data for event in frames.events() if isinstance(event, TextMessage)] == ["hello"]
