"""Uploads that nobody takes, and clients that go away in the middle."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from tests.support.clients import Wire
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess
from tests.support.upstreams import Received, Upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"
"""
MIB = 1 << 20
REQUESTS = {
    "uploading": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npart",
    "uploading in chunks": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
    "waiting": b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n",
    "downloading": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
}


# A client that closes while it waits looks like one that has said everything, until something is
# sent to it.
WAYS = [(doing, way) for doing in REQUESTS for way in ("reset", "close") if (doing, way) != ("waiting", "close")]


@pytest.mark.parametrize(("doing", "way"), WAYS)
def test_clients_that_go_away_cancel_the_upstream(
    gateway: GatewayProcess, origin: Upstream, doing: str, way: str
) -> None:
    """125 clients for each of the ways to leave, nearly a thousand in all."""
    active = 0
    changed = threading.Condition()

    async def serve(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal active
        with changed:
            active += 1
            changed.notify()
        try:
            if doing == "downloading":
                writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                while not reader.at_eof():
                    writer.write(b"4\r\npart\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            while await reader.read(65536):
                pass
        finally:
            with changed:
                active -= 1
                changed.notify()

    origin.read_bodies = False
    origin.handler = serve
    descriptors = gateway.descriptors()
    for _ in range(5):
        clients = [Wire(gateway.public) for _ in range(25)]
        for client in clients:
            client.send(REQUESTS[doing])
        with changed:
            assert changed.wait_for(lambda: active == 25, PATIENCE)
        if doing == "downloading":
            for client in clients:
                client.head()
        for client in clients:
            if way == "reset":
                client.reset()
            else:
                client.close()
        with changed:
            assert changed.wait_for(lambda: active == 0, PATIENCE)
    end = time.monotonic() + PATIENCE
    # One may be the probe's.
    while gateway.metric("sentinel_requests_active") > 1 or gateway.descriptors() > descriptors + 2:
        assert time.monotonic() < end


def test_hints_for_a_client_that_has_left(gateway: GatewayProcess, origin: Upstream) -> None:
    """Interim responses are sent by tasks of their own; one that found the client gone ended in the
    log as an exception that nobody had retrieved.
    """
    done = threading.Semaphore(0)

    async def hints(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(8):
            writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n")
            await asyncio.sleep(0)
        done.release()

    origin.handler = hints
    for _ in range(100):
        with Wire(gateway.public) as client:
            client.get()
            client.reset()
    for _ in range(len(origin.requests)):
        assert done.acquire(timeout=PATIENCE)


def test_an_endless_upload_to_a_slow_reader_takes_no_memory(gateway: GatewayProcess, origin: Upstream) -> None:
    taken = 0

    async def slow(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        while data := await reader.read(MIB // 10):
            taken += len(data)
            await asyncio.sleep(0.1)

    origin.read_bodies = False
    origin.handler = slow
    before = highest = gateway.memory()
    block = b"%x\r\n%b\r\n" % (MIB, bytes(MIB))
    sent = 0
    with Wire(gateway.public, timeout=0.2) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        data = memoryview(block)
        while taken < 3 * MIB:
            try:
                count = client.socket.send(data)
            except TimeoutError:
                count = 0
            sent += count
            data = data[count:] or memoryview(block)
            highest = max(highest, gateway.memory())
        client.reset()
    assert highest - before <= 10 * MIB
