"""The gateway behind HTTP/2: rules of trust, upstreams that fail, clients that leave."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hyperframe.frame import ContinuationFrame, HeadersFrame, PingFrame, RstStreamFrame

from tests.http2.peer import Fields, Peer, data, request
from tests.support import guests
from tests.support.clocks import PATIENCE
from tests.support.fixtures import origin as origin
from tests.support.fixtures import shared_upstream as shared_upstream
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Received, Upstream, answering

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[upstream]]
name = "impatient"
targets = ["UPSTREAM"]
response_timeout = "500ms"

[[upstream]]
name = "nobody"
targets = ["http://127.0.0.1:1"]

[[route]]
path = "/"
upstream = "origin"

[[route]]
path = "/impatient"
upstream = "impatient"

[[route]]
path = "/trailers"
upstream = "origin"
trailers = ["x-checksum"]

[[route]]
path = "/limited"
upstream = "origin"
limit = { requests = 2, window = "10m" }

[[route]]
path = "/nobody"
upstream = "nobody"

[[route]]
path = "/injecting"
upstream = "origin"
chain = ["injecting"]

[[route]]
path = "/framing"
upstream = "origin"
chain = ["framing"]
"""
GUESTS = {
    "injecting": guests.answering(guests.respond(200, [("x-a", b"1\r\nx-b: 2")])),
    "framing": guests.answering(guests.respond(200, [("transfer-encoding", b"chunked")])),
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream) -> Iterator[GatewayProcess]:
    config = CONFIG.replace("UPSTREAM", shared_upstream.url)
    with sentinel_run(write_config(tmp_path_factory.mktemp("gateway"), config, GUESTS)) as running:
        yield running


@pytest.fixture
def peer(gateway: GatewayProcess) -> Iterator[Peer]:
    with Peer(socket.create_connection(gateway.public, PATIENCE)) as connected:
        yield connected
        # Whatever the test did, the connection lives.
        connected.ping()
        assert not connected.goaways


def test_a_request_arrives_as_http1(peer: Peer, origin: Upstream) -> None:
    fields = ((b"cookie", b"a=1"), (b"te", b"trailers"), (b"cookie", b"b=2"), (b"x-principal", b"root"))
    got = peer.get(1, b"/x?y", *fields)
    assert (got.status, got.body) == (200, b"hello")
    (received,) = origin.requests
    assert received.line == "GET /x?y HTTP/1.1"
    assert received.values("cookie") == ["a=1; b=2"]
    assert received.values("te") == received.values("x-principal") == []
    assert received.values("x-forwarded-host") == ["a.example"]
    assert received.values("via") == ["2 sentinel"]


