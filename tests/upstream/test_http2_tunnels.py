"""WebSockets to upstreams over HTTP/2: the extended CONNECT of RFC 8441."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hyperframe.frame import DataFrame, HeadersFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from sentinel_host.errors import Progress, UpstreamBusy, UpstreamError
from sentinel_host.http.client import Timeouts, UpstreamRequest
from tests.support.loops import MINUTES, leap, run_leaping
from tests.upstream.http2 import OK, Http2Peer, data, pool, speaking
from tests.upstream.support import Upstream, drain, eventually, get

both_loops = pytest.mark.parametrize("run", ["asyncio", "uvloop"], indirect=True)

ALLOWED = {8: 1}
KEY = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")
ANSWER = (b"sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
VERSION = (b"sec-websocket-version", b"13")


def websocket(*more: tuple[bytes, bytes], **options: Any) -> UpstreamRequest:
    return get(b"/chat?x", upgrade=b"websocket", headers=[KEY, VERSION, *more], **options)


@both_loops
def test_a_tunnel_is_a_stream_that_is_asked_for_with_connect(run):
    """RFC 8441 section 5. It ends as it began: each side for itself."""

    async def script(peer: Http2Peer) -> None:
        await peer.begin(ALLOWED)
        asked = await peer.request()
        assert not asked.ended
        assert asked.fields == {
            b":method": b"CONNECT",
            b":protocol": b"websocket",
            b":scheme": b"http",
            b":path": b"/chat?x",
            b":authority": b"origin.test",
            b"sec-websocket-version": b"13",
            b"sec-websocket-protocol": b"chat",
        }
        await peer.send(peer.headers(asked.stream, [*OK, (b"sec-websocket-protocol", b"chat")]))
        assert await peer.body(asked.stream) == b"one two"
        await peer.send(data(asked.stream, b"three"), data(asked.stream, end=True))
        await peer.closed()

    async def main() -> None:
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            response = await web.send(websocket((b"sec-websocket-protocol", b"chat")))
            # As of HTTP/1.1, with the answer to the key of RFC 6455 section 1.3.
            assert (response.status, response.headers) == (101, [(b"sec-websocket-protocol", b"chat"), ANSWER])
            assert web.tunnels == 1
            await response.write(b"one ")
            await response.write(b"two")
            response.write_eof()
            assert await drain(response) == b"three"
            assert (web.tunnels, web.open, web.failures) == (0, 1, 0)
            await web.close()

    run(main)


@both_loops
def test_other_requests_share_its_connection(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin(ALLOWED)
        tunnel = await peer.request()
        await peer.send(peer.headers(tunnel.stream, OK))
        for _ in range(3):
            asked = await peer.request()
            await peer.answer(asked.stream)
        assert (await peer.next(DataFrame, tunnel.stream)).data == b"still there"
        await peer.send(data(tunnel.stream, end=True))
        # The other side ends too, without a reset.
        assert "END_STREAM" in (await peer.next(DataFrame, tunnel.stream)).flags
        await peer.closed()

    async def main() -> None:
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            tunnel = await web.send(websocket())
            for _ in range(3):
                assert await drain(await web.send(get())) == b"ok"
            await tunnel.write(b"still there")
            assert await drain(tunnel) == b""
            assert upstream.accepted == 1
            await web.close()

    run(main)


@both_loops
def test_a_peer_that_takes_nothing_stops_the_writer(run):
    """The windows of HTTP/2 are the tunnel's backpressure."""
    piece = bytes(16384)

    async def script(peer: Http2Peer) -> None:
        await peer.begin(ALLOWED)
        asked = await peer.request()
        await peer.send(peer.headers(asked.stream, OK))
        size = 0
        while size < 65535:
            size += len((await peer.next(DataFrame, asked.stream)).data)
        assert size == 65535
        full.set()
        await may_go_on.wait()
        await peer.send(WindowUpdateFrame(0, window_increment=1 << 20))
        await peer.send(WindowUpdateFrame(asked.stream, window_increment=1 << 20))
        while size < 8 * len(piece):
            size += len((await peer.next(DataFrame, asked.stream)).data)
        await peer.send(data(asked.stream, b"all", end=True))
        await peer.closed()

    async def main() -> None:
        nonlocal full, may_go_on
        full, may_go_on = asyncio.Event(), asyncio.Event()
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            tunnel = await web.send(websocket())
            written = 0

            async def write() -> None:
                nonlocal written
                for _ in range(8):
                    await tunnel.write(piece)
                    written += 1

            writing = asyncio.create_task(write())
            await full.wait()
            await eventually(lambda: written == 3)
            assert not writing.done()
            may_go_on.set()
            await writing
            assert await drain(tunnel) == b"all"
            await web.close()

    full: asyncio.Event
    may_go_on: asyncio.Event
    run(main)


