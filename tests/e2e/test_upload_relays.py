"""Long request bodies that go from the client's socket to the upstream's within the kernel: what is
seen of them outside is what is seen of all others.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import only_sentinel
from tests.support.clients import Wire
from tests.support.clocks import PATIENCE, wait_until
from tests.support.configurations import ONE_ORIGIN
from tests.support.gateways import GatewayProcess
from tests.support.pipes import wait_for_relay
from tests.support.upstreams import Received, Upstream, read_body

BLOCK = bytes(range(251)) * 4177
BLOCKS = 24
LENGTH = BLOCKS * len(BLOCK)
DIGEST = hashlib.sha256(BLOCK * BLOCKS).hexdigest()
CONFIG = (
    ONE_ORIGIN
    + """
[[upstream]]
name = "shadow"
targets = ["UPSTREAM"]

[access_log]
format = "{status} received {request_bytes}"

[[route]]
path = "/"
upstream = "origin"

[[route]]
path = "/copied"
upstream = "origin"
mirror = { upstream = "shadow" }

[[route]]
path = "/bounded"
upstream = "origin"
body_bytes = "4MiB"
"""
)

pytestmark = only_sentinel


class Patient:
    """An upstream that reads no body before ``go``."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.digests: list[str] = []

    async def wait(self) -> None:
        assert await asyncio.to_thread(self.go.wait, PATIENCE)

    async def read_all(self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers when it has all of the body."""
        await self.wait()
        await read_body(received, reader)
        self.digests.append(hashlib.sha256(received.body).hexdigest())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


@pytest.fixture
def patient(origin: Upstream) -> Iterator[Patient]:
    """Behind ``origin``; whoever still waits for it at the end does no more."""
    origin.read_bodies = False
    upstream = Patient()
    origin.handler = upstream.read_all
    yield upstream
    upstream.go.set()


@contextlib.contextmanager
def sending(client: Wire, method: str = "POST", path: str = "/", blocks: int = BLOCKS) -> Iterator[None]:
    """Meanwhile a body is sent, or only so many blocks of it."""
    client.send(f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {LENGTH}\r\n\r\n".encode())

    def send() -> None:
        with contextlib.suppress(OSError):
            for _ in range(blocks):
                client.send(BLOCK)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        sender.join(PATIENCE)
    assert not sender.is_alive()


# A body that may be sent again, and one that may not.
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_body_for_a_slow_upstream_is_whole_and_both_connections_serve_on(
    shared_gateway: GatewayProcess, origin: Upstream, patient: Patient, before: int, method: str
) -> None:
    with Wire(shared_gateway.public) as client:
        with sending(client, method):
            wait_for_relay(shared_gateway, before)
            patient.go.set()
            assert client.answer().body == b"ok"
        assert patient.digests == [DIGEST]
        shared_gateway.wait_for_log(f"200 received {LENGTH}\n")
        connections = origin.connections
        with sending(client, method):
            assert client.answer().body == b"ok"
        assert patient.digests == [DIGEST, DIGEST]
        assert origin.connections == connections


def test_what_a_mirror_gets_is_whole(shared_gateway: GatewayProcess, patient: Patient, before: int) -> None:
    """Its body is read by the gateway, so that the copy may fall behind and be dropped."""
    patient.go.set()
    with Wire(shared_gateway.public) as client:
        with sending(client, path="/copied"):
            assert client.answer().body == b"ok"
        assert set(patient.digests) == {DIGEST}


def test_a_body_that_is_too_long_for_its_route_is_refused(
    shared_gateway: GatewayProcess, origin: Upstream, before: int
) -> None:
    with Wire(shared_gateway.public) as client, sending(client, path="/bounded", blocks=1):
        assert client.answer().status == 413
    assert origin.requests == []


@pytest.mark.parametrize("closes", [False, True])
def test_an_upstream_that_refuses_amid_the_body_is_heard(
    shared_gateway: GatewayProcess, origin: Upstream, patient: Patient, before: int, closes: bool
) -> None:
    async def refuse(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await patient.wait()
        await reader.readexactly(2 * len(BLOCK))
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nno\n")
        if closes:
            writer.close()
        else:
            await reader.read()

    origin.handler = refuse
    with Wire(shared_gateway.public) as client, sending(client):
        wait_for_relay(shared_gateway, before)
        patient.go.set()
        answer = client.answer()
        assert (answer.status, answer.body) == (413, b"no\n")
        client.reset()


def test_a_response_may_begin_before_the_body_ends(
    shared_gateway: GatewayProcess, origin: Upstream, patient: Patient, before: int
) -> None:
    async def answer_first(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfi")
        await patient.wait()
        await read_body(received, reader)
        patient.digests.append(hashlib.sha256(received.body).hexdigest())
        writer.write(b"rst")

    origin.handler = answer_first
    with Wire(shared_gateway.public) as client, sending(client):
        assert client.head().status == 200
        assert client.exactly(2) == b"fi"
        wait_for_relay(shared_gateway, before)
        patient.go.set()
        assert client.exactly(3) == b"rst"
        assert patient.digests == [DIGEST]


def test_an_upstream_that_leaves_amid_the_body_is_a_bad_gateway(
    shared_gateway: GatewayProcess, origin: Upstream, patient: Patient, before: int
) -> None:
    async def leave(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await patient.wait()
        writer.transport.abort()

    origin.handler = leave
    with Wire(shared_gateway.public) as client, sending(client):
        wait_for_relay(shared_gateway, before)
        patient.go.set()
        assert client.answer().status == 502
        client.reset()


def test_a_client_that_ends_amid_the_body_is_told(
    shared_gateway: GatewayProcess, origin: Upstream, patient: Patient, before: int
) -> None:
    """The upstream sees that the body is not whole."""
    ends: list[int] = []

    async def read(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await patient.wait()
        size = 0
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                size += len(data)
        ends.append(size)

    origin.handler = read
    with Wire(shared_gateway.public) as client:
        with sending(client, blocks=20):
            wait_for_relay(shared_gateway, before)
            patient.go.set()
        client.finish_sending()
        assert client.answer().status == 400
    wait_until(lambda: bool(ends), "end of the upstream's connection")
    assert ends[0] <= 20 * len(BLOCK)


def test_a_client_that_leaves_takes_the_upstream_with_it(
    shared_gateway: GatewayProcess, origin: Upstream, patient: Patient, before: int
) -> None:
    gone = threading.Event()

    async def read(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await patient.wait()
        with contextlib.suppress(ConnectionError):
            while await reader.read(1 << 16):
                pass
        gone.set()

    origin.handler = read
    said = len(shared_gateway.log)
    with Wire(shared_gateway.public) as client:
        with sending(client, blocks=20):
            wait_for_relay(shared_gateway, before)
            patient.go.set()
        client.reset()
    wait_until(gone.is_set, "end of the upstream's connection")
    shared_gateway.wait(lambda: any(" received " in line for line in shared_gateway.log[said:]), "line of the request")
    assert "the application failed" not in "".join(shared_gateway.log)
