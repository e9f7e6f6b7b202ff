"""WebSocket through the gateway, with a client and a server that are none of ours."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hyperframe.frame import RstStreamFrame
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from tests.http2.peer import Peer, data
from tests.support.certificates import self_signed
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream, answering
from tests.upgrades.conftest import CONFIG, GUESTS, SERVERS
from tests.upgrades.servers import serving

KEY = {"x-api-key": "demo-key"}


class Origin:
    """A server of the websockets package: it echoes, and closes when it is told to."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.ended = threading.Event()
        self.port = 0

    async def handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.requests.append(dict(connection.request.headers.raw_items()))
        try:
            async for message in connection:
                if message == "close":
                    await connection.close(4321, "as you wish")
                elif message == "vanish":
                    connection.transport.abort()
                else:
                    await connection.send(message)
        except ConnectionClosed:
            pass
        finally:
            self.ended.set()


def choose(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """``chat``, where a client offers it."""
    return Subprotocol("chat") if "chat" in offered else None


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    running = Origin()
    with serving(running.handle, select_subprotocol=choose, max_size=None) as running.port:
        yield running


@pytest.fixture(scope="module", params=sorted(SERVERS))
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, origin: Origin
) -> Iterator[GatewayProcess]:
    config = CONFIG.replace("UPSTREAM", f"http://127.0.0.1:{origin.port}")
    with SERVERS[request.param](write_config(tmp_path_factory.mktemp("gateway"), config, GUESTS)) as running:
        yield running


def with_client(
    gateway: GatewayProcess, use: Callable[[ClientConnection], Awaitable[None]], path: str = "/", **options: object
) -> None:
    async def main() -> None:
        url = f"ws://{gateway.public[0]}:{gateway.public[1]}{path}"
        async with asyncio.timeout(PATIENCE), connect(url, max_size=None, **options) as client:  # type: ignore[arg-type]
            await use(client)

    asyncio.run(main())


def test_messages_both_ways(gateway: GatewayProcess) -> None:
    async def use(client: ClientConnection) -> None:
        assert client.subprotocol == "chat"
        for message in ("hello", "ümläut", "", b"\0\xff", b"", b"x" * 3_000_000, "y" * 100_000):
            await client.send(message)
            assert await client.recv() == message
        await client.send(["in ", "several ", "parts"])
        assert await client.recv() == "in several parts"
        await (await client.ping())

    with_client(gateway, use, subprotocols=["other", "chat"])


def test_the_upstream_closes(gateway: GatewayProcess) -> None:
    async def use(client: ClientConnection) -> None:
        await client.send("close")
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (4321, "as you wish")

    with_client(gateway, use)


def test_the_upstream_vanishes(gateway: GatewayProcess) -> None:
    async def use(client: ClientConnection) -> None:
        await client.send("vanish")
        with pytest.raises(ConnectionClosed):
            await client.recv()

    with_client(gateway, use)


def test_the_client_closes(gateway: GatewayProcess, origin: Origin) -> None:
    async def use(client: ClientConnection) -> None:
        await client.send("x")
        await client.recv()
        origin.ended.clear()

    with_client(gateway, use)
    assert origin.ended.wait(PATIENCE)


def test_the_chain_sees_the_handshake(gateway: GatewayProcess, origin: Origin) -> None:
    async def use(client: ClientConnection) -> None:
        await client.send("x")
        assert await client.recv() == "x"

    seen = len(origin.requests)
    with pytest.raises(InvalidStatus) as refused:
        with_client(gateway, use, "/guarded")
    assert refused.value.response.status_code == 401
    assert len(origin.requests) == seen
    with_client(gateway, use, "/guarded", additional_headers=KEY)
    headers = {name.lower(): value for name, value in origin.requests[-1].items()}
    assert headers["x-principal"] == "demo"
    assert headers["host"] == f"127.0.0.1:{origin.port}"


def test_a_route_without_websockets(gateway: GatewayProcess, origin: Origin) -> None:
    async def use(client: ClientConnection) -> None:
        raise AssertionError("it was let through")

    seen = len(origin.requests)
    with pytest.raises(InvalidStatus):
        with_client(gateway, use, "/closed")
    assert len(origin.requests) == seen


def test_the_access_log_has_a_line_at_the_end(gateway: GatewayProcess) -> None:
    async def use(client: ClientConnection) -> None:
        await client.send(b"x" * 1000)
        await client.recv()

    with_client(gateway, use, "/logged", compression=None)
    gateway.wait(lambda: any("/logged" in line["message"] for line in gateway.guest_lines("access-log")), "line for it")
    lines = [json.loads(line["message"]) for line in gateway.guest_lines("access-log")]
    (record,) = (line for line in lines if line["path"] == "/logged")
    assert record["status"] == 101
    assert 1000 < record["request_bytes"] < 1100
    assert 1000 < record["bytes"] < 1100


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


