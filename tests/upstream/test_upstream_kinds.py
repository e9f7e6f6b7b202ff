"""What the failures of upstreams are called: metrics count them by these words."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from sentinel_host.errors import UPSTREAM_FAILURES, Progress, UpstreamError
from sentinel_host.http.client import Target, Timeouts, UpstreamPool
from tests.support.names import KnownNames
from tests.support.upstreams import black_hole
from tests.upstream.support import OK, RawPeer, Upstream, drain, eventually, get

HASTY = Timeouts(connect=0.3, response=0.3, idle=0.3, pool_wait=0.3)


def test_a_target_without_a_connection(run):
    async def failing(target: str, **options) -> str:
        pool = UpstreamPool(Target.parse(target), **options)
        with pytest.raises(UpstreamError) as raised:
            await pool.send(get())
        await pool.close()
        assert raised.value.progress == Progress.UNSENT
        return raised.value.kind

    async def main():
        assert await failing("http://some.test", names=KnownNames({})) == "name"
        assert await failing("http://127.0.0.1:1") == "connect"
        with black_hole("127.0.0.1") as port:
            assert await failing(f"http://127.0.0.1:{port}", timeouts=HASTY) == "timeout"
        assert await failing("http://127.0.0.1:1", allows=lambda address: False) == "denied"

        async def script(peer):
            await peer.some()

        async with Upstream(script) as upstream:
            assert await failing(f"https://127.0.0.1:{upstream.port}") in ("tls", "connect")

    run(main)


@pytest.mark.parametrize(
    ("said", "kind", "progress"),
    [
        (b"", "reset", Progress.SENT),
        (b"HTTP/1.1 200 OK\r\n", "reset", Progress.ANSWERED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", "reset", Progress.RESPONDED),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "malformed", Progress.ANSWERED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "malformed", Progress.ANSWERED),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX",
            "malformed",
            Progress.RESPONDED,
        ),
    ],
)
def test_a_response_that_is_none(run, said, kind, progress):
    async def script(peer):
        await peer.head()
        await peer.send(said)

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            with pytest.raises(UpstreamError) as raised:
                await drain(await pool.send(get()))
            assert (raised.value.kind, raised.value.progress) == (kind, progress)
            await pool.close()

    run(main)


def test_a_request_that_may_have_been_seen_stays_so_when_the_second_try_cannot_connect(run):
    """The kept connection died with it, and no other could be made."""

    async def main():
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        upstream = Upstream(None)
        upstream.port = listener.getsockname()[1]
        pool = upstream.pool()
        sending = asyncio.create_task(pool.send(get()))
        peer = await RawPeer.accept(listener)
        await peer.some()
        peer.send(OK)
        await sending
        sending = asyncio.create_task(pool.send(get()))
        await peer.some()
        listener.close()
        peer.close()
        with pytest.raises(UpstreamError) as raised:
            await sending
        assert (raised.value.kind, raised.value.progress) == ("connect", Progress.SENT)
        await pool.close()

    run(main)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok"])
def test_a_response_that_does_not_come(run, said):
    async def script(peer):
        await peer.head()
        await peer.send(said)
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=HASTY)
            with pytest.raises(UpstreamError) as raised:
                await drain(await pool.send(get()))
            assert raised.value.kind == "timeout"
            await pool.close()

    run(main)


def test_no_free_connection_and_a_closed_pool(run):
    async def script(peer):
        await peer.head()
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(timeouts=Timeouts(pool_wait=0.1), max_connections=1)
            first = asyncio.create_task(pool.send(get()))
            await eventually(lambda: pool.connects == 1)
            with pytest.raises(UpstreamError) as raised:
                await pool.send(get())
            assert raised.value.kind == "busy"
            await pool.close()
            with pytest.raises(UpstreamError) as raised:
                await first
            assert raised.value.kind == "closed"

    run(main)


def test_the_documentation_has_each_word():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "upstreams.md").read_text()
    for kind, meaning in UPSTREAM_FAILURES.items():
        if kind != "denied":  # of guests' calls, which these metrics do not count
            assert f"| `{kind}` | {meaning} |" in page
