"""Upstreams that break the rules of HTTP/2: each costs its own requests, and what may go elsewhere
says so.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import uvloop
from hyperframe.frame import (
    AltSvcFrame,
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from sentinel_host.errors import Progress, UpstreamError, UpstreamTimeout
from sentinel_host.http.client import Target, Timeouts
from sentinel_host.http.client.auto_pool import AutoPool
from sentinel_host.http.client.h2_pool import Http2Pool
from tests.support.loops import MINUTES, leap, run_leaping
from tests.upstream.http2 import OK, Http2Peer, data, pool, serve, speaking
from tests.upstream.support import Main, Peer, Secure, Source, Upstream, drain, eventually, get, run_on


@pytest.fixture
def run() -> Callable[[Main], None]:
    """Runs the test's coroutine on the event loop that the gateway runs on."""
    return partial(run_on, uvloop.new_event_loop, None)


def raw(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame that hyperframe would not make."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


Act = Callable[[Http2Peer, int], Awaitable[None]]


def sends(*frames: Frame | bytes) -> Act:
    """Send frames; those for stream 1 are for the request's."""

    async def act(peer: Http2Peer, stream: int) -> None:
        await peer.send(*frames)

    return act


def sends_fields(fields: list[tuple[bytes, bytes]], *, end: bool = False, after: bool = False) -> Act:
    """Send a section, after a head or in its place."""

    async def act(peer: Http2Peer, stream: int) -> None:
        await peer.send(*([peer.headers(stream, OK)] if after else []), peer.headers(stream, fields, end=end))

    return act


async def floods(peer: Http2Peer, frame: bytes) -> None:
    """The same frame again and again, until the client has had enough."""
    for _ in range(1000):
        await peer.send(frame * 100)


async def floods_pings(peer: Http2Peer, stream: int) -> None:
    await floods(peer, PingFrame(0, b"12345678").serialize())


async def floods_settings(peer: Http2Peer, stream: int) -> None:
    await floods(peer, SettingsFrame(settings={4: 65535}).serialize())


async def floods_empty_data(peer: Http2Peer, stream: int) -> None:
    await peer.send(peer.headers(stream, OK))
    await floods(peer, data(stream).serialize())


async def floods_continuations(peer: Http2Peer, stream: int) -> None:
    await peer.send(HeadersFrame(stream, peer.encoder.encode(OK)))
    await floods(peer, ContinuationFrame(stream, b"").serialize())


async def sends_block(peer: Http2Peer, stream: int, block: bytes) -> None:
    pieces = [block[at : at + 16384] for at in range(0, len(block), 16384)]
    await peer.send(HeadersFrame(stream, pieces[0]))
    for piece in pieces[1:-1]:
        await peer.send(ContinuationFrame(stream, piece))
    await peer.send(ContinuationFrame(stream, pieces[-1], flags=["END_HEADERS"]))


# 200, and a field of 16 KiB that no table remembers (RFC 7541 section 6.2.2).
_STATUS, _FIELD = b"\x88", b"\x00\x03x-a\x7f\x81\x7f" + b"a" * 16384


async def sends_a_huge_head(peer: Http2Peer, stream: int) -> None:
    await sends_block(peer, stream, _STATUS + _FIELD * 640)


async def sends_a_large_head(peer: Http2Peer, stream: int) -> None:
    await sends_block(peer, stream, _STATUS + _FIELD * 5)


async def overruns_the_stream(peer: Http2Peer, stream: int) -> None:
    await peer.send(peer.headers(stream, OK))
    for _ in range(17):
        await peer.send(data(stream, bytes(16384)))


# The connection ends: nothing that comes after these can be understood. What is said of it.
OF_CONNECTIONS: dict[str, tuple[Act, str]] = {
    "a frame that is too large": (sends(raw(0, 0, 1, bytes(16385))), "too large"),
    "DATA on a stream that was never opened": (sends(raw(0, 0, 3, b"a")), "DATA on no stream"),
    "DATA on stream 0": (sends(raw(0, 0, 0, b"a")), "DATA on no stream"),
    "HEADERS on stream 0": (sends(raw(1, 4, 0, b"\x88")), "HEADERS on no stream"),
    "HEADERS on a stream that was never opened": (sends(raw(1, 4, 3, b"\x88")), "never opened"),
    "HEADERS on a stream of the server's": (sends(raw(1, 4, 2, b"\x88")), "no client opens"),
    "a header block that is none": (sends(raw(1, 4, 1, b"\xff\xff\xff\xff\xff\xff")), "integer too large"),
    "an index beyond the table": (sends(raw(1, 4, 1, b"\xfe")), "beyond the table"),
    "a frame inside a header block": (sends(raw(1, 0, 1, b"\x88"), raw(6, 0, 0, bytes(8))), "inside a header block"),
    "CONTINUATION of nothing": (sends(raw(9, 4, 1, b"")), "CONTINUATION of nothing"),
    "padding longer than its frame": (sends(raw(0, 8, 1, b"\x05abc")), "padding longer"),
    "PUSH_PROMISE": (sends(PushPromiseFrame(1, 2, b"\x88", flags=["END_HEADERS"])), "push"),
    "RST_STREAM of a stream that was never opened": (sends(RstStreamFrame(3, error_code=1)), "never opened"),
    "RST_STREAM of another size": (sends(raw(3, 0, 1, b"abc")), "another size"),
    "SETTINGS of another size": (sends(raw(4, 0, 0, b"abc")), "another size"),
    "SETTINGS on a stream": (sends(raw(4, 0, 1)), "on a stream"),
    "SETTINGS that acknowledge and say something": (sends(raw(4, 1, 0, bytes(6))), "another size"),
    "a window in SETTINGS that is too large": (sends(raw(4, 0, 0, b"\0\4\x80\0\0\0")), "window too large"),
    "a frame size out of range": (sends(raw(4, 0, 0, b"\0\5\0\0\0\1")), "out of range"),
    "push enabled by a server": (sends(raw(4, 0, 0, b"\0\2\0\0\0\1")), "ENABLE_PUSH"),
    "PING of another size": (sends(raw(6, 0, 0, b"abc")), "another size"),
    "PING on a stream": (sends(raw(6, 0, 1, bytes(8))), "on a stream"),
    "GOAWAY too short": (sends(raw(7, 0, 0, b"abc")), "too short"),
    "GOAWAY on a stream": (sends(raw(7, 0, 1, bytes(8))), "on a stream"),
    "WINDOW_UPDATE of another size": (sends(raw(8, 0, 1, b"abc")), "another size"),
    "WINDOW_UPDATE of nothing, for the connection": (sends(raw(8, 0, 0, bytes(4))), "of zero"),
    "a window of the connection that is too large": (sends(raw(8, 0, 0, b"\x7f\xff\xff\xff")), "window too large"),
    "a flood of PING": (floods_pings, "carry nothing"),
    "a flood of SETTINGS": (floods_settings, "carry nothing"),
    "a flood of empty DATA": (floods_empty_data, "carry nothing"),
    "a flood of CONTINUATION": (floods_continuations, "without end"),
    "a header list of 10 MiB": (sends_a_huge_head, "without end"),
}
# One stream ends; others live.
OF_STREAMS: dict[str, Act] = {
    "no status": sends_fields([(b"a", b"b")]),
    "a pseudo-header in trailers": sends_fields([(b":status", b"200")], end=True, after=True),
    "trailers that do not end the stream": sends_fields([(b"a", b"b")], after=True),
    "a connection-specific field": sends_fields([*OK, (b"connection", b"close")]),
    "DATA before a head": sends(data(1, b"a")),
    "WINDOW_UPDATE of nothing": sends(raw(8, 0, 1, bytes(4))),
    "a window that is too large": sends(raw(8, 0, 1, b"\x7f\xff\xff\xff")),
    "PRIORITY of another size": sends(raw(2, 0, 1, b"abc")),
    "a window that is overrun": overruns_the_stream,
    "a head beyond the limit": sends_a_large_head,
}
# None of these does any harm (RFC 9113 sections 4.1, 5.5, 6.3).
HARMLESS: dict[str, Act] = {
    "an unknown frame": sends(raw(0xFA, 0xFF, 0, b"abc"), raw(0xFA, 0xFF, 1, b"abc")),
    "an unknown setting": sends(raw(4, 0, 0, b"\xfa\xfa\0\0\0\1")),
    "ALTSVC": sends(AltSvcFrame(0, b"a.example", b"clear")),
    "PRIORITY": sends(PriorityFrame(1, depends_on=0, stream_weight=1)),
    "padding": sends(HeadersFrame(1, b"\x88", flags=["END_HEADERS", "PADDED"], pad_length=9)),
    "an empty SETTINGS": sends(SettingsFrame()),
    "a window of 0 for streams to come": sends(SettingsFrame(settings={4: 0})),
    "frames on streams that are closed": sends(WindowUpdateFrame(1, window_increment=1)),
    "reserved bits": sends(raw(8, 0, 0x80000000, b"\x80\0\0\1")),
}


@pytest.mark.parametrize("name", OF_CONNECTIONS)
def test_what_ends_a_connection(run, name):
    act, said = OF_CONNECTIONS[name]

    async def script(peer: Http2Peer) -> None:
        if peer.number > 1:
            await serve(peer)
            return
        await peer.begin()
        stream = (await peer.request()).stream
        await act(peer, stream)
        assert (await peer.next(GoAwayFrame)).error_code != 0
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            with pytest.raises(UpstreamError, match=said) as raised:
                await drain(await web.send(get()))
            assert raised.value.kind == "malformed"
            assert raised.value.progress > Progress.UNSENT
            assert await drain(await web.send(get())) == b"ok"
            await web.close()

    run(main)


@pytest.mark.parametrize("name", OF_STREAMS)
def test_what_ends_a_stream(run, name):
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        stream = (await peer.request()).stream
        other = (await peer.request()).stream
        await OF_STREAMS[name](peer, stream)
        if "trailers" not in name:
            # After END_STREAM of both sides there is nothing to reset.
            assert (await peer.next(RstStreamFrame)).stream_id == stream
        await peer.answer(other)
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            first, other = asyncio.ensure_future(web.send(get())), asyncio.ensure_future(web.send(get()))

            async def outcome() -> None:
                response = await first
                # Nothing is read of it meanwhile, so that its window stays used up.
                await asyncio.wait([other])
                await drain(response)

            with pytest.raises(UpstreamError) as raised:
                await outcome()
            assert raised.value.kind == "malformed"
            assert await drain(await other) == b"ok"
            assert upstream.accepted == 1
            await web.close()

    run(main)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_no_harm(run, name):
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        stream = (await peer.request()).stream
        await HARMLESS[name](peer, stream)
        if name == "padding":
            await peer.send(data(stream, b"ok", end=True))
        else:
            await peer.answer(stream)
        await peer.answer((await peer.request()).stream)
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            assert await drain(await web.send(get())) == b"ok"
            assert await drain(await web.send(get())) == b"ok"
            assert upstream.accepted == 1
            await web.close()

    run(main)


def test_goaway_amid_fifty_streams(run):
    """Some were seen, and their upstream closes before it has answered: those break off. The others
    lose nothing.
    """

    async def script(peer: Http2Peer) -> None:
        if peer.number > 1:
            await serve(peer)
            return
        await peer.begin()
        streams = [(await peer.request()).stream for _ in range(50)]
        await peer.answer(streams[0])
        await peer.send(GoAwayFrame(last_stream_id=streams[9], error_code=2))

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            results = await asyncio.gather(*(web.send(get()) for _ in range(50)), return_exceptions=True)
            failed = [result for result in results if isinstance(result, UpstreamError)]
            assert len(failed) == 9
            assert {error.progress for error in failed} == {Progress.SENT}
            assert web.failures == 9
            for result in results:
                if not isinstance(result, BaseException):
                    assert await drain(result) == b"ok"
            await web.close()

    run(main)


def test_every_second_stream_is_reset(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        for number in range(400):
            stream = (await peer.request()).stream
            if number % 2:
                await peer.send(RstStreamFrame(stream, error_code=2))
            else:
                await peer.answer(stream)
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            for number in range(400):
                if number % 2:
                    with pytest.raises(UpstreamError, match="INTERNAL_ERROR") as raised:
                        await web.send(get())
                    assert (raised.value.kind, raised.value.progress) == ("reset", Progress.SENT)
                else:
                    assert await drain(await web.send(get())) == b"ok"
            assert upstream.accepted == 1
            await web.close()

    run(main)


def test_no_settings_come():
    async def silent(peer: Peer) -> None:
        await peer.closed()

    async def main() -> None:
        async with Upstream(silent) as upstream:
            web = pool(upstream, timeouts=Timeouts(connect=MINUTES, response=100 * MINUTES))
            asked = asyncio.create_task(web.send(get()))
            await eventually(lambda: web.connects == 1)
            # The upstream is silent from when it is asked, which may be after the first leap.
            while not asked.done():
                await leap(2 * MINUTES)
            with pytest.raises(UpstreamTimeout, match="no SETTINGS"):
                await asked
            await web.close()

    run_leaping(main())


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP/1, not HTTP/2"),
        (raw(6, 0, 0, bytes(8)), "no SETTINGS before"),
        (raw(4, 1, 0), "no SETTINGS before"),
    ],
)
def test_something_else_comes_first(run, first, said):
    async def script(peer: Peer) -> None:
        await peer.some()
        await peer.send(first)
        await peer.closed()

    async def main():
        async with Upstream(script) as upstream:
            web = pool(upstream)
            with pytest.raises(UpstreamError, match=said):
                await web.send(get())
            await web.close()

    run(main)


