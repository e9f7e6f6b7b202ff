"""Upstreams that break the rules of HTTP/2: each costs its own requests, and nobody else's."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hyperframe.frame import GoAwayFrame, RstStreamFrame

from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.fixtures import origin as origin
from tests.support.fixtures import shared_upstream as shared_upstream
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream
from tests.upstream.http2 import Http2Peer
from tests.upstream.support import Peer
from tests.upstream.test_http2_faults import OF_CONNECTIONS, OF_STREAMS, Act

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[upstream]]
name = "hostile"
targets = ["http://127.0.0.1:PORT"]
protocol = "http/2"
eject = false

[[route]]
path = "/"
upstream = "origin"

[[route]]
path = "/hostile"
upstream = "hostile"
"""
# Of trailers there is nothing left to reset, which is what the upstream waits for. A window is not
# overrun while the gateway gives back what it reads.
ACTS = {name: act for name, (act, _) in OF_CONNECTIONS.items()} | {
    name: act for name, act in OF_STREAMS.items() if "trailers" not in name and "overrun" not in name
}
OTHERS = 5


class Hostile:
    """An upstream in a thread of its own, which does the same to the first request of each
    connection.
    """

    def __init__(self) -> None:
        self.port = 0
        self.act: Act | None = None
        self.asked = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Http2Peer(Peer(1, reader, writer))
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await peer.begin()
                stream = (await peer.request()).stream
                self.asked += 1
                assert self.act is not None
                await self.act(peer, stream)
                while not isinstance(await peer.frame(), RstStreamFrame | GoAwayFrame):
                    pass
        finally:
            writer.transport.abort()


@pytest.fixture(scope="module")
def hostile() -> Iterator[Hostile]:
    upstream = Hostile()
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def main() -> None:
        async with await asyncio.start_server(upstream.serve, "127.0.0.1", 0) as server:
            upstream.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stop.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    assert ready.wait(PATIENCE)
    yield upstream
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream, hostile: Hostile
) -> Iterator[GatewayProcess]:
    text = CONFIG.replace("UPSTREAM", shared_upstream.url).replace("PORT", str(hostile.port))
    with sentinel_run(write_config(tmp_path_factory.mktemp("gateway"), text)) as running:
        yield running


def ask(gateway: GatewayProcess) -> int:
    """The status of a request to the hostile upstream; 0 for a response that broke off."""
    try:
        return fetch(gateway.public, "/hostile").status
    except (http.client.HTTPException, ConnectionError):
        return 0


@pytest.mark.parametrize("name", ACTS)
def test_it_costs_its_own_requests_alone(
    gateway: GatewayProcess, origin: Upstream, hostile: Hostile, name: str
) -> None:
    hostile.act = ACTS[name]
    before = hostile.asked
    with ThreadPoolExecutor(1) as pool:
        # The connection of the test before may be about to close.
        while hostile.asked == before:
            own = pool.submit(ask, gateway)
            assert [fetch(gateway.public).status for _ in range(OTHERS)] == [200] * OTHERS
            assert own.result() in (502, 0)
    assert fetch(gateway.public).status == 200
