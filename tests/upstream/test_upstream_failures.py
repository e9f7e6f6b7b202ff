"""Upstreams that are silent, slow or break off, and requests sent twice or not."""

from __future__ import annotations

import asyncio

import pytest

from sentinel_host.errors import UpstreamError, UpstreamTimeout
from sentinel_host.http.client import Timeouts, UpstreamPool
from tests.support.loops import MINUTES, leap, run_leaping
from tests.upstream.support import MIB, OK, Source, Upstream, eventually, get


@pytest.mark.parametrize("upload", [False, True], ids=["GET", "after an upload"])
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_silent_upstream_is_504_in_time(upload, said):
    async def script(peer):
        await peer.head()
        await peer.send(said)
        asked.set()
        await peer.closed()

    async def main():
        nonlocal asked
        asked = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(response=MINUTES))
            sending = asyncio.create_task(pool.send(get(method=b"POST", body=Source(b"x")) if upload else get()))
            await asked.wait()
            await leap(MINUTES / 2)
            assert not sending.done()
            await leap(MINUTES)
            with pytest.raises(UpstreamTimeout, match=r"no response within 900 s"):
                await sending
            assert (pool.open, pool.failures, upstream.accepted) == (0, 1, 1)
            await pool.close()

    asked: asyncio.Event
    run_leaping(main())


@pytest.mark.parametrize("streamed", [False, True], ids=["in memory", "streamed"])
def test_an_upstream_that_reads_an_upload_slowly_is_not_silent(streamed):
    """What our kernel still had of the body did not count, nor that the upstream went on to read
    it: 504 it was.
    """
    size = 4 * len(MIB)
    # More than this upstream and its kernel hold ready: to read that much, it needs some of ours.
    step = 400_000

    async def script(peer):
        await peer.head()
        received = 0
        for _ in range(8):
            await go_on.acquire()
            received += len(await peer.exactly(step))
        await go_on.acquire()
        await peer.exactly(size - received)
        await peer.send(OK)

    def unsent():
        """With what waits to take its place: the kernel's queue alone is as full again a moment
        later.
        """
        given = body.given if streamed else size
        return size - given + sum(connection.unsent() for connection in pool.connections)

    async def main():
        nonlocal body, go_on, pool
        go_on = asyncio.Semaphore(0)
        async with Upstream(script) as upstream:
            upstream.takes_little()
            pool = upstream.pool(timeouts=Timeouts(response=MINUTES))
            body = Source(MIB, MIB, MIB, MIB) if streamed else MIB * 4
            sending = asyncio.create_task(pool.send(get(method=b"POST", body=body)))
            await eventually(lambda: upstream.accepted and unsent())
            for _ in range(8):
                await leap(0.4 * MINUTES)
                before = unsent()
                go_on.release()
                await eventually(lambda before=before: unsent() < before)
                await leap(0.4 * MINUTES)
                assert not sending.done()
            go_on.release()
            response = await sending
            assert (response.status, await response.read()) == (200, b"ok")
            await pool.close()

    body: Source | bytes
    go_on: asyncio.Semaphore
    pool: UpstreamPool
    run_leaping(main())


def test_a_large_body_in_memory_that_the_upstream_does_not_read_is_504():
    async def script(peer):
        peer.pause()
        await go.wait()

    async def main():
        nonlocal go
        go = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(response=MINUTES))
            sending = asyncio.create_task(pool.send(get(method=b"PUT", body=bytes(32 * 1024 * 1024))))
            while not sending.done():
                # What the kernels take meanwhile is progress.
                await leap(0.4 * MINUTES)
                await asyncio.sleep(0.01)
            with pytest.raises(UpstreamTimeout):
                await sending
            assert pool.open == 0
            go.set()
            await pool.close()

    go: asyncio.Event
    run_leaping(main())