def test_a_window_of_0_at_the_beginning(run):
    async def script(peer: Http2Peer) -> None:
        await peer.begin({SettingsFrame.INITIAL_WINDOW_SIZE: 0})
        stream = (await peer.request()).stream
        received = b""
        while len(received) < 3:
            await peer.send(WindowUpdateFrame(stream, window_increment=1))
            received += (await peer.next(DataFrame)).data
        assert received == b"abc"
        await peer.answer(stream)
        await peer.closed()

    async def main():
        async with Upstream(speaking(script)) as upstream:
            web = pool(upstream)
            assert await drain(await web.send(get(method=b"POST", body=Source(b"abc")))) == b"ok"
            await web.close()

    run(main)


def test_it_stops_reading_while_fifty_uploads_run(run):
    """They wait, others at another upstream do not, and all are given up together."""

    async def script(peer: Http2Peer) -> None:
        await peer.begin()
        for _ in range(50):
            await peer.request()
        stopped.set()
        peer.peer.pause()
        await asyncio.Event().wait()

    stopped = asyncio.Event()

    async def main():
        async with Upstream(speaking(script)) as upstream, Upstream(speaking(serve)) as other:
            web, well = pool(upstream), pool(other)
            sources = [Source(*[bytes(16384)] * 1000) for _ in range(50)]
            uploads = [asyncio.ensure_future(web.send(get(method=b"POST", body=source))) for source in sources]
            await stopped.wait()
            for _ in range(5):
                assert await drain(await well.send(get())) == b"ok"
            assert sum(source.given for source in sources) < 50 * 200_000
            for upload in uploads:
                upload.cancel()
            await asyncio.wait(uploads)
            assert web.waiting == 0
            await web.close()
            await well.close()

    run(main)