@pytest.mark.parametrize("size", [1, 300])
def test_a_cookie_in_crumbs_is_one_field(peer: Peer, origin: Upstream, size: int) -> None:
    """Each of 101 crumbs was counted and weighed as a field of its own, and answered 431, though
    the same cookie passes on HTTP/1.1, where it is in one piece (RFC 9113 section 8.2.3).
    """
    crumbs = [b"%d=%b" % (number, b"x" * size) for number in range(30_000 // (size + 8))]
    fields = [(b"cookie", crumb) for crumb in crumbs]
    peer.send(*peer.pieces(1, request(b"GET", b"/", (b"x-a", b"1"), *fields, (b"x-b", b"2")), 5))
    assert peer.answer(1).status == 200
    (received,) = origin.requests
    assert received.values("cookie") == [b"; ".join(crumbs).decode()]
    assert (received.values("x-a"), received.values("x-b")) == (["1"], ["2"])
    # With what goes on as one field of more than the head's bytes, as on HTTP/1.1.
    peer.send(*peer.pieces(3, request(b"GET", b"/", *fields, (b"x-large", b"y" * 9000)), 5))
    assert peer.answer(3).status == 431
    assert peer.get(5, b"/", (b"cookie", b"a=1"), *((b"x", b"1") for _ in range(99))).status == 200
    assert peer.get(7, b"/", (b"cookie", b"a=1"), *((b"x", b"1") for _ in range(100))).status == 431


def test_crumbs_of_nothing_are_bounded(peer: Peer, origin: Upstream) -> None:
    """A crumb may take one byte of its frame, and takes two of the head's limit: more than fit it
    are refused.
    """
    empty = b"\xa0"  # HPACK's static entry 32
    head = peer.encoder.encode(request())
    for stream, count, status in ((1, 16_000, 200), (3, 17_000, 431)):
        block = head + empty * count
        peer.send(HeadersFrame(stream, block[:16_000], flags=["END_STREAM"]))
        peer.send(ContinuationFrame(stream, block[16_000:], flags=["END_HEADERS"]))
        assert peer.answer(stream).status == status
    assert [received.values("cookie") for received in origin.requests] == [[""]]


def test_what_a_target_says_goes_on(peer: Peer, origin: Upstream) -> None:
    """An empty query was dropped (RFC 3986 section 6.2.3), an empty port refused (section
    3.2.3).
    """
    for stream, path in ((1, b"/p?"), (3, b"/p"), (5, b"/?"), (7, b"/p?a")):
        assert peer.get(stream, path).status == 200
    authority = (b":authority", b"a.example:")
    peer.send(peer.headers(9, [*request()[:3], authority, (b"host", b"A.example")], end=True))
    assert peer.answer(9).status == 200
    peer.send(peer.headers(11, [*request(b"CONNECT", b"/p?"), (b":protocol", b"websocket")]))
    assert peer.answer(11).status == 200
    assert [received.target for received in origin.requests] == ["/p?", "/p", "/?", "/p?a", "/", "/p?"]
    assert origin.requests[4].values("x-forwarded-host") == ["a.example"]


def test_another_scheme_is_misdirected(peer: Peer, origin: Upstream) -> None:
    """``:scheme: https`` on a connection in the clear was served as http (RFC 9110 section 7.4)."""
    peer.send(peer.headers(1, [(b":scheme", b"https"), *request()[:1], *request()[2:]], end=True))
    assert peer.answer(1).status == 421
    assert origin.requests == []


def test_te_goes_on_where_trailers_do(peer: Peer, origin: Upstream) -> None:
    for stream, path in ((1, b"/"), (3, b"/trailers")):
        peer.get(stream, path, (b"te", b"trailers"))
    peer.get(5, b"/trailers")
    told = [(received.values("te"), received.values("connection")) for received in origin.requests]
    assert told == [([], []), (["trailers"], ["te"]), ([], [])]


def test_a_limit_answers_429(peer: Peer, origin: Upstream) -> None:
    """Its status is a member of an enumeration, which was taken for no status at all: 500."""
    assert [peer.get(number, b"/limited").status for number in (1, 3, 5)] == [200, 200, 429]


def test_bodies_without_a_length_go_on_chunked(peer: Peer, origin: Upstream) -> None:
    peer.send(peer.headers(1, request(b"POST")), data(1, b"first "))
    peer.ping()
    peer.send(data(1, b"second", end=True))
    assert peer.answer(1).status == 200
    assert origin.requests[0].body == b"first second"
    assert origin.requests[0].values("content-length") == []


@pytest.mark.parametrize("path", [b"/injecting", b"/framing"])
def test_what_a_guest_may_not_say_is_not_said(peer: Peer, origin: Upstream, path: bytes) -> None:
    got = peer.get(1, path)
    assert (got.status, set(got.heads[0]) & {b"x-a", b"x-b", b"transfer-encoding"}) == (503, set())


@pytest.mark.parametrize(
    "fields",
    [
        request(b"GET", b"/a/..%2fb"),
        request(b"GET", b"/a%00"),
        request(b"GET", b"//a"),
        request(b"GET", b"/", (b"host", b"b.example")),
        [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"user@a.example")],
    ],
)
def test_what_is_refused_never_reaches_the_upstream(peer: Peer, origin: Upstream, fields: Fields) -> None:
    peer.send(peer.headers(1, fields, end=True))
    assert peer.answer(1).status == 400
    assert origin.requests == []


def test_an_upstream_that_refuses_or_is_silent(peer: Peer, origin: Upstream) -> None:
    assert peer.get(1, b"/nobody").status == 502

    async def silent(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    origin.handler = silent
    assert peer.get(3, b"/impatient").status == 504


@pytest.mark.parametrize(
    "head", [b"content-length: 100\r\n\r\npart", b"transfer-encoding: chunked\r\n\r\n4\r\npart\r\n"]
)
def test_an_upstream_that_breaks_off_resets_the_stream_at_once(peer: Peer, origin: Upstream, head: bytes) -> None:
    """An abort sent no RST_STREAM at all: the client could not tell a part from the whole, or
    waited for ever.
    """

    async def handler(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)
        await writer.drain()
        assert await asyncio.to_thread(has_come.wait, PATIENCE)
        writer.close()

    has_come = threading.Event()
    origin.handler = handler
    peer.send(peer.headers(1, request(), end=True))
    peer.until(lambda: peer.of(1).body == b"part")
    has_come.set()
    got = peer.answer(1)
    assert (got.status, got.body, got.ended, got.reset) == (200, b"part", False, 2)


def test_clients_that_leave_cancel_their_upstreams(peer: Peer, origin: Upstream, gateway: GatewayProcess) -> None:
    ended = threading.Semaphore(0)

    async def hold(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")
        await writer.drain()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        ended.release()

    origin.handler = hold
    for number in range(1, 101, 2):
        peer.send(peer.headers(number, request(), end=True))
        peer.until(lambda number=number: peer.of(number).body == b"part")
        peer.send(RstStreamFrame(number, 8))
        assert ended.acquire(timeout=PATIENCE)


def test_answers_to_large_uploads_before_their_end(peer: Peer, origin: Upstream) -> None:
    origin.read_bodies = False
    origin.handler = answering(
        b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno", then_close=True
    )
    peer.send(peer.headers(1, request(b"POST")), data(1, b"x" * 16384), data(1, b"x" * 16384))
    got = peer.answer(1)
    assert (got.status, got.body) == (413, b"no")
    peer.until(lambda: peer.of(1).reset == 0)
    origin.reset()
    peer.send(data(1, b"x" * 16384, end=True))
    assert peer.get(3).body == b"hello"


def test_an_event_stream_arrives_event_by_event(peer: Peer, origin: Upstream) -> None:
    go = threading.Semaphore(0)

    async def events(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(3):
            await writer.drain()
            await asyncio.get_running_loop().run_in_executor(None, go.acquire, True, PATIENCE)
            writer.write(b"9\r\ndata: x\n\n\r\n")
        writer.write(b"0\r\n\r\n")

    origin.handler = events
    peer.send(peer.headers(1, request(), end=True))
    peer.until(lambda: peer.of(1).status == 200)
    for count in (1, 2, 3):
        go.release()
        peer.until(lambda count=count: peer.of(1).body == b"data: x\n\n" * count)
    assert peer.answer(1).ended


def test_how_many_frames_may_carry_nothing_is_configured(origin: Upstream, tmp_path: Path) -> None:
    config = CONFIG.replace("UPSTREAM", origin.url) + "[server.limits]\nidle_frames = 20\nidle_frames_per_second = 1"
    with (
        sentinel_run(write_config(tmp_path, config, GUESTS)) as gateway,
        Peer(socket.create_connection(gateway.public, PATIENCE)) as peer,
    ):
        assert peer.get(1).status == 200
        with contextlib.suppress(OSError):
            for _ in range(100):
                peer.send(PingFrame(0, b"x" * 8))
        peer.read_to_end()
        assert [frame.error_code for frame in peer.goaways] == [11]
        assert peer.pongs <= 30
