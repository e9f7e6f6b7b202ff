"""How long a connection serves, where it leads, and what does not count among those that requests
share.
"""

from __future__ import annotations

import asyncio
import socket

import pytest

from sentinel_host.errors import UpstreamBusy, UpstreamTimeout
from sentinel_host.http.client import Target, Timeouts, UpstreamPool
from tests.support.loops import MINUTES, leap, run_leaping
from tests.upstream.support import OK, Upstream, drain, eventually, get

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"


async def answering(peer):
    while True:
        await peer.head()
        await peer.send(OK)


def test_a_connection_serves_only_so_many_requests(run):
    async def main():
        async with Upstream(answering) as upstream:
            pool = upstream.pool(max_requests=20)
            for _ in range(100):
                await drain(await pool.send(get()))
            # 20 less a random tenth: 18 to 20 on each.
            assert 5 <= pool.connects <= 6
            await pool.close()

    run(main)


@pytest.mark.parametrize("requests", [1, 2])
def test_one_request_each_is_one_request_each(run, requests):
    async def main():
        async with Upstream(answering) as upstream:
            pool = upstream.pool(max_requests=requests)
            for _ in range(4):
                await drain(await pool.send(get()))
            assert pool.connects == 4 // requests
            assert pool.open == pool.idle == 0
            await pool.close()

    run(main)


def test_a_retired_connection_gives_its_slot_to_a_waiting_request(run):
    async def main():
        async with Upstream(answering) as upstream:
            pool = upstream.pool(max_requests=1, max_connections=1)
            responses = await asyncio.gather(*(pool.send(get()) for _ in range(5)))
            assert [response.status for response in responses] == [200] * 5
            assert pool.connects == 5
            await pool.close()

    run(main)


def test_a_connection_grows_no_older_than_it_may():
    async def main():
        async with Upstream(answering) as upstream:
            pool = upstream.pool(timeouts=Timeouts(keepalive=100 * MINUTES), max_age=MINUTES)
            await drain(await pool.send(get()))
            await leap(MINUTES * 0.8)
            await drain(await pool.send(get()))
            assert (pool.connects, pool.idle) == (1, 1)
            # Idle ones are found by the sweep, and none is needed to end them.
            await leap(MINUTES * 0.3)
            await eventually(lambda: pool.open == 0)
            await drain(await pool.send(get()))
            assert pool.connects == 2
            await pool.close()

    run_leaping(main())


def test_a_request_under_way_is_not_cut_off_by_age():
    async def script(peer):
        await peer.head()
        await go.wait()
        await peer.send(OK)
        await peer.closed()

    async def main():
        nonlocal go
        go = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(response=100 * MINUTES), max_age=MINUTES)
            request = asyncio.create_task(pool.send(get()))
            await eventually(lambda: pool.connects == 1)
            await leap(2 * MINUTES)
            go.set()
            assert await drain(await request) == b"ok"
            await eventually(lambda: pool.open == 0)
            await pool.close()

    go: asyncio.Event
    run_leaping(main())


def test_tunnels_leave_room_for_requests_and_have_a_limit_of_their_own(run):
    """A crowd of WebSockets held every connection to an upstream, and other requests were
    refused.
    """

    async def script(peer):
        head = await peer.head()
        if b"upgrade: chat" not in head:
            await peer.send(OK)
            return
        await peer.send(SWITCH)
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(max_connections=1, max_tunnels=3)
            tunnels = [await pool.send(get(upgrade=b"chat")) for _ in range(3)]
            assert (pool.open, pool.tunnels) == (0, 3)
            assert await drain(await pool.send(get())) == b"ok"
            with pytest.raises(UpstreamBusy, match="3 connections have changed their protocol"):
                await pool.send(get(upgrade=b"chat"))
            tunnels.pop().abort()
            assert pool.tunnels == 2
            tunnels.append(await pool.send(get(upgrade=b"chat")))
            await pool.close()
            assert (pool.open, pool.tunnels) == (0, 0)

    run(main)


@pytest.mark.parametrize("stage", ["head", "body"])
def test_a_request_may_have_times_of_its_own(stage):
    async def script(peer):
        await peer.head()
        if stage == "body":
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(response=100 * MINUTES, idle=100 * MINUTES))
            request = get()
            request.response_timeout = request.idle_timeout = MINUTES

            async def ask():
                await drain(await pool.send(request))

            asked = asyncio.create_task(ask())
            await eventually(lambda: pool.connects == 1)
            while not asked.done():
                await leap(MINUTES / 4)
                await asyncio.sleep(0.01)
            with pytest.raises(UpstreamTimeout, match="900 s"):
                await asked
            await pool.close()

    run_leaping(main())


def test_a_unix_socket_is_a_target(tmp_path):
    path = str(tmp_path / "upstream.sock")

    async def serve(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        writer.close()

    async def main():
        async with await asyncio.start_unix_server(serve, path):
            pool = UpstreamPool(Target.parse(f"http+unix://{path}"))
            request = get()
            request.host = pool.authority
            assert await drain(await pool.send(request)) == b"ok"
            await pool.close()

    heads: list[bytes] = []
    asyncio.run(main())
    assert b"host: localhost\r\n" in heads[0].lower()


def test_a_unix_socket_with_a_full_backlog_is_waited_for(tmp_path):
    path = str(tmp_path / "upstream.sock")

    async def main():
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(0)
            with socket.socket(socket.AF_UNIX) as first:
                first.connect(path)
                pool = UpstreamPool(Target.parse(f"http+unix://{path}"))
                asked = asyncio.create_task(pool.send(get()))
                await asyncio.sleep(0)
                accepted = [listener.accept()[0]]
                listener.setblocking(False)
                accepted.append((await asyncio.get_running_loop().sock_accept(listener))[0])
                await asyncio.get_running_loop().sock_sendall(accepted[-1], OK)
                assert (await asked).status == 200
                await pool.close()
                for sock in accepted:
                    sock.close()

    asyncio.run(main())


def test_addresses_that_are_given_are_not_looked_up(run):
    async def main():
        async with Upstream(answering) as upstream:
            pool = upstream.pool(host="nowhere.invalid", fixed=("127.0.0.1",), scheme="http")
            if upstream.url.startswith("http:"):
                assert (await pool.send(get())).status == 200
            await pool.close()

    run(main)
