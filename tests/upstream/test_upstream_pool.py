"""Connections that are kept, shared and waited for."""

from __future__ import annotations

import asyncio

import pytest

from sentinel_host.errors import UpstreamBusy, UpstreamError, UpstreamTimeout
from sentinel_host.http.client import Timeouts
from tests.support.loops import MINUTES, leap, run_leaping
from tests.upstream.support import OK, Upstream, drain, eventually, get


def test_idle_connections_expire():
    async def script(peer):
        await peer.head()
        await peer.send(OK)
        await peer.closed()
        closed.set()

    async def main():
        nonlocal closed
        closed = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(keepalive=MINUTES))
            await drain(await pool.send(get()))
            await leap(MINUTES / 2)
            assert pool.idle == 1
            await leap(MINUTES)
            await closed.wait()
            assert pool.open == 0
            await pool.close()

    closed: asyncio.Event
    run_leaping(main())


def test_a_request_after_a_rest_is_late_as_soon_as_any():
    """Deadlines are looked at rarely where all are far away."""

    async def script(peer):
        await peer.head()
        await peer.send(OK)
        await peer.head()
        asked.set()
        await peer.closed()

    async def main():
        nonlocal asked
        asked = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(response=MINUTES, keepalive=MINUTES))
            await drain(await pool.send(get()))
            # The first look finds that there was a request, the second that there was none since.
            await leap(5)
            await leap(5)
            assert pool.idle == 1
            hasty = get()
            hasty.response_timeout = 0.2
            request = asyncio.create_task(pool.send(hasty))
            await asked.wait()
            # Twice the timeout, and well before the next look at idle connections.
            await leap(0.4)
            await leap(0)
            assert request.done()
            with pytest.raises(UpstreamTimeout):
                await request
            await pool.close()

    asked: asyncio.Event
    run_leaping(main())


def test_a_request_is_late_by_its_own_time_while_the_pool_has_longer_ones():
    """Its pool was looked at rarely until then."""

    async def script(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n")
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(response=MINUTES, idle=MINUTES, keepalive=MINUTES))
            hasty = get()
            hasty.idle_timeout = 0.2
            response = await pool.send(hasty)
            rest = asyncio.create_task(response.read())
            # Twice the timeout, and well before a look that the pool's own timeouts need.
            await leap(0.4)
            await leap(0)
            assert rest.done()
            with pytest.raises(UpstreamTimeout):
                await rest
            await pool.close()

    run_leaping(main())


def test_an_idle_connection_that_the_upstream_closes_is_not_used(run):
    async def script(peer):
        await peer.head()
        await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            for number in range(3):
                await drain(await pool.send(get(method=b"POST", body=b"x")))
                await eventually(lambda: pool.open == 0)
                assert pool.connects == number + 1
            await pool.close()

    run(main)


def test_the_pool_is_bounded_and_fair(run):
    """Five requests on two connections: the waiting ones are served in order, nobody opens a
    third.
    """
    order = []

    async def script(peer):
        while True:
            head = await peer.head()
            order.append(head.split(b" ", 2)[1])
            await turns.get()
            await peer.send(OK)

    async def main():
        nonlocal turns
        turns = asyncio.Queue()
        async with Upstream(script) as upstream:
            pool = upstream.pool(max_connections=2)
            tasks = []
            for number in range(5):
                tasks.append(asyncio.create_task(pool.send(get(b"/%d" % number))))
                await eventually(lambda number=number: len(order) == min(number + 1, 2))
            await eventually(lambda: pool.waiting == 3)
            assert (pool.open, pool.idle) == (2, 0)
            for _ in range(5):
                turns.put_nowait(None)
                await eventually(lambda: True)
            await asyncio.gather(*tasks)
            assert order == [b"/0", b"/1", b"/2", b"/3", b"/4"]
            assert (upstream.accepted, pool.connects, pool.reuses) == (2, 2, 3)
            assert (pool.open, pool.idle, pool.waiting) == (2, 2, 0)
            await pool.close()

    turns: asyncio.Queue
    run(main)


def test_a_full_pool_is_503_after_the_wait():
    async def script(peer):
        await peer.head()
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(max_connections=1, timeouts=Timeouts(pool_wait=MINUTES, response=100 * MINUTES))
            holder = asyncio.create_task(pool.send(get()))
            await eventually(lambda: pool.open == 1 and not pool.waiting)
            waits = asyncio.create_task(pool.send(get()))
            await eventually(lambda: pool.waiting == 1)
            await leap(MINUTES / 2)
            assert not waits.done()
            await leap(MINUTES)
            with pytest.raises(UpstreamBusy) as raised:
                await waits
            assert raised.value.status == 503
            assert (pool.waiting, pool.failures) == (0, 1)
            holder.cancel()
            await asyncio.wait([holder])
            assert pool.open == 0
            await pool.close()

    run_leaping(main())


@pytest.mark.parametrize("ending", ["keep-alive", "close"])
@pytest.mark.parametrize("late", [False, True], ids=["while it waits", "as its turn comes"])
def test_a_cancelled_waiter_leaks_neither_slot_nor_connection(run, ending, late):
    """A waiter cancelled in the very turn of the loop in which it was given its connection has to
    pass it on.
    """
    answer = OK if ending == "keep-alive" else b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"

    async def script(peer):
        while True:
            await peer.head()
            await go.wait()
            await peer.send(answer)
            if ending == "close":
                return

    async def main():
        nonlocal go
        go = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool(max_connections=1)

            async def first():
                response = await pool.send(get())
                # The slot was passed on with the bytes that brought this response, and its taker
                # has not run yet.
                if late:
                    tasks[1].cancel()
                return response

            tasks = [asyncio.create_task(request) for request in (first(), pool.send(get()), pool.send(get()))]
            await eventually(lambda: pool.waiting == 2)
            if not late:
                tasks[1].cancel()
            go.set()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(result).__name__ for result in results] == [
                "UpstreamResponse",
                "CancelledError",
                "UpstreamResponse",
            ]
            expected = (1, 1, 0) if ending == "keep-alive" else (0, 0, 0)
            assert (pool.open, pool.idle, pool.waiting) == expected
            assert (await pool.send(get())).status == 200
            await pool.close()

    go: asyncio.Event
    run(main)


def test_closing_the_pool_ends_everything(run):
    async def script(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(max_connections=1)
            response = await pool.send(get())
            waiting = asyncio.create_task(pool.send(get()))
            await eventually(lambda: pool.waiting == 1)
            await pool.close()
            with pytest.raises(UpstreamError, match="the pool is closed"):
                await response.read()
            with pytest.raises(UpstreamError, match="the pool is closed"):
                await waiting
            with pytest.raises(UpstreamError, match="the pool is closed"):
                await pool.send(get())
            assert (pool.open, pool.waiting) == (0, 0)

    run(main)
