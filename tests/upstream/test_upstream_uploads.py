"""Bodies of requests: their framing, early answers, and at whose pace they go."""

from __future__ import annotations

import asyncio
import hashlib
import socket

import pytest

from sentinel_host.errors import ClientError, UpstreamError
from tests.upstream.support import MIB, OK, RawPeer, Source, Upstream, drain, eventually, get


@pytest.mark.parametrize("body", [b"", b"small", b"x" * 100_000], ids=["empty", "small", "large"])
def test_a_body_in_memory_goes_with_its_length(run, body):
    heads = []

    async def script(peer):
        while True:
            heads.append(await peer.head())
            assert await peer.exactly(len(body)) == body
            await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            for _ in range(2):
                await drain(await pool.send(get(b"/x?y", b"POST", headers=[(b"a", b"b")], body=body)))
            assert pool.connects == 1
            await pool.close()

    run(main)
    expected = b"POST /x?y HTTP/1.1\r\nhost: origin.test\r\na: b\r\ncontent-length: %d\r\n\r\n" % len(body)
    assert heads == [expected, expected]


def test_a_get_without_body_has_no_framing(run):
    async def script(peer):
        assert await peer.head() == b"GET / HTTP/1.1\r\nhost: origin.test\r\n\r\n"
        await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            await pool.send(get())
            await pool.close()

    run(main)


def test_a_streamed_body_of_known_length(run):
    async def script(peer):
        while True:
            assert b"\r\ncontent-length: 7\r\n\r\n" in await peer.head()
            assert await peer.exactly(7) == b"abcdefg"
            await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            for _ in range(2):
                await drain(await pool.send(get(method=b"PUT", body=Source(b"abc", b"defg"), content_length=7)))
            assert pool.connects == 1
            await pool.close()

    run(main)


def test_a_streamed_body_of_unknown_length_with_trailers(run):
    async def script(peer):
        while True:
            assert b"\r\ntransfer-encoding: chunked\r\n\r\n" in await peer.head()
            assert await peer.until(b"\r\n\r\n") == b"3\r\nabc\r\nb\r\nhello world\r\n0\r\nx-sum: 7\r\n\r\n"
            await peer.send(OK)

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            for _ in range(2):
                source = Source(b"abc", b"hello world", trailers=[(b"x-sum", b"7")])
                await drain(await pool.send(get(method=b"POST", body=source)))
            assert pool.connects == 1
            await pool.close()

    run(main)


@pytest.mark.parametrize(("pieces", "length"), [((b"abc", b"de"), 4), ((b"abc",), 4)], ids=["longer", "shorter"])
def test_a_streamed_body_that_belies_its_length_is_broken_off(run, pieces, length):
    """Sent as it is, the rest would begin, or swallow, the next request on the connection."""
    received = bytearray()

    async def script(peer):
        await peer.head()
        while piece := await peer.some():
            received.extend(piece)

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            with pytest.raises(ClientError):
                await pool.send(get(method=b"PUT", body=Source(*pieces), content_length=length))
            assert pool.open == 0
            await pool.close()

    run(main)
    assert b"abc".startswith(bytes(received))


@pytest.mark.parametrize("close", [False, True], ids=["keep-alive", "close"])
def test_an_early_refusal_stops_the_upload(run, close):
    async def script(peer):
        await peer.head()
        await peer.exactly(4)
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
        if not close:
            await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            source = Source(b"body", asyncio.Event().wait(), b"never")
            response = await pool.send(get(method=b"POST", body=source))
            assert (response.status, await drain(response)) == (413, b"no!")
            await eventually(lambda: source.cancelled)
            assert (pool.open, pool.failures) == (0, 0)
            await pool.close()

    run(main)


def test_an_early_refusal_by_an_upstream_that_stopped_reading(run):
    async def script(peer):
        await peer.head()
        peer.pause()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
        await go.wait()

    async def main():
        nonlocal go
        go = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            source = Source(*[MIB] * 64)
            response = await pool.send(get(method=b"POST", body=source))
            assert (response.status, await drain(response)) == (413, b"no!")
            assert source.given < 32 * len(MIB)
            assert pool.open == 0
            go.set()
            await pool.close()

    go: asyncio.Event
    run(main)


