"""How responses are delimited and when a connection may serve again (RFC 9112 sections 6 to 9)."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sentinel_host.errors import SentinelError, UpstreamError
from tests.upstream.support import OK, RawPeer, Source, Upstream, drain, eventually, get

# name, method, bytes, status, body, trailers, whether the connection may be kept. The core's tables
# have the rest.
GOOD = [
    ("length", b"GET", OK, 200, b"ok", [], True),
    (
        "trailers",
        b"GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1 \r\n\r\n",
        200,
        b"ok",
        [(b"x-sum", b"1")],
        True,
    ),
    ("HEAD", b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", 200, b"", [], True),
    ("close", b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", 200, b"ok", [], False),
    ("second response", b"GET", OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", 200, b"ok", [], False),
]


@pytest.mark.parametrize(
    ("method", "raw", "status", "body", "trailers", "kept"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD]
)
def test_responses(run, method, raw, status, body, trailers, kept):
    async def script(peer):
        while True:
            await peer.head()
            await peer.send(raw)

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            for _ in range(2):
                response = await pool.send(get(method=method))
                assert (response.status, await drain(response)) == (status, body)
                assert response.trailers == trailers
                assert response.complete
                assert response.bytes_received == len(body)
                if not kept:
                    await eventually(lambda: pool.open == 0)
            assert (pool.connects, pool.open, pool.idle) == ((1, 1, 1) if kept else (2, 0, 0))
            await pool.close()
            assert (pool.open, pool.idle, pool.failures) == (0, 0, 0)

    run(main)


BAD = {
    "garbage": b"SSH-2.0-OpenSSH_9.6\r\n",
    "closed at once": b"",
    "closed in the head": b"HTTP/1.1 200 OK\r\nContent-",
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
def test_bad_heads_are_502(run, raw):
    async def script(peer):
        await peer.head()
        await peer.send(raw)
        if raw.endswith(b"\n"):
            await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            with pytest.raises(UpstreamError, match=f"upstream {upstream.url}: ") as raised:
                await pool.send(get())
            assert raised.value.status == 502
            assert "\n" not in str(raised.value)
            assert (pool.open, pool.failures, upstream.accepted) == (0, 1, 1)
            await pool.close()

    run(main)


BAD_BODIES = {
    "short": b"Content-Length: 5\r\n\r\nok",
    "no last chunk": b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    "bad size": b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n",
}


@pytest.mark.parametrize("raw", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_broken_bodies_fail_after_what_came(run, raw):
    """The reader gets what arrived, then an error, never a clean end."""

    async def script(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + raw)

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            response = await pool.send(get())
            assert await response.read() == b"ok"
            with pytest.raises(UpstreamError, match=r"^upstream https?://127\.0\.0\.1") as raised:
                await response.read()
            assert raised.value.status == 502
            assert not response.complete
            with pytest.raises(UpstreamError):
                await response.read()
            assert (pool.open, pool.failures) == (0, 1)
            await pool.close()

    run(main)


def test_read_until_close(run):
    async def script(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nso ")
        await go.wait()
        await peer.send(b"long")
        peer.close()

    async def main():
        nonlocal go
        go = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            response = await pool.send(get())
            assert await response.read() == b"so "
            assert not response.complete
            go.set()
            assert await drain(response) == b"long"
            assert response.complete
            assert pool.open == 0
            await pool.close()

    go: asyncio.Event
    run(main)


def test_read_until_close_ended_by_a_reset_is_an_error(run):
    async def script(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await go.wait()
        peer.reset()

    async def main():
        nonlocal go
        go = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            response = await pool.send(get())
            assert await response.read() == b"half"
            go.set()
            with pytest.raises(UpstreamError):
                await response.read()
            await pool.close()

    go: asyncio.Event
    run(main)


@pytest.mark.parametrize("stray", [b"x", b"\r\n", OK], ids=["byte", "CRLF", "response"])
def test_bytes_on_an_idle_connection_close_it(run, stray):
    """An answer that nobody asked for is given to nobody."""

    async def script(peer):
        await peer.head()
        await peer.send(OK if peer.number == 1 else b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
        if peer.number == 1:
            await go.wait()
            await peer.send(stray)
            await peer.closed()

    async def main():
        nonlocal go
        go = asyncio.Event()
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            await pool.send(get())
            assert pool.idle == 1
            go.set()
            await eventually(lambda: pool.open == 0)
            assert await drain(await pool.send(get())) == b"mine"
            await pool.close()

    go: asyncio.Event
    run(main)


POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


@pytest.mark.parametrize("after", [0, 1], ids=["before the request", "while it waits for the turn's end"])
@pytest.mark.parametrize("stray", [POISON, b""], ids=["response", "end"])
@pytest.mark.parametrize(
    ("body", "end"), [(b"", b"\r\n\r\n"), (b"body", b"body"), ("streamed", b"0\r\n\r\n")], ids=["GET", "POST", "upload"]
)
def test_what_is_already_in_the_kernel_is_not_taken_for_the_answer(run, body, end, stray, after):
    """A second response can lie in the socket, unseen by the event loop, when the next request
    takes the connection.

    Written afterwards, that request would have been answered with it, or lost with the connection.
    Nothing of it was sent yet: whatever its method, it goes out on another. The bytes are sent from
    a plain socket here.
    """

    def request():
        return get(method=b"POST" if body else b"GET", body=Source(b"body") if body == "streamed" else body)

    async def main():
        listener = socket.create_server(("127.0.0.1", 0))
        upstream = Upstream(None)
        upstream.port = listener.getsockname()[1]
        pool = upstream.pool()
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        sending = loop.create_task(pool.send(get()))
        first = await RawPeer.accept(listener)
        await first.some()
        first.send(OK)
        await sending
        assert pool.idle == 1
        sending = loop.create_task(pool.send(request()))
        for _ in range(after):
            await asyncio.sleep(0)
        first.send(stray) if stray else first.end()
        second = await RawPeer.accept(listener)
        received = b""
        while not received.endswith(end):
            received += await second.some()
        second.send(OK)
        assert await drain(await sending) == b"ok"
        assert (pool.open, pool.connects) == (1, 2)
        await pool.close()
        for sock in (first, second, listener):
            sock.close()

    run(main)


@pytest.mark.parametrize(
    "request_with",
    [
        {"target": b"/ HTTP/1.1\r\nx: y\r\n\r\n"},
        {"target": b"/a b"},
        {"method": b"GET /\r\nA"},
        {"headers": [(b"a", b"b\r\nc: d")]},
        {"headers": [(b"a", b"b\nc")]},
        {"headers": [(b"a", b"b\rc")]},
        {"headers": [(b"a\0", b"b")]},
        {"headers": [(b"a", b"b\0")]},
    ],
)
def test_heads_that_would_be_more_than_one_request_are_not_sent(run, request_with):
    async def script(peer):
        raise AssertionError(await peer.some())

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool()
            with pytest.raises(SentinelError):
                await pool.send(get(**request_with))
            assert (upstream.accepted, pool.open) == (0, 0)
            await pool.close()

    run(main)
