"""Long bodies that go from the upstream's socket to the client's within the kernel: what is seen of
them outside is what is seen of all others.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import struct
import threading

from tests.e2e.conftest import only_sentinel
from tests.support.clients import Wire
from tests.support.clocks import PATIENCE, wait_until
from tests.support.configurations import ONE_ORIGIN
from tests.support.gateways import GatewayProcess
from tests.support.pipes import wait_for_relay
from tests.support.upstreams import Handler, Received, Upstream

MIB = 1 << 20
BLOCK = bytes(range(251)) * (MIB // 251)
CONFIG = (
    ONE_ORIGIN
    + """
[access_log]
format = "sent {response_bytes}"

[[route]]
path = "/"
upstream = "origin"

[[route]]
path = "/pieces"
upstream = "origin"
idle_timeout = "2s"
"""
)

pytestmark = only_sentinel


def sending(blocks: int, *, announced: int) -> Handler:
    """Answers with so many blocks of a body that should have more, and waits for the other side to
    leave if it does not send all.
    """

    async def handler(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (announced * len(BLOCK)))
        with contextlib.suppress(ConnectionError):
            for _ in range(blocks):
                writer.write(BLOCK)
                await writer.drain()
            if blocks < announced:
                await reader.read()

    return handler


def breaking_off(blocks: int) -> Handler:
    """Announces more than it sends before it closes."""

    async def handler(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (2 * blocks * len(BLOCK)))
        for _ in range(blocks):
            writer.write(BLOCK)
            await writer.drain()
        writer.close()

    return handler


def test_a_body_of_a_slow_client_is_whole_and_both_connections_serve_on(
    shared_gateway: GatewayProcess, origin: Upstream, before: int
) -> None:
    """The client stops in the middle until its body is seen to be in a pipe."""
    origin.handler = sending(32, announced=32)
    with Wire(shared_gateway.public) as client:
        client.get()
        assert client.head().header("content-length") == str(32 * len(BLOCK))
        connections = origin.connections
        digest = hashlib.sha256(client.exactly(4 * len(BLOCK)))
        wait_for_relay(shared_gateway, before)
        for _ in range(28):
            digest.update(client.exactly(len(BLOCK)))
        assert digest.digest() == hashlib.sha256(BLOCK * 32).digest()
        shared_gateway.wait_for_log(f"sent {32 * len(BLOCK)}\n")
        origin.handler = sending(1, announced=1)
        client.get()
        assert client.answer().body == BLOCK
        assert origin.connections == connections


def test_what_came_before_an_upstream_broke_off_is_delivered(
    shared_gateway: GatewayProcess, origin: Upstream, before: int
) -> None:
    origin.handler = breaking_off(8)
    with Wire(shared_gateway.public) as client:
        client.get()
        client.head()
        assert client.rest() == BLOCK * 8


def test_an_upstream_that_resets_its_connection_ends_the_response(
    shared_gateway: GatewayProcess, origin: Upstream, before: int
) -> None:
    received_all = threading.Event()

    async def handler(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (16 * len(BLOCK)))
        for _ in range(8):
            writer.write(BLOCK)
            await writer.drain()
        assert await asyncio.to_thread(received_all.wait, PATIENCE)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    origin.handler = handler
    with Wire(shared_gateway.public) as client:
        client.get()
        client.head()
        assert client.exactly(8 * len(BLOCK)) == BLOCK * 8
        received_all.set()
        assert client.rest() == b""


def test_an_upstream_that_falls_silent_ends_the_response(
    shared_gateway: GatewayProcess, origin: Upstream, before: int
) -> None:
    origin.handler = sending(8, announced=16)
    with Wire(shared_gateway.public) as client:
        client.get("/pieces")
        client.head()
        assert client.rest() == BLOCK * 8
    shared_gateway.wait_for_log("the response fell silent within 2 s")


def test_a_slow_client_is_not_the_upstreams_silence(
    shared_gateway: GatewayProcess, origin: Upstream, before: int
) -> None:
    """The first client takes nothing for longer than the upstream may be silent, which another
    request shows to have passed.
    """
    origin.handler = sending(32, announced=32)
    with Wire(shared_gateway.public) as slow:
        slow.get("/pieces")
        slow.head()
        begin = slow.exactly(4 * len(BLOCK))
        wait_for_relay(shared_gateway, before)
        origin.handler = sending(0, announced=1)
        with Wire(shared_gateway.public) as other:
            other.get("/pieces")
            other.head()
            assert other.rest() == b""
        assert begin + slow.exactly(28 * len(BLOCK)) == BLOCK * 32


def test_a_client_that_leaves_takes_the_upstream_with_it(
    shared_gateway: GatewayProcess, origin: Upstream, before: int
) -> None:
    gone = threading.Event()

    async def endless(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (1 << 40))
        try:
            while True:
                writer.write(BLOCK)
                await writer.drain()
        except ConnectionError:
            gone.set()

    origin.handler = endless
    said = len(shared_gateway.log)
    with Wire(shared_gateway.public) as client:
        client.get()
        client.head()
        client.exactly(4 * len(BLOCK))
        wait_for_relay(shared_gateway, before)
        client.reset()
    wait_until(gone.is_set, "end of the upstream's connection")
    assert "the application failed" not in "".join(shared_gateway.log)
    shared_gateway.wait(
        lambda: any(
            int(line.removeprefix("sent ")) >= 4 * len(BLOCK)
            for line in shared_gateway.log[said:]
            if line.startswith("sent ")
        ),
        "line with all that was sent",
    )