def test_an_early_refusal_is_found_behind_a_failed_write(run):
    """The upstream answered 413 and closed while our loop was busy; then the write of the next
    piece failed first.

    The event loop gives a connection up when a write fails, and the answer that already lay in the
    socket became a 502.
    """

    async def main():
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)

        class Busy(Source):
            async def read(self):
                if piece := await super().read():
                    return piece
                if accepted.closed:
                    return b""
                accepted.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
                accepted.close()  # with most of our request unread: the kernel answers with a reset
                return b"second"

        upstream = Upstream(None)
        upstream.port = listener.getsockname()[1]
        pool = upstream.pool()

        async def turn():
            nonlocal accepted
            accepted = await accepting
            await accepted.nibble()

        accepting = asyncio.create_task(RawPeer.accept(listener))
        response = await pool.send(get(method=b"POST", body=Busy(b"first", turn())))
        assert (response.status, await drain(response)) == (413, b"no!")
        assert (pool.open, pool.failures) == (0, 0)
        await pool.close()
        listener.close()

    accepted: RawPeer
    run(main)


@pytest.mark.parametrize(
    "failure", [ClientError("the client is gone"), asyncio.CancelledError()], ids=["error", "cancelled"]
)
@pytest.mark.parametrize("after_head", [False, True], ids=["before the head", "after the head"])
def test_what_the_source_raises_comes_out_and_the_upstream_is_cut_off(run, failure, after_head):
    async def script(peer):
        await peer.head()
        if after_head:
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        await peer.closed()
        gone.set()

    async def main():
        nonlocal gone
        gone = asyncio.Event()
        go = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            request = get(method=b"POST", body=Source(b"begun", go.wait(), failure))
            if not after_head:
                go.set()
                with pytest.raises(type(failure)) as raised:
                    await pool.send(request)
            else:
                response = await pool.send(request)
                go.set()
                with pytest.raises(type(failure)) as raised:
                    await response.read()
            if isinstance(failure, ClientError):
                assert raised.value is failure
            assert (pool.open, pool.failures) == (0, 0)
            await gone.wait()
            await pool.close()

    gone: asyncio.Event
    run(main)


def test_a_slow_upstream_pauses_the_source(run):
    """An upload goes at the pace of its reader; what waits in memory is bounded."""

    async def script(peer):
        await peer.head()
        peer.pause()
        await go.wait()

    async def main():
        nonlocal go
        go = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            source = Source(*[MIB] * 64)
            sending = asyncio.create_task(pool.send(get(method=b"POST", body=source)))
            before = -1
            while not source.given or before != source.given:
                before = source.given
                await asyncio.sleep(0.1)
            assert 0 < source.given < 32 * len(MIB)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert pool.open == 0
            go.set()
            await pool.close()

    go: asyncio.Event
    run(main)


def test_a_large_upload_arrives_whole(run):
    size = 16

    async def script(peer):
        await peer.head()
        digest = hashlib.sha256()
        for _ in range(size * 16):
            digest.update(await peer.exactly(65536))
        text = digest.hexdigest().encode()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            request = get(method=b"PUT", body=Source(*[MIB] * size), content_length=size * len(MIB))
            assert await drain(await pool.send(request)) == hashlib.sha256(MIB * size).hexdigest().encode()
            assert pool.idle == 1
            await pool.close()

    run(main)


def test_an_upstream_that_leaves_an_upload_unread_is_noticed_at_once(run):
    """It closed its side while our socket was full: the transport would have waited for it to read
    on.
    """

    async def script(peer):
        peer.pause()
        await stuck.wait()
        peer.end()
        await done.wait()

    async def main():
        nonlocal stuck, done
        stuck, done = asyncio.Event(), asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            sending = asyncio.create_task(pool.send(get(method=b"POST", body=Source(*[MIB] * 64))))
            await eventually(lambda: pool.connects == 1)
            stuck.set()
            with pytest.raises(UpstreamError, match="closed before a response"):
                await sending
            done.set()
            await pool.close()

    stuck: asyncio.Event
    done: asyncio.Event
    run(main)