def test_progress_of_an_upload_restarts_the_response_timeout():
    """Each piece does; and the client's own pause is not the upstream's."""

    async def script(peer):
        await peer.head()
        await peer.until(b"0\r\n\r\n")
        await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(response=MINUTES))
            pieces = [piece for _ in range(3) for piece in (b"x", leap(0.4 * MINUTES))]
            body = Source(*pieces, b"y", leap(1.2 * MINUTES), b"z")
            response = await pool.send(get(method=b"POST", body=body))
            assert response.status == 200
            await pool.close()

    run_leaping(main())


@pytest.mark.parametrize("paused", [False, True], ids=["we wait", "we do not read"])
def test_a_response_that_falls_silent(paused):
    """Silence counts only while we are reading: a slow client downstream is no fault of the
    upstream.
    """
    size = 32 * 1024 * 1024

    async def script(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size + 1))
        await peer.send(bytes(size) if paused else b"some")
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(idle=MINUTES))
            response = await pool.send(get())
            if paused:
                await eventually(lambda: response.buffered > 65536)
                await leap(2 * MINUTES)
            read = 0
            while read < (size if paused else 4):
                read += len(await response.read())
            reading = asyncio.create_task(response.read())
            await leap(MINUTES / 2)
            assert not reading.done()
            await leap(MINUTES)
            with pytest.raises(UpstreamTimeout, match=r"silent"):
                await reading
            assert (pool.open, pool.failures) == (0, 1)
            await pool.close()

    run_leaping(main())


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    "method", [b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE", b"POST", b"PATCH", b"LOCK"]
)
def test_what_is_sent_again_when_a_kept_connection_dies(run, method, how):
    """The upstream takes the second request on its connection and closes without a word, as when
    keep-alive ends.
    """
    requests = []

    async def script(peer):
        await peer.head()
        requests.append(peer.number)
        await peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        await peer.head()
        requests.append(peer.number)
        if peer.number == 1:
            peer.reset() if how == "reset" else peer.close()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            await pool.send(get())
            if method in (b"POST", b"PATCH", b"LOCK"):
                with pytest.raises(UpstreamError):
                    await pool.send(get(method=method))
                assert (requests, pool.failures) == ([1, 1], 1)
            else:
                assert (await pool.send(get(method=method))).status == 204
                assert (requests, pool.failures) == ([1, 1, 2], 0)
            await pool.close()

    run(main)


def test_one_retry_only_and_on_a_new_connection(run):
    """Two kept connections, both dying; the retry takes neither, and its own failure is final."""
    requests = []

    async def script(peer):
        if peer.number <= 2:
            await peer.head()
            await both.wait()
            await peer.send(OK)
        await peer.head()
        requests.append(peer.number)

    async def main():
        nonlocal both
        both = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool(max_connections=2)
            pair = [asyncio.create_task(pool.send(get())) for _ in range(2)]
            await eventually(lambda: upstream.accepted == 2)
            both.set()
            await asyncio.gather(*pair)
            assert pool.idle == 2
            with pytest.raises(UpstreamError):
                await pool.send(get())
            assert requests[1:] == [3]
            assert requests[0] in (1, 2)
            await pool.close()

    both: asyncio.Event
    run(main)


@pytest.mark.parametrize("case", ["fresh connection", "byte of an answer", "streamed body", "1xx"])
def test_not_sent_again(run, case):
    async def script(peer):
        nonlocal requests
        if case != "fresh connection":
            await peer.head()
            await peer.send(OK)
        await peer.head()
        requests += 1
        await peer.send({"byte of an answer": b"H", "1xx": b"HTTP/1.1 103 Early Hints\r\n\r\n"}.get(case, b""))

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            if case != "fresh connection":
                await pool.send(get())
            body = Source(b"x") if case == "streamed body" else b""
            with pytest.raises(UpstreamError):
                await pool.send(get(method=b"PUT", body=body))
            assert (requests, upstream.accepted) == (1, 1)
            await pool.close()

    requests = 0
    run(main)