@both_loops
def test_a_client_that_leaves_cancels_the_stream(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin(ALLOWED)
        asked = await peer.request()
        await peer.send(peer.headers(asked.stream, OK))
        reset.append((await peer.next(RstStreamFrame, asked.stream)).error_code)
        asked = await peer.request()
        await peer.answer(asked.stream)
        await peer.closed()

    async def main() -> None:
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            tunnel = await web.send(websocket())
            tunnel.abort()
            assert await drain(await web.send(get())) == b"ok"
            assert reset == [8]
            await web.close()

    reset: list[int] = []
    run(main)


@both_loops
@pytest.mark.parametrize("status", [b"403", b"302"])
def test_a_refusal_is_an_answer(run, status):
    async def script(peer: Http2Peer) -> None:
        await peer.begin(ALLOWED)
        asked = await peer.request()
        await peer.send(peer.headers(asked.stream, [(b":status", status)]), data(asked.stream, b"no", end=True))
        await peer.next(RstStreamFrame, asked.stream)
        await peer.closed()

    async def main() -> None:
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            response = await web.send(websocket())
            assert response.status == int(status)
            assert response.headers == []
            await drain(response)
            assert web.tunnels == 0
            await web.close()

    run(main)


@both_loops
@pytest.mark.parametrize("settings", [{}, {8: 0}], ids=["says nothing", "says no"])
def test_an_upstream_that_does_not_allow_it_is_not_asked(run, settings):
    async def script(peer: Http2Peer) -> None:
        await peer.begin(settings)
        # The next stream that it sees is the other request's, and the first of all.
        asked = await peer.request()
        assert (asked.stream, asked.fields[b":method"]) == (1, b"GET")
        await peer.answer(asked.stream)
        await peer.closed()

    async def main() -> None:
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            with pytest.raises(UpstreamError, match=r"no WebSockets over HTTP/2.*RFC 8441") as refused:
                await web.send(websocket())
            assert (refused.value.progress, refused.value.kind) == (Progress.UNSENT, "malformed")
            assert await drain(await web.send(get())) == b"ok"
            await web.close()

    run(main)


@both_loops
@pytest.mark.parametrize("values", [[2], [1, 0]], ids=["no value of it", "taken back"])
def test_settings_that_break_the_rules_of_it(run, values):
    async def script(peer: Http2Peer) -> None:
        await peer.begin({8: values[0]})
        if len(values) > 1:
            asked = await peer.next(HeadersFrame)
            await peer.send(SettingsFrame(settings={8: values[1]}))
            assert asked.stream_id == 1
        await peer.closed()

    async def main() -> None:
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            with pytest.raises(UpstreamError, match=r"ENABLE_CONNECT_PROTOCOL|before its SETTINGS"):
                await web.send(websocket())
            await web.close()

    run(main)


def test_an_upstream_that_says_nothing_is_given_up():
    async def script(peer: Http2Peer) -> None:
        await peer.closed()

    async def main() -> None:
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream, timeouts=Timeouts(connect=MINUTES))
            asked = asyncio.create_task(web.send(websocket()))
            await eventually(lambda: web.connects == 1)
            # It may be asked after the first leap.
            while not asked.done():
                await leap(2 * MINUTES)
            with pytest.raises(UpstreamError, match="before its SETTINGS came"):
                await asked
            await web.close()

    run_leaping(main())


def test_a_tunnel_may_be_silent():
    """The times of an upstream are for responses; those of HTTP/1.1 leave tunnels alone too."""

    async def script(peer: Http2Peer) -> None:
        await peer.begin(ALLOWED)
        asked = await peer.request()
        await peer.send(peer.headers(asked.stream, OK))
        await may_go_on.wait()
        await peer.send(data(asked.stream, b"late", end=True))
        await peer.closed()

    async def main() -> None:
        nonlocal may_go_on
        may_go_on = asyncio.Event()
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream, timeouts=Timeouts(response=MINUTES, idle=MINUTES))
            tunnel = await web.send(websocket())
            await leap(2 * MINUTES)
            may_go_on.set()
            assert await drain(tunnel) == b"late"
            await web.close()

    may_go_on: asyncio.Event
    run_leaping(main())


@both_loops
def test_only_websockets_and_only_so_many(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin(ALLOWED)
        asked = await peer.request()
        await peer.send(peer.headers(asked.stream, OK))
        await peer.closed()

    async def main() -> None:
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream, max_tunnels=1)
            with pytest.raises(UpstreamError, match="websocket only"):
                await web.send(get(upgrade=b"chat"))
            await web.send(websocket())
            with pytest.raises(UpstreamBusy, match="1 streams are tunnels"):
                await web.send(websocket())
            assert web.failures == 2
            await web.close()

    run(main)
