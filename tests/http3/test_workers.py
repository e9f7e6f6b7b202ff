"""HTTP/3 with two workers: a connection stays with its worker whatever happens to the others."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.http3.client import Client, connected
from tests.support.certificates import self_signed
from tests.support.clocks import PATIENCE
from tests.support.fixtures import origin as origin
from tests.support.fixtures import shared_upstream as shared_upstream
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Received, Upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
quic_bind = "127.0.0.1:0"
workers = 2
grace = "5m"
tls = { cert = "CERT", key = "KEY" }

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"
"""
READY = re.compile(r"worker (\d+) \(pid (\d+)\) is ready")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path], shared_upstream: Upstream
) -> Iterator[GatewayProcess]:
    text = CONFIG.replace("UPSTREAM", shared_upstream.url).replace("CERT", str(certificate[0]))
    config = write_config(tmp_path_factory.mktemp("gateway"), text.replace("KEY", str(certificate[1])))
    with sentinel_run(config) as running:
        running.wait(lambda: "quic" in running.addresses, "datagrams' address")
        yield running


@pytest.fixture(autouse=True)
def reset(origin: Upstream) -> None:
    """In every test the upstream answers as it does at first, whichever came before."""


def started(gateway: GatewayProcess) -> list[tuple[str, int]]:
    """The number and the process of each worker that became ready, in this order."""
    return [(found[1], int(found[2])) for line in gateway.log if (found := READY.search(line))]


def worker_of(client: Client) -> int:
    """The number that the server's connection ids name."""
    ids = [client._quic._peer_cid.cid, *(each.cid for each in client._quic._peer_cid_available)]
    (number,) = {int.from_bytes(each[:2], "big") ^ int.from_bytes(each[2:4], "big") for each in ids}
    return number


def stateless_reset(client: Client) -> asyncio.Future[None]:
    """Done once the server has proved that it knows nothing of the connection (RFC 9000 section
    10.3). aioquic's client does not look for that.
    """
    tokens = [client._quic._peer_cid, *client._quic._peer_cid_available]
    found = asyncio.get_running_loop().create_future()
    receive = client.datagram_received

    def received(data: bytes, addr: Any) -> None:
        if any(data.endswith(each.stateless_reset_token) for each in tokens) and not found.done():
            found.set_result(None)
        receive(data, addr)

    client.datagram_received = received  # type: ignore[method-assign]
    return found


@asynccontextmanager
async def both(gateway: GatewayProcess) -> AsyncIterator[list[Client]]:
    """A connection to each of the workers that accept: the client's own id chooses."""
    async with (
        connected(gateway.addresses["quic"], first_id=b"\0\0" + os.urandom(6)) as first,
        connected(gateway.addresses["quic"], first_id=b"\0\1" + os.urandom(6)) as second,
    ):
        assert [(await client.get(b"/begin")).status for client in (first, second)] == [200, 200]
        yield [first, second]


async def eventually(gateway: GatewayProcess, text: str, count: int) -> None:
    """Wait for so many lines with this text, without holding up the connections."""
    await asyncio.to_thread(
        gateway.wait, lambda: len([line for line in gateway.log if text in line]) >= count, f"{count} times {text!r}"
    )


def lines(gateway: GatewayProcess, text: str) -> int:
    return len([line for line in gateway.log if text in line])


def test_connections_are_spread_and_stay_with_their_worker(gateway: GatewayProcess) -> None:
    async def main() -> None:
        async with both(gateway) as clients:
            assert len({worker_of(client) for client in clients}) == 2
            for number in range(20):
                streams = [client.begin(b"GET", b"/%d" % number) for client in clients]
                answers = [await client.answer(stream) for client, stream in zip(clients, streams, strict=True)]
                assert [(answer.status, answer.body) for answer in answers] == [(200, b"hello")] * 2

    asyncio.run(main())


def test_a_client_that_moves_stays_with_its_worker(gateway: GatewayProcess) -> None:
    """From another port, with another id: the kernel's own choice, by addresses, would change."""

    transports: list[asyncio.DatagramTransport] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with both(gateway) as clients:
            for client in clients:
                worker = worker_of(client)
                for _ in range(4):
                    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                    sock.bind(("::", 0))
                    # The client sends from it from now on.
                    transport, _ = await loop.create_datagram_endpoint(lambda client=client: client, sock=sock)
                    transports.append(transport)
                    client.change_connection_id()
                    assert (await client.get(b"/moved")).status == 200
                    assert worker_of(client) == worker
        for transport in transports:
            transport.close()
        await asyncio.sleep(0)

    asyncio.run(main())


def test_a_reload_leaves_no_connection_behind(gateway: GatewayProcess, origin: Upstream) -> None:
    """Requests that are under way end with the workers that began them. New connections get new
    workers.
    """
    release = threading.Event()

    async def slow(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n")
        if received.target == "/slow":
            writer.write(b"slow")
            await writer.drain()
            await asyncio.to_thread(release.wait, 3 * PATIENCE)
        else:
            writer.write(b"fast")
        writer.write(b"body")

    origin.handler = slow

    async def main() -> None:
        async with both(gateway) as clients:
            streams = [client.begin(b"GET", b"/slow") for client in clients]
            for client, stream in zip(clients, streams, strict=True):
                await client.until(lambda client=client, stream=stream: client.of(stream).body == b"slow")
            before = lines(gateway, "reloaded: every worker serves")
            gateway.process.send_signal(signal.SIGHUP)
            await eventually(gateway, "reloaded: every worker serves", before + 1)
            async with both(gateway) as fresh:
                old, new = ({worker_of(client) for client in each} for each in (clients, fresh))
                assert len(old | new) == 4
                release.set()
                for client, stream in zip(clients, streams, strict=True):
                    assert (await client.answer(stream)).body == b"slowbody"

    try:
        asyncio.run(main())
    finally:
        release.set()


def test_a_worker_that_dies_takes_nothing_from_the_other(gateway: GatewayProcess) -> None:
    async def main() -> None:
        async with both(gateway) as clients:
            known = started(gateway)
            numbers = dict(known)
            os.kill(numbers["0"], signal.SIGKILL)
            await eventually(gateway, "is ready", len(known) + 1)
            assert started(gateway)[-1][0] == "0"
            resets = [stateless_reset(client) for client in clients]
            # The dead worker's answer never comes, but a reset from another does. The other's does.
            answers = [asyncio.create_task(client.get(b"/after")) for client in clients]
            done, _ = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
            assert [answer.result().status for answer in done] == [200]
            (survivor,) = (worker_of(client) for client, answer in zip(clients, answers, strict=True) if answer in done)
            (lost,) = (reset for reset, answer in zip(resets, answers, strict=True) if answer not in done)
            async with asyncio.timeout(PATIENCE):
                await lost
            for answer in answers:
                answer.cancel()
            async with both(gateway) as fresh:
                found = {worker_of(client) for client in fresh}
                assert survivor in found
                assert len(found) == 2

    asyncio.run(main())
