"""Connections that end: what arrived is delivered, and what is missing is missed (RFC 9112 section
9.8).
"""

from __future__ import annotations

import asyncio

import pytest

from sentinel_host.errors import UpstreamError
from sentinel_host.http.client import Timeouts
from tests.support.clocks import PATIENCE
from tests.upstream.support import MIB, SECURE, Upstream, drain, get

SIZE = 6
HEADS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (SIZE * len(MIB)),
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "close": b"HTTP/1.1 200 OK\r\n\r\n",
}


async def slowly(response):
    """Everything until the end, with many turns of the loop between two pieces."""
    body = bytearray()
    while piece := await response.read():
        body += piece
        for _ in range(20):
            await asyncio.sleep(0)
    return bytes(body)


@pytest.mark.parametrize("framing", HEADS)
@pytest.mark.parametrize("end", ["close", "truncate"])
def test_a_body_that_is_read_slowly_arrives_whole(run, framing, end):
    """The event loop's TLS dropped what it held when the upstream closed and reading was paused.

    From some hundred kilobytes on the tail was lost, and a body that ends with the connection
    passed for complete.
    """

    async def script(peer):
        await peer.head()
        await peer.send(HEADS[framing])
        for _ in range(SIZE):
            await peer.send(b"100000\r\n" + MIB + b"\r\n" if framing == "chunked" else MIB)
        if framing == "chunked":
            await peer.send(b"0\r\n\r\n")
        peer.close() if end == "close" else peer.truncate()
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            response = await pool.send(get())
            if framing == "close" and end == "truncate" and SECURE.get():
                with pytest.raises(UpstreamError, match="the response broke off"):
                    await slowly(response)
                assert not response.complete
            else:
                assert await slowly(response) == MIB * SIZE
                assert response.complete
            assert response.bytes_received == SIZE * len(MIB)
            await pool.close()

    run(main)


@pytest.mark.parametrize("end", ["close", "truncate", "reset"])
@pytest.mark.parametrize("tunnel", [False, True], ids=["body", "tunnel"])
def test_what_ends_with_the_connection_is_complete_after_a_clean_end_only(run, end, tunnel):
    """Over TLS a FIN without close_notify may be anybody's: it passed for the end of the body, and
    of the tunnel.
    """
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"

    async def script(peer):
        await peer.head()
        await peer.send((switch if tunnel else HEADS["close"]) + b"some")
        await seen.wait()
        getattr(peer, end)()
        await peer.closed()

    async def main():
        nonlocal seen
        seen = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            response = await pool.send(get(upgrade=b"x") if tunnel else get())
            assert await response.read() == b"some"
            seen.set()
            if end == "reset" or (end == "truncate" and SECURE.get()):
                with pytest.raises(UpstreamError, match="the response broke off"):
                    await response.read()
                assert (pool.open, pool.failures) == (0, 1)
            else:
                assert await response.read() == b""
                assert response.complete
                response.abort()
            assert pool.open == 0
            await pool.close()

    seen: asyncio.Event
    run(main)


def test_either_end_of_a_tunnel_may_end_alone(run):
    async def script(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        assert await peer.some() == b"all of it"
        assert await peer.some() == b""
        await peer.send(b"answer")
        peer.end()
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            response = await pool.send(get(upgrade=b"x"))
            await response.write(b"all of it")
            response.write_eof()
            assert await drain(response) == b"answer"
            response.abort()
            assert (pool.open, pool.failures) == (0, 0)
            await pool.close()

    run(main)


def test_a_tunnel_goes_on_where_the_upstream_has_ended(run):
    async def script(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        peer.end()
        received.set_result(await peer.exactly(9))
        await peer.closed()

    async def main():
        nonlocal received
        received = asyncio.get_running_loop().create_future()
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            response = await pool.send(get(upgrade=b"x"))
            assert await response.read() == b""
            await response.write(b"all of it")
            assert await received == b"all of it"
            response.abort()
            await pool.close()

    received: asyncio.Future[bytes]
    run(main)


@pytest.mark.parametrize("end", ["close", "truncate", "reset"])
def test_an_end_before_the_response_fails_at_once(run, end):
    """A reset over TLS went unnoticed until the response's time was up: the request hung for that
    long.
    """

    async def script(peer):
        await peer.head()
        getattr(peer, end)()
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(response=10 * PATIENCE))
            with pytest.raises(UpstreamError, match="the connection closed before a response came") as raised:
                await pool.send(get(method=b"POST"))
            assert raised.value.status == 502
            assert (pool.open, pool.failures) == (0, 1)
            await pool.close()

    run(main)
