"""Upstreams that refuse, are silent, slow or break off, and requests sent twice or not (ABUSE 36, 37)."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from sentinel_host.errors import UpstreamBusy, UpstreamError, UpstreamTimeout
from sentinel_host.http.upstream import Target, Timeouts, UpstreamPool
from tests.support.clocks import LATE
from tests.upstream.support import Source, Upstream, drain, eventually, get

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_connection_refused(run):
    async def main():
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            pool = UpstreamPool(Target.parse(f"http://127.0.0.1:{unused.getsockname()[1]}"))
            with pytest.raises(
                UpstreamError, match=r"^upstream http://127.0.0.1:\d+: no connection: Connection refused$"
            ):
                await pool.send(get())
            assert (pool.open, pool.failures, pool.connects) == (0, 1, 0)
            await pool.close()

    run(main)


def test_a_name_that_does_not_resolve(run):
    async def main():
        pool = UpstreamPool(Target.parse("http://no-such-host.invalid"))
        with pytest.raises(
            UpstreamError, match=r"^upstream http://no-such-host\.invalid: its name could not be resolved$"
        ):
            await pool.send(get())
        assert pool.open == 0
        await pool.close()

    run(main)


def test_connect_timeout(run):
    """A listener whose queue is full answers no SYN."""

    async def main():
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            address = listener.getsockname()
            fillers = []
            for _ in range(4):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(address)
                fillers.append(filler)
            pool = UpstreamPool(Target.parse(f"http://127.0.0.1:{address[1]}"), timeouts=Timeouts(connect=0.3))
            began = time.monotonic()
            with pytest.raises(UpstreamTimeout, match=r"no connection within 0\.3 s") as raised:
                await pool.send(get())
            assert 0.3 <= time.monotonic() - began < LATE
            assert raised.value.status == 504
            assert pool.open == 0
            await pool.close()
            for filler in fillers:
                filler.close()

    run(main)


@pytest.mark.parametrize("upload", [False, True], ids=["GET", "after an upload"])
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_silent_upstream_is_504_in_time(run, upload, said):
    async def script(peer):
        await peer.head()
        await peer.send(said)
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(response=0.5))
            began = time.monotonic()
            with pytest.raises(UpstreamTimeout, match=r"no response within 0\.5 s"):
                await pool.send(get(method=b"POST", body=Source(b"x")) if upload else get())
            took = time.monotonic() - began
            assert 0.495 <= took < 0.525 + LATE
            assert (pool.open, pool.failures, upstream.accepted) == (0, 1, 1)
            await pool.close()

    run(main)


def test_a_large_body_in_memory_that_nobody_reads_is_504(run):
    async def script(peer):
        peer.pause()
        await go.wait()

    async def main():
        nonlocal go
        go = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(response=0.4))
            with pytest.raises(UpstreamTimeout):
                await pool.send(get(method=b"PUT", body=bytes(32 * 1024 * 1024)))
            assert pool.open == 0
            go.set()
            await pool.close()

    go: asyncio.Event
    run(main)


def test_progress_of_an_upload_restarts_the_response_timeout(run):
    """Pieces every 0.4 s against a timeout of 1 s, for 1.2 s; and the client's own pause is not the upstream's."""

    async def script(peer):
        await peer.head()
        await peer.until(b"0\r\n\r\n")
        await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(response=1.0))
            pieces = [piece for _ in range(3) for piece in (b"x", asyncio.sleep(0.4))]
            response = await pool.send(get(method=b"POST", body=Source(*pieces, b"y", asyncio.sleep(1.2), b"z")))
            assert response.status == 200
            await pool.close()

    run(main)


@pytest.mark.parametrize("paused", [False, True], ids=["we wait", "we do not read"])
def test_a_response_that_falls_silent(run, paused):
    """Silence counts only while we are reading: a slow client downstream is no fault of the upstream."""
    size = 32 * 1024 * 1024

    async def script(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size + 1))
        await peer.send(bytes(size) if paused else b"some")
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(idle=0.3))
            response = await pool.send(get())
            if paused:
                await asyncio.sleep(0.5)
            read = 0
            while read < (size if paused else 4):
                read += len(await response.read())
            began = time.monotonic()
            with pytest.raises(UpstreamTimeout, match=r"fell silent within 0\.3 s|silent"):
                await response.read()
            assert 0.25 < time.monotonic() - began < LATE
            assert (pool.open, pool.failures) == (0, 1)
            await pool.close()

    run(main)


def test_idle_connections_expire(run):
    async def script(peer):
        await peer.head()
        await peer.send(OK)
        await peer.closed()
        closed.set()

    async def main():
        nonlocal closed
        closed = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(keepalive=0.2))
            began = time.monotonic()
            await drain(await pool.send(get()))
            assert pool.idle == 1
            await closed.wait()
            assert 0.15 < time.monotonic() - began < LATE
            assert pool.open == 0
            await pool.close()

    closed: asyncio.Event
    run(main)


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


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    "method", [b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE", b"POST", b"PATCH", b"LOCK"]
)
def test_what_is_sent_again_when_a_kept_connection_dies(run, method, how):
    """The upstream takes the second request on its connection and closes without a word, as when keep-alive ends."""
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


def test_the_pool_is_bounded_and_fair(run):
    """Five requests on two connections: the waiting ones are served in order, nobody opens a third."""
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


def test_a_full_pool_is_503_after_the_wait(run):
    async def script(peer):
        await peer.head()
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(max_connections=1, timeouts=Timeouts(pool_wait=0.2))
            holder = asyncio.create_task(pool.send(get()))
            await eventually(lambda: pool.open == 1 and not pool.waiting)
            began = time.monotonic()
            with pytest.raises(UpstreamBusy) as raised:
                await pool.send(get())
            assert 0.19 < time.monotonic() - began < LATE
            assert raised.value.status == 503
            assert (pool.waiting, pool.failures) == (0, 1)
            holder.cancel()
            await asyncio.wait([holder])
            assert pool.open == 0
            await pool.close()

    run(main)


@pytest.mark.parametrize("ending", ["keep-alive", "close"])
@pytest.mark.parametrize("late", [False, True], ids=["while it waits", "as its turn comes"])
def test_a_cancelled_waiter_leaks_neither_slot_nor_connection(run, ending, late):
    """A waiter cancelled in the very turn of the loop in which it was given its connection has to pass it on."""
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
                # The slot was passed on with the bytes that brought this response, and its taker has not run yet.
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


def test_names_are_resolved_again_when_they_expire(run):
    async def script(peer):
        await peer.head()
        await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            loop = asyncio.get_running_loop()
            pool = upstream.pool(host="localhost", dns_ttl=1.0)
            resolver = pool._resolver
            await asyncio.gather(*(pool.send(get()) for _ in range(3)))
            first = resolver._expires
            assert first > loop.time()
            await eventually(lambda: pool.open == 0)
            await pool.send(get())
            assert resolver._expires == first
            await eventually(lambda: loop.time() > first and pool.open == 0)
            await pool.send(get())
            assert resolver._expires > first
            await pool.close()

    run(main)


class Addresses:
    """A resolver that knows its answer."""

    def __init__(self, *addresses):
        self.known = list(addresses)
        self.forgotten = 0

    async def addresses(self):
        return self.known

    def forget(self):
        self.forgotten += 1

    def close(self):
        pass


def test_every_address_is_tried_in_order(run):
    """A refusing address and a black hole come first; the hole may use only its share of the connect timeout."""

    async def script(peer):
        await peer.head()
        await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            with socket.socket() as hole:
                hole.bind(("127.0.0.3", upstream.port))
                hole.listen(0)
                fillers = [socket.socket() for _ in range(4)]
                for filler in fillers:
                    filler.setblocking(False)
                    filler.connect_ex(("127.0.0.3", upstream.port))
                pool = upstream.pool(host="some.test", timeouts=Timeouts(connect=2.0))
                pool._resolver = Addresses("127.0.0.2", "127.0.0.3", "127.0.0.1")
                assert await drain(await pool.send(get())) == b"ok"
                assert pool._resolver.forgotten == 0
                pool._resolver.known.pop()
                await eventually(lambda: pool.open == 0)
                with pytest.raises(UpstreamTimeout):
                    await pool.send(get())
                pool._resolver.known.pop()
                with pytest.raises(UpstreamError, match="Connection refused"):
                    await pool.send(get())
                assert pool._resolver.forgotten == 1
                for filler in fillers:
                    filler.close()
            await pool.close()

    run(main)