def tls(secure: Secure, *protocols: str) -> ssl.SSLContext:
    """A server's context that negotiates these."""
    secure.server.set_alpn_protocols(list(protocols))
    return secure.server


@pytest.mark.parametrize("protocols", [[], ["http/1.1"]])
def test_http2_was_demanded_and_something_else_negotiated(run, secure, protocols):
    async def main():
        async with Upstream(Peer.closed, tls=tls(secure, *protocols)) as upstream:
            web = Http2Pool(Target.parse(f"https://127.0.0.1:{upstream.port}"), ssl_context=secure.client)
            with pytest.raises(UpstreamError, match="does not speak HTTP/2: ALPN chose") as raised:
                await web.send(get())
            assert (raised.value.status, raised.value.kind) == (502, "tls")
            await eventually(lambda: web.open == 0)
            await web.close()

    run(main)


def test_http2_is_negotiated(run, secure):
    async def main():
        async with Upstream(speaking(serve), tls=tls(secure, "h2", "http/1.1")) as upstream:
            web = AutoPool(Target.parse(f"https://127.0.0.1:{upstream.port}"), ssl_context=secure.client)
            responses = await asyncio.gather(*(web.send(get()) for _ in range(20)))
            assert [await drain(response) for response in responses] == [b"ok"] * 20
            assert (upstream.accepted, web.open, web.connects) == (1, 1, 1)
            await web.close()

    run(main)


@pytest.mark.parametrize("protocols", [[], ["http/1.1"]])
def test_http1_is_negotiated(run, secure, protocols):
    """The connection that negotiated it serves."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def main():
        async with Upstream(script, tls=tls(secure, *protocols)) as upstream:
            web = AutoPool(Target.parse(f"https://127.0.0.1:{upstream.port}"), ssl_context=secure.client)
            for _ in range(3):
                assert await drain(await web.send(get())) == b"ok"
            assert (upstream.accepted, web.open, web.idle) == (1, 1, 1)
            responses = await asyncio.gather(*(web.send(get()) for _ in range(5)))
            assert [await drain(response) for response in responses] == [b"ok"] * 5
            await web.close()

    run(main)
