"""Requests over HTTP/2: what upstreams get, what comes back, and many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest
import uvloop
from hyperframe.frame import (
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from sentinel_host.errors import Progress, UpstreamBusy, UpstreamError, UpstreamTimeout
from sentinel_host.http.client import Timeouts
from tests.support.loops import MINUTES, leap, run_leaping
from tests.upstream.http2 import OK, Http2Peer, data, pool, serve, settle, speaking
from tests.upstream.support import MIB, Main, Source, Upstream, drain, eventually, get, run_on


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    """Runs the test's coroutine on an event loop."""
    return partial(run_on, asyncio.new_event_loop if request.param == "asyncio" else uvloop.new_event_loop, None)


def test_a_request_and_its_response(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        asked = await peer.request()
        assert asked.fields == {
            b":method": b"GET",
            b":scheme": b"http",
            b":authority": b"origin.test",
            b":path": b"/a?b",
            b"x-a": b"1",
            b"te": b"trailers",
        }
        assert asked.ended
        assert peer.settings[SettingsFrame.ENABLE_PUSH] == 0
        await peer.send(
            peer.headers(asked.stream, [(b":status", b"103"), (b"link", b"a")]),
            peer.headers(asked.stream, [(b":status", b"200"), (b"x-b", b"2")]),
            data(asked.stream, b"he"),
            data(asked.stream, b"llo"),
            peer.headers(asked.stream, [(b"x-sum", b"3")], end=True),
        )
        await peer.closed()

    async def main():
        said = []
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            request = get(b"/a?b", headers=[(b"X-A", b"1"), (b"connection", b"x")], takes_trailers=True)
            request.informed = SimpleNamespace(pass_informational=lambda *said_so: said.append(said_so))
            response = await web.send(request)
            assert (response.status, response.headers) == (200, [(b"x-b", b"2")])
            assert await drain(response) == b"hello"
            assert response.complete
            assert response.trailers == [(b"x-sum", b"3")]
            assert said == [(103, [(b"link", b"a")])]
            assert (web.open, web.idle) == (1, 1)
            await web.close()

    run(main)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_large_body_both_ways(run, streamed):
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        asked = await peer.request()
        assert asked.fields.get(b"content-length") == (None if streamed else b"%d" % len(MIB))
        assert await peer.body(asked.stream) == MIB
        await peer.send(peer.headers(asked.stream, OK))
        window, left = peer.settings[SettingsFrame.INITIAL_WINDOW_SIZE], MIB
        while left:
            piece, left = left[: min(16384, window)], left[min(16384, window) :]
            await peer.send(data(asked.stream, piece, end=not left))
            window -= len(piece)
            while left and window < 16384:
                frame = await peer.next(WindowUpdateFrame)
                window += frame.window_increment if frame.stream_id == asked.stream else 0
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            body = Source(*(MIB[at : at + 50_000] for at in range(0, len(MIB), 50_000))) if streamed else MIB
            response = await web.send(get(method=b"POST", body=body))
            assert await drain(response) == MIB
            await web.close()

    run(main)


def test_a_streamed_body_ends_with_its_trailers(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        asked = await peer.request()
        assert (await peer.next(DataFrame)).data == b"abc"
        frame = await peer.next(HeadersFrame)
        assert "END_STREAM" in frame.flags
        assert peer.decoder.decode(frame.data, raw=True) == [(b"x-end", b"1")]
        await peer.answer(asked.stream)
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            source = Source(b"abc", trailers=[(b"x-end", b"1")])
            assert await drain(await web.send(get(method=b"POST", body=source))) == b"ok"
            await web.close()

    run(main)


def test_many_requests_share_one_connection_and_no_more_than_the_upstream_allows(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin({SettingsFrame.MAX_CONCURRENT_STREAMS: 4})
        under_way: list[int] = []
        answered = 0
        while answered < 40:
            under_way.append((await peer.request()).stream)
            assert len(under_way) <= 4
            if len(under_way) == 4:
                for stream in under_way:
                    await peer.answer(stream)
                answered += 4
                under_way.clear()
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream, max_connections=1)
            first = await asyncio.gather(*(web.send(get()) for _ in range(4)))
            responses = first + await asyncio.gather(*(web.send(get()) for _ in range(36)))
            assert [await drain(response) for response in responses] == [b"ok"] * 40
            assert (upstream.accepted, web.connects) == (1, 1)
            await web.close()

    run(main)


def test_another_connection_is_opened_when_all_streams_are_taken():
    async def script(peer: Http2Peer) -> None:
        await peer.begin({SettingsFrame.MAX_CONCURRENT_STREAMS: 1})
        asked = await peer.request()
        await peer.send(peer.headers(asked.stream, OK))
        await go.wait()
        await peer.send(data(asked.stream, b"ok", end=True))
        await peer.closed()

    async def main() -> None:
        nonlocal go
        go = asyncio.Event()
        async with Upstream(speaking(script)) as upstream:
            times = Timeouts(pool_wait=MINUTES, response=100 * MINUTES, idle=100 * MINUTES)
            web = pool(upstream, max_connections=2, timeouts=times)
            one, two = await web.send(get()), await web.send(get())
            assert upstream.accepted == 2
            third = asyncio.create_task(web.send(get()))
            await eventually(lambda: web.waiting == 1)
            await leap(2 * MINUTES)
            with pytest.raises(UpstreamBusy):
                await third
            go.set()
            assert [await drain(one), await drain(two)] == [b"ok", b"ok"]
            await web.close()

    go: asyncio.Event
    run_leaping(main())


def test_a_reader_that_stops_stops_its_own_stream_alone(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        slow, quick = await peer.request(), await peer.request()
        await peer.send(peer.headers(slow.stream, OK), peer.headers(quick.stream, OK))
        window = 256 * 1024
        while window:
            size = min(window, 16384)
            await peer.send(data(slow.stream, bytes(size)))
            window -= size
        # Its window is used up; the connection's is given back whoever reads.
        for _ in range(20):
            await peer.send(data(quick.stream, bytes(10_000)))
        await peer.send(data(quick.stream, end=True))
        assert (await peer.next(WindowUpdateFrame, slow.stream)).window_increment > 0
        await peer.send(data(slow.stream, b"end", end=True))
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            slow, quick = await asyncio.gather(web.send(get(b"/slow")), web.send(get(b"/quick")))
            assert len(await drain(quick)) == 200_000
            assert len(await drain(slow)) == 256 * 1024 + 3
            await web.close()

    run(main)


def test_what_is_given_up_is_reset_and_others_go_on(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        first, second = await peer.request(), await peer.request()
        await peer.send(peer.headers(first.stream, OK), peer.headers(second.stream, OK))
        frame = await peer.next(RstStreamFrame)
        assert (frame.stream_id, frame.error_code) == (first.stream, 8)
        await peer.send(data(first.stream, b"late"), data(second.stream, b"ok", end=True))
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            first, second = await asyncio.gather(web.send(get()), web.send(get()))
            first.abort()
            assert await drain(second) == b"ok"
            task = asyncio.ensure_future(web.send(get()))
            await settle()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (web.open, web.idle) == (1, 1)
            await web.close()

    run(main)


@pytest.mark.parametrize("last", [0, 3])
def test_goaway_loses_no_request(run, last):
    """Those above its last stream go out again on another connection, whatever their method."""

    async def script(peer: Http2Peer) -> None:
        if peer.number > 1:
            await serve(peer)
            return
        await peer.begin()
        streams = [(await peer.request()).stream for _ in range(5)]
        await peer.send(GoAwayFrame(last_stream_id=last))
        for stream in streams:
            if stream <= last:
                await peer.answer(stream)
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            responses = await asyncio.gather(*(web.send(get(method=b"POST", body=b"a" * n)) for n in range(5)))
            assert [await drain(response) for response in responses] == [b"ok"] * 5
            assert upstream.accepted == 2
            await eventually(lambda: web.open == 1)
            await web.close()

    run(main)


def test_a_refused_stream_goes_out_again_and_not_for_ever(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        asked = await peer.request()
        await peer.send(RstStreamFrame(asked.stream, error_code=7))
        await peer.answer((await peer.request()).stream)
        while True:
            await peer.send(RstStreamFrame((await peer.request()).stream, error_code=7))

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            assert await drain(await web.send(get(method=b"POST", body=b"a"))) == b"ok"
            with pytest.raises(UpstreamError, match="refused") as raised:
                await web.send(get(method=b"POST", body=b"a"))
            assert raised.value.progress == Progress.UNSENT
            await web.close()

    run(main)


def test_a_body_that_was_read_does_not_go_out_again_by_itself(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        asked = await peer.request()
        await peer.next(DataFrame)
        await peer.send(RstStreamFrame(asked.stream, error_code=7))
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            source = Source(b"abc", asyncio.Event().wait())
            with pytest.raises(UpstreamError) as raised:
                await web.send(get(method=b"POST", body=source))
            assert (raised.value.progress, raised.value.has_read) == (Progress.UNSENT, True)
            await web.close()

    run(main)


def test_an_idle_connection_that_closed_is_not_used(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        await peer.answer((await peer.request()).stream)
        if peer.number > 1:
            await peer.closed()
        answered.append(peer)

    answered: list[Http2Peer] = []

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            for _ in range(2):
                assert await drain(await web.send(get(method=b"POST", body=b"a"))) == b"ok"
                await eventually(lambda: bool(answered))
            await web.close()

    run(main)


def test_an_answer_before_the_bodys_end_stops_the_upload(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        asked = await peer.request()
        await peer.send(peer.headers(asked.stream, [(b":status", b"413")], end=True))
        assert (await peer.next(RstStreamFrame)).error_code == 0
        await peer.answer((await peer.request()).stream)
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            source = Source(b"abc", asyncio.Event().wait())
            response = await web.send(get(method=b"POST", body=source))
            assert (response.status, await drain(response)) == (413, b"")
            await eventually(lambda: source.cancelled)
            assert await drain(await web.send(get())) == b"ok"
            assert upstream.accepted == 1
            await web.close()

    run(main)


def test_times_run_out_for_one_stream_alone():
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        first = await peer.request()
        asked.set()
        assert (await peer.next(RstStreamFrame)).stream_id == first.stream
        second = await peer.request()
        await peer.send(peer.headers(second.stream, OK), data(second.stream, b"a"))
        assert (await peer.next(RstStreamFrame)).stream_id == second.stream
        await peer.answer((await peer.request()).stream)
        await peer.closed()

    async def main() -> None:
        nonlocal asked
        asked = asyncio.Event()
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream, timeouts=Timeouts(response=MINUTES, idle=MINUTES, keepalive=100 * MINUTES))
            late = asyncio.create_task(web.send(get()))
            await asked.wait()
            await leap(2 * MINUTES)
            with pytest.raises(UpstreamTimeout, match="no response within"):
                await late
            response = await web.send(get())
            assert await response.read() == b"a"
            await leap(2 * MINUTES)
            with pytest.raises(UpstreamTimeout, match="fell silent"):
                await response.read()
            assert await drain(await web.send(get())) == b"ok"
            assert upstream.accepted == 1
            await web.close()

    asked: asyncio.Event
    run_leaping(main())


@pytest.mark.parametrize("answers", [True, False])
def test_a_silent_upstream_is_asked_whether_it_is_there(answers):
    """One that has something to answer, and only as often as is polite."""

    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        asked = await peer.request()
        waits.set()
        ping = await peer.next(PingFrame)
        if answers:
            await peer.send(PingFrame(0, ping.opaque_data, flags=["ACK"]), peer.headers(asked.stream, OK))
        pinged.set()
        await may_answer.wait()
        if answers:
            await peer.send(data(asked.stream, b"ok", end=True))
        await peer.closed()

    async def main() -> None:
        nonlocal waits, pinged, may_answer
        waits, pinged, may_answer = asyncio.Event(), asyncio.Event(), asyncio.Event()
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream, timeouts=Timeouts(response=MINUTES, idle=MINUTES))
            request = asyncio.create_task(web.send(get()))
            await waits.wait()
            await leap(16)
            await pinged.wait()
            if answers:
                # The head came behind the answer to PING.
                response = await request
                await leap(11)
                may_answer.set()
                assert await drain(response) == b"ok"
            else:
                await leap(11)
                with pytest.raises(UpstreamTimeout, match="no answer to PING within 10 s"):
                    await request
            await web.close()

    waits: asyncio.Event
    pinged: asyncio.Event
    may_answer: asyncio.Event
    run_leaping(main())


def test_pings_are_answered(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        asked = await peer.request()
        await peer.send(PingFrame(0, b"12345678"))
        assert (await peer.next(PingFrame)).opaque_data == b"12345678"
        await peer.answer(asked.stream)
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            assert await drain(await web.send(get())) == b"ok"
            await web.close()

    run(main)


def test_connections_serve_so_many_requests_and_drain(run):
    async def main():
        async with Upstream(speaking(serve)) as upstream:
            web = pool(upstream, max_requests=2)
            for _ in range(5):
                assert await drain(await web.send(get())) == b"ok"
            assert upstream.accepted == 3
            web.drain()
            await eventually(lambda: web.open == 0)
            await web.close()

    run(main)