def test_over_tls(origin: Origin, certificate: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = certificate
    config = CONFIG.replace("UPSTREAM", f"http://127.0.0.1:{origin.port}")
    config = config.replace("[guest.", f'tls = {{ cert = "{cert}", key = "{key}" }}\n\n[guest.', 1)

    async def main(gateway: GatewayProcess) -> None:
        context = ssl.create_default_context(cafile=cert)
        url = f"wss://localhost:{gateway.public[1]}/"
        async with connect(url, ssl=context) as client:
            await client.send("secret")
            assert await client.recv() == "secret"
        origin.ended.clear()
        async with connect(url, ssl=context) as client:
            await client.send("close")
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 4321

    with sentinel_run(write_config(tmp_path, config, GUESTS)) as gateway:
        asyncio.run(main(gateway))


class TestOverHttp2:
    """RFC 8441. No client at hand speaks it: frames from hyperframe, messages from wsproto."""

    FIELDS = (
        (b":method", b"CONNECT"),
        (b":protocol", b"websocket"),
        (b":scheme", b"http"),
        (b":authority", b"a.example"),
    )

    @pytest.fixture
    def gateway(self, origin: Origin, tmp_path: Path) -> Iterator[GatewayProcess]:
        config = CONFIG.replace("UPSTREAM", f"http://127.0.0.1:{origin.port}")
        with sentinel_run(write_config(tmp_path, config, GUESTS)) as running:
            yield running

    @contextlib.contextmanager
    def peer(self, gateway: GatewayProcess) -> Iterator[Peer]:
        with Peer(socket.create_connection(gateway.public, PATIENCE)) as peer:
            peer.ping()
            assert peer.settings[8] == 1
            yield peer

    def fields(self, path: bytes, *more: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        return [*self.FIELDS, (b":path", path), (b"sec-websocket-version", b"13"), *more]

    def test_messages_both_ways(self, gateway: GatewayProcess, origin: Origin) -> None:
        with self.peer(gateway) as peer:
            peer.send(peer.headers(1, self.fields(b"/", (b"sec-websocket-protocol", b"chat"))))
            peer.until(lambda: peer.of(1).status)
            head = peer.of(1).heads[0]
            assert (head[b":status"], head[b"sec-websocket-protocol"]) == (b"200", b"chat")
            assert not {b"sec-websocket-accept", b"upgrade", b"connection"} & set(head)
            frames = Connection(ConnectionType.CLIENT)
            peer.send(
                data(1, frames.send(TextMessage(data="hello"))), data(1, frames.send(BytesMessage(data=b"\0" * 500)))
            )
            peer.send(data(1, frames.send(Ping(payload=b"p"))))
            events: list[object] = []

            def received(*kinds: type) -> bool:
                frames.receive_data(peer.of(1).body)
                peer.of(1).body = b""
                events.extend(frames.events())
                return {type(event) for event in events} >= set(kinds)

            # The server's library answers a Ping by itself, perhaps before its application has
            # echoed anything.
            peer.until(lambda: received(TextMessage, BytesMessage, Pong))
            assert [event.data for event in events if isinstance(event, TextMessage)] == ["hello"]
            assert [bytes(event.data) for event in events if isinstance(event, BytesMessage)] == [b"\0" * 500]
            # Other requests share the connection.
            peer.send(data(1, frames.send(CloseConnection(code=1000))))
            peer.until(lambda: received(CloseConnection))
            peer.send(data(1, end=True))
            assert peer.answer(1).ended
            peer.ping()
            assert not peer.goaways
        key = {name.lower(): value for name, value in origin.requests[-1].items()}["sec-websocket-key"]
        assert len(base64.b64decode(key)) == 16

    def test_a_reset_ends_the_upstreams_connection(self, gateway: GatewayProcess, origin: Origin) -> None:
        with self.peer(gateway) as peer:
            peer.send(peer.headers(1, self.fields(b"/")))
            peer.until(lambda: peer.of(1).status)
            origin.ended.clear()
            peer.send(RstStreamFrame(1, 8))
            assert origin.ended.wait(PATIENCE)
            peer.ping()

    @pytest.mark.parametrize(
        ("path", "protocol", "status"),
        [(b"/guarded", b"websocket", 401), (b"/closed", b"websocket", 501), (b"/", b"x", 501)],
    )
    def test_refusals_are_ordinary_responses(
        self, gateway: GatewayProcess, path: bytes, protocol: bytes, status: int
    ) -> None:
        fields = [(name, protocol if name == b":protocol" else value) for name, value in self.fields(path)]
        with self.peer(gateway) as peer:
            peer.send(peer.headers(1, fields))
            assert peer.answer(1).status == status
            peer.ping()


def test_an_upstream_that_knows_no_websocket(shared_upstream: Upstream, tmp_path: Path) -> None:
    shared_upstream.reset()
    shared_upstream.handler = answering(b"HTTP/1.1 426 Upgrade Required\r\ncontent-length: 2\r\n\r\nno")
    with sentinel_run(write_config(tmp_path, CONFIG.replace("UPSTREAM", shared_upstream.url), GUESTS)) as gateway:

        async def use(client: ClientConnection) -> None:
            raise AssertionError("it was let through")

        with pytest.raises(InvalidStatus) as refused:
            with_client(gateway, use)
        assert refused.value.response.status_code == 426
        assert fetch(gateway.public).status == 426
