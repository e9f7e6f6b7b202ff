"""Upgrades on HTTP/1.1 as raw tunnels: what opens one, what passes through it, and how it ends."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from typing import Any

import pytest

from tests.support.clients import Wire, fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess
from tests.support.upstreams import Handler, Received, Upstream, answering
from tests.upgrades.conftest import only_sentinel

UPGRADE = ("Connection: upgrade, x-hop", "Upgrade: websocket", "X-Hop: 1")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nX-Answer: yes\r\n\r\n"

pytestmark = only_sentinel


async def echo(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Switches and sends back whatever comes, until it ends."""
    writer.write(SWITCH)
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b" bye")
    writer.close()


def test_bytes_pass_both_ways_until_both_have_ended(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = echo
    with Wire(gateway.public) as wire:
        # The first bytes of the other protocol come with the request, and the answer's with the
        # 101.
        wire.send(
            b"GET /x?y HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\nGET / HTTP/1.1\r\n\r\n"
        )
        head = wire.head()
        assert (head.status, head.header("connection"), head.header("upgrade")) == (101, "upgrade", "websocket")
        assert head.header("x-answer") == "yes"
        assert wire.exactly(18) == b"GET / HTTP/1.1\r\n\r\n"
        wire.send(b"\0\xff" * 10)
        assert wire.exactly(20) == b"\0\xff" * 10
        wire.finish_sending()
        assert wire.rest() == b" bye"
    (request,) = origin.requests
    assert request.line == "GET /x?y HTTP/1.1"
    assert (request.values("connection"), request.values("upgrade")) == (["upgrade"], ["websocket"])

    def records() -> list[dict[str, Any]]:
        """Those of the tests before may come as late."""
        told = [json.loads(line["message"]) for line in gateway.guest_lines("access-log")]
        return [each for each in told if each["path"] == "/x"]

    gateway.wait(lambda: bool(records()), "line of the access log")
    (record,) = records()
    assert (record["status"], record["request_bytes"], record["bytes"]) == (101, 38, 42)


def test_hop_by_hop_fields_go_and_the_upgrade_stays(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = answering(SWITCH, then_close=True)
    with Wire(gateway.public) as wire:
        wire.get("/", *UPGRADE, "Sec-WebSocket-Key: k")
        assert wire.head().status == 101
        assert wire.rest() == b""
    (request,) = origin.requests
    assert request.values("x-hop") == []
    assert request.values("sec-websocket-key") == ["k"]
    assert request.values("connection") == ["upgrade"]


def test_anything_but_101_is_an_ordinary_response(gateway: GatewayProcess, origin: Upstream) -> None:
    with Wire(gateway.public) as wire:
        for _ in range(2):
            wire.get("/", *UPGRADE)
            answer = wire.answer()
            assert (answer.status, answer.body) == (200, b"hello")


def test_a_guest_may_refuse_the_handshake(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = echo
    with Wire(gateway.public) as wire:
        wire.get("/guarded", *UPGRADE)
        assert wire.answer().status == 401
        assert origin.requests == []
        wire.get("/guarded", *UPGRADE, "X-Api-Key: demo-key")
        assert wire.head().status == 101
        wire.send(b"x")
        assert wire.exactly(1) == b"x"
    assert origin.requests[0].values("x-principal") == ["demo"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/closed", UPGRADE),
        ("/", ("Connection: upgrade, http2-settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")),
        ("/", ("Connection: upgrade", "Upgrade: thing")),
        ("/", ("Connection: upgrade", "Upgrade: websocket, thing")),
        ("/", ("Upgrade: websocket",)),
        ("/", ("Connection: upgrade",)),
    ],
)
def test_what_a_route_does_not_allow_is_an_ordinary_request(
    gateway: GatewayProcess, origin: Upstream, path: str, fields: tuple[str, ...]
) -> None:
    with Wire(gateway.public) as wire:
        wire.get(path, *fields)
        assert wire.answer().body == b"hello"
    (request,) = origin.requests
    assert (request.values("connection"), request.values("upgrade")) == ([], [])


def test_other_protocols_where_a_route_allows_them(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = answering(SWITCH.replace(b"websocket", b"thing") + b"at once", then_close=True)
    with Wire(gateway.public) as wire:
        wire.get("/other", "Connection: upgrade", "Upgrade: thing")
        assert wire.head().header("upgrade") == "thing"
        assert wire.rest() == b"at once"


def test_a_switch_to_a_protocol_that_was_not_requested_is_a_fault(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = answering(SWITCH.replace(b"websocket", b"thing"))
    with Wire(gateway.public) as wire:
        wire.get("/", *UPGRADE)
        assert wire.answer().status == 502
    origin.handler = answering(SWITCH)
    assert fetch(gateway.public, "/").status == 502


def test_an_upgrade_with_a_body_is_an_ordinary_request(gateway: GatewayProcess, origin: Upstream) -> None:
    with Wire(gateway.public) as wire:
        fields = "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n"
        wire.send(f"POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\nbody".encode())
        assert wire.answer().body == b"hello"
    assert origin.requests[0].body == b"body"


def test_nothing_after_a_tunnel_is_read_as_a_request(gateway: GatewayProcess, origin: Upstream) -> None:
    """The head is never parsed a second time: what a client says in a tunnel is the upstream's to
    read, all of it.
    """
    origin.handler = echo
    smuggled = b"GET /guarded HTTP/1.1\r\nHost: a\r\n\r\n" * 3
    with Wire(gateway.public) as wire:
        wire.get("/", *UPGRADE)
        assert wire.head().status == 101
        wire.send(smuggled)
        assert wire.exactly(len(smuggled)) == smuggled
    assert len(origin.requests) == 1


def test_the_connection_to_the_upstream_is_not_used_again(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = echo
    for _ in range(3):
        with Wire(gateway.public) as wire:
            wire.get("/", *UPGRADE)
            assert wire.head().status == 101
            wire.finish_sending()
            assert wire.rest() == b" bye"
    origin.handler = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    assert fetch(gateway.public).body == b"ok"


def test_megabytes_both_ways_at_once(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = echo
    payload = bytes(range(256)) * 40_000
    with Wire(gateway.public) as wire:
        wire.get("/", *UPGRADE)
        assert wire.head().status == 101

        def send() -> None:
            wire.send(payload)
            wire.finish_sending()

        sender = threading.Thread(target=send)
        sender.start()
        received = wire.rest()
        sender.join()
    assert hashlib.sha256(received).digest() == hashlib.sha256(payload + b" bye").digest()


def test_a_side_that_does_not_read_stops_the_other(gateway: GatewayProcess, origin: Upstream) -> None:
    sent = 0
    full = threading.Event()

    async def pour(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(SWITCH)
        try:
            while True:
                writer.write(b"x" * 65536)
                async with asyncio.timeout(1):
                    await writer.drain()
                sent += 65536
        except TimeoutError:
            full.set()
        writer.transport.abort()

    origin.handler = pour
    before = gateway.memory()
    with Wire(gateway.public, receive_buffer=65536) as wire:
        wire.get("/", *UPGRADE)
        assert wire.head().status == 101
        assert full.wait(PATIENCE)
        assert sent < 64 << 20
        assert gateway.memory() - before < 10 << 20


@pytest.mark.parametrize("who", ["client", "upstream"])
def test_a_side_that_breaks_off_takes_the_other_with_it(gateway: GatewayProcess, origin: Upstream, who: str) -> None:
    ended = threading.Event()

    async def hold(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SWITCH + b"begun")
        await writer.drain()
        if who == "upstream":
            writer.transport.abort()
            return
        try:
            while await reader.read(100):
                pass
        except ConnectionError:
            pass
        ended.set()

    handler: Handler = hold
    origin.handler = handler
    with Wire(gateway.public) as wire:
        wire.get("/", *UPGRADE)
        assert wire.head().status == 101
        assert wire.exactly(5) == b"begun"
        if who == "client":
            wire.reset()
            assert ended.wait(PATIENCE)
        else:
            assert wire.rest() == b""
