"""Bodies of responses: beside an upload, at the pace of their reader, and given up."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from sentinel_host.errors import UpstreamError
from tests.support.descriptors import descriptors
from tests.upstream.support import MIB, OK, Source, Upstream, drain, eventually, get


def test_request_and_response_stream_at_the_same_time(run):
    async def script(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            await peer.send(b"4\r\n" + await peer.exactly(4) + b"\r\n")
        await peer.send(b"0\r\n\r\n")
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            turns = [asyncio.Event() for _ in range(2)]
            source = Source(b"ping", turns[0].wait(), b"pong", turns[1].wait(), b"pung")
            response = await pool.send(get(method=b"POST", body=source, content_length=12))
            assert await response.read() == b"ping"
            turns[0].set()
            assert await response.read() == b"pong"
            turns[1].set()
            assert await drain(response) == b"pung"
            assert pool.idle == 1
            await pool.close()

    run(main)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_slow_reader_pauses_the_upstream(run, framing):
    """The upstream offers 32 MiB; nobody reads; what it gets rid of is what sockets hold, and our
    share is bounded.
    """
    size = 32

    async def script(peer):
        nonlocal sent
        await peer.head()
        extra = {"length": b"Content-Length: %d\r\n" % (size * len(MIB)), "chunked": b"Transfer-Encoding: chunked\r\n"}
        await peer.send(b"HTTP/1.1 200 OK\r\n" + extra.get(framing, b"") + b"\r\n")
        for _ in range(size):
            await peer.send(b"100000\r\n" + MIB + b"\r\n" if framing == "chunked" else MIB)
            sent += len(MIB)
        if framing == "chunked":
            await peer.send(b"0\r\n\r\n")
        if framing != "close":
            await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            response = await pool.send(get())
            before = -1
            while before != sent:  # until the upstream is stuck
                before = sent
                await asyncio.sleep(0.1)
            assert sent < 16 * len(MIB)
            assert response.buffered < 65536 + 2 * 262144
            digest, peak = hashlib.sha256(), 0
            while piece := await response.read():
                digest.update(piece)
                peak = max(peak, response.buffered)
            assert digest.digest() == hashlib.sha256(MIB * size).digest()
            assert peak < 65536 + 2 * 262144
            assert response.bytes_received == size * len(MIB)
            assert pool.idle == (framing != "close")
            await pool.close()

    sent = 0
    run(main)


@pytest.mark.parametrize("where", ["head", "body"])
@pytest.mark.parametrize("upload", [False, True], ids=["GET", "upload"])
def test_cancelling_closes_the_connection_at_once(run, where, upload):

    async def script(peer):
        await peer.head()
        if where == "body":
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        asked.set()
        await peer.closed()
        gone.set()

    async def main():
        nonlocal asked, gone
        asked, gone = asyncio.Event(), asyncio.Event()

        async def exchange():
            request = get(method=b"POST", body=Source(b"some", asyncio.Event().wait())) if upload else get()
            response = await pool.send(request)
            started.set()
            await response.read()

        async with Upstream(script) as upstream:
            pool = upstream.pool()
            started = asyncio.Event()
            task = asyncio.create_task(exchange())
            await asked.wait()
            if where == "body":
                await started.wait()
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (pool.open, pool.idle, pool.failures) == (0, 0, 0)
            await gone.wait()
            await pool.close()

    asked: asyncio.Event
    gone: asyncio.Event
    run(main)


def test_abort_is_idempotent_and_harmless_after_the_end(run):
    async def script(peer):
        while await peer.head():
            await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            first = await pool.send(get())
            assert first.complete
            second_task = asyncio.create_task(pool.send(get()))
            await asyncio.sleep(0)
            first.abort()  # its connection serves another request by now
            first.abort()
            second = await second_task
            assert await drain(second) == b"ok"
            assert await drain(first) == b"ok"
            assert (pool.connects, pool.idle) == (1, 1)
            await pool.close()

    run(main)


def test_an_aborted_response_cannot_be_read(run):
    async def script(peer):
        await peer.head()
        await peer.send(OK[:-1])
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            response = await pool.send(get())
            response.abort()
            response.abort()
            assert pool.open == 0
            with pytest.raises(UpstreamError):
                await response.read()
            await pool.close()

    run(main)


def test_a_thousand_cancelled_downloads_leave_nothing_behind(run):
    async def script(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()

            async def one():
                response = await pool.send(get())
                await response.read()
                reading = asyncio.create_task(drain(response))
                await asyncio.sleep(0)
                reading.cancel()
                await asyncio.wait([reading])

            await one()
            before = descriptors()
            for _ in range(20):
                await asyncio.gather(*(one() for _ in range(50)))
            await eventually(lambda: len(descriptors() - before) <= 2)
            assert (pool.open, pool.waiting) == (0, 0)
            await pool.close()

    run(main)
