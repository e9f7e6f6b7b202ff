"""Connections that begin with a PROXY header: what comes first on them, and which requests share
them.
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from sentinel_host.errors import UpstreamError
from sentinel_host.http.client import Target, UpstreamPool, UpstreamRequest
from tests.upstream.support import OK, SECURE, Peer, Upstream, drain, eventually, get

LOCAL = b"PROXY UNKNOWN\r\n"
ANNE = b"PROXY TCP4 192.0.2.1 198.51.100.2 1 443\r\n"
BERT = b"PROXY TCP4 192.0.2.2 198.51.100.2 1 443\r\n"


class ProxiedUpstream:
    """Takes a header before anything else, TLS included. ``served`` has the header and the path of
    each request, ``accepted`` the header of each connection.
    """

    def __init__(self) -> None:
        self.accepted: list[bytes] = []
        self.served: list[tuple[bytes, bytes]] = []
        self.turns: asyncio.Queue[None] | None = None
        self._secure = SECURE.get()

    async def serve(self, peer: Peer) -> None:
        header = await peer.until(b"\r\n")
        self.accepted.append(header)
        async with contextlib.AsyncExitStack() as stack:
            if self._secure is not None:
                await peer.shake_hands(self._secure.server)
                reading = asyncio.create_task(peer.decrypt())
                stack.callback(reading.cancel)
            while True:
                head = await peer.head()
                self.served.append((header, head.split(b" ")[1]))
                if self.turns is not None:
                    await self.turns.get()
                await peer.send(OK)

    @contextlib.asynccontextmanager
    async def pool(self, **options):
        # Not the upstream's own TLS: that would come before the header.
        secure = SECURE.set(None)
        upstream = Upstream(self.serve)
        SECURE.reset(secure)
        async with upstream:
            scheme = "https" if self._secure is not None else "http"
            target = Target.parse(f"{scheme}://127.0.0.1:{upstream.port}")
            context = self._secure.client if self._secure is not None else None
            pool = UpstreamPool(target, ssl_context=context, proxy_header=LOCAL, **options)
            try:
                yield pool
            finally:
                await pool.close()


def of(client: bytes, path: bytes = b"/") -> UpstreamRequest:
    request = get(path)
    request.proxy_header = client
    return request


def test_the_header_comes_first_and_one_client_shares_its_connection(run):
    async def main():
        upstream = ProxiedUpstream()
        async with upstream.pool() as pool:
            for client, path in [(ANNE, b"/1"), (BERT, b"/2"), (ANNE, b"/3"), (b"", b"/4"), (BERT, b"/5")]:
                assert await drain(await pool.send(of(client, path))) == b"ok"
            # A request of no client is the gateway's own.
            assert upstream.served == [(ANNE, b"/1"), (BERT, b"/2"), (ANNE, b"/3"), (LOCAL, b"/4"), (BERT, b"/5")]
            assert upstream.accepted == [ANNE, BERT, LOCAL]
            assert (pool.open, pool.idle, pool.connects, pool.reuses) == (3, 3, 3, 2)

    run(main)


def test_in_a_full_pool_an_idle_connection_makes_room_for_another_client(run):
    async def main():
        upstream = ProxiedUpstream()
        async with upstream.pool(max_connections=1) as pool:
            for client in (ANNE, BERT, BERT, ANNE):
                assert await drain(await pool.send(of(client))) == b"ok"
            assert upstream.accepted == [ANNE, BERT, ANNE]
            assert (pool.open, pool.idle) == (1, 1)

    run(main)


def test_who_waits_gets_a_connection_of_its_own(run):
    async def main():
        upstream = ProxiedUpstream()
        async with upstream.pool(max_connections=1) as pool:
            upstream.turns = asyncio.Queue()
            first = asyncio.create_task(pool.send(of(ANNE)))
            await eventually(lambda: len(upstream.served) == 1)
            second = asyncio.create_task(pool.send(of(BERT)))
            await eventually(lambda: pool.waiting == 1)
            for _ in range(2):
                upstream.turns.put_nowait(None)
            assert [await drain(await each) for each in (first, second)] == [b"ok", b"ok"]
            assert [client for client, _ in upstream.served] == [ANNE, BERT]

    run(main)


def test_an_upstream_that_hangs_up_on_the_header_has_seen_no_request(run):
    async def refuse(peer):
        peer.reset()

    async def main():
        upstream = ProxiedUpstream()
        upstream.serve = refuse
        async with upstream.pool() as pool:
            with pytest.raises(UpstreamError):
                await pool.send(of(ANNE))
            assert (pool.open, pool.failures) == (0, 1)

    run(main)
