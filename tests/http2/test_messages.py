"""Requests and responses over HTTP/2: heads, bodies, trailers, interim responses, and several at
once.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hyperframe.frame import HeadersFrame, SettingsFrame

from sentinel_host.http.server import ServerLimits
from tests.http1.harness import answer, echo, http_app, read_body, run_worker
from tests.http2.peer import Fields, Peer, bodies, data, request


@http_app
async def describe(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers with what the scope says."""
    names = ("http_version", "method", "scheme", "path", "raw_path", "query_string", "headers")
    for message in answer(repr({name: scope[name] for name in names}).encode()):
        await send(message)


def test_a_request_becomes_an_asgi_scope() -> None:
    with run_worker(describe) as worker, Peer(worker.connect()) as peer:
        got = peer.get(1, b"/a%2Fb%20c?q=1&r", (b"x-thing", b"1"), (b"cookie", b"a=1"), (b"cookie", b"b=2"))
        assert got.status == 200
        assert b"date" in got.heads[0]
        assert eval(got.body) == {
            "http_version": "2",
            "method": "GET",
            "scheme": "http",
            "path": "/a/b c",
            "raw_path": b"/a%2Fb%20c",
            "query_string": b"q=1&r",
            "headers": [(b"host", b"a.example"), (b"x-thing", b"1"), (b"cookie", b"a=1; b=2")],
        }


def test_host_stands_in_for_authority() -> None:
    with run_worker(describe) as worker, Peer(worker.connect()) as peer:
        fields: Fields = [
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":path", b"/"),
            (b"x", b"1"),
            (b"host", b"b:80"),
        ]
        peer.send(peer.headers(1, fields, end=True))
        assert eval(peer.answer(1).body)["headers"] == [(b"host", b"b:80"), (b"x", b"1")]


@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 1_000_000])
def test_bodies_of_any_size_go_both_ways(size: int) -> None:
    payload = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with run_worker(echo) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST", b"/", (b"content-length", b"%d" % size)), end=not size))
        sent = 0
        for frame in bodies(1, payload):
            sent += len(frame.data)
            peer.until(lambda wanted=sent: 65536 + peer.credit.get(1, 0) >= wanted)
            peer.send(frame)
        got = peer.answer(1)
        assert got.body == b"POST / " + payload
        assert got.heads[0][b"content-length"] == b"%d" % (size + 7)
        assert peer.get(3).body == b"GET / "


def test_a_head_request_and_an_empty_answer_have_no_body() -> None:
    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/204":
            await send({"type": "http.response.start", "status": 204, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        for message in answer(b"body"):
            await send(message)

    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"HEAD"), end=True))
        got = peer.answer(1)
        assert (got.status, got.heads[0][b"content-length"], got.body) == (200, b"4", b"")
        got = peer.get(3, b"/204")
        assert (got.status, got.body, b"content-length" in got.heads[0]) == (204, b"", False)


def test_trailers_both_ways() -> None:
    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if not message["more_body"]:
                break
        headers = [(b"connection", b"close"), (b"X-Upper", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": True})
        await send({"type": "http.response.body", "body": b"hello"})
        await send({"type": "http.response.trailers", "headers": message["trailers"]})

    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST")), data(1, b"body"), peer.headers(1, [(b"x-sum", b"42")], end=True))
        got = peer.answer(1)
        assert got.body == b"hello"
        assert (got.heads[0][b"x-upper"], b"connection" in got.heads[0]) == (b"1", False)
        assert got.heads[1] == {b"x-sum": b"42"}


def test_interim_responses() -> None:
    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        hint = [(b"link", b"</style.css>")]
        await send({"type": "http.response.informational", "status": 103, "headers": hint})
        body = await read_body(receive)
        for message in answer(body):
            await send(message)

    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST", b"/", (b"expect", b"100-continue"))))
        peer.until(lambda: len(peer.of(1).heads) == 2)
        assert [head[b":status"] for head in peer.of(1).heads] == [b"103", b"100"]
        assert peer.of(1).heads[0][b"link"] == b"</style.css>"
        peer.send(data(1, b"body", end=True))
        assert peer.answer(1).body == b"body"


def test_answers_come_in_the_order_in_which_they_are_ready() -> None:
    first_may_end = asyncio.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/first":
            await first_may_end.wait()
        else:
            first_may_end.set()
        for message in answer(scope["raw_path"]):
            await send(message)

    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        head = peer.headers(1, request(b"GET", b"/first"), end=True)
        peer.send(head, peer.headers(3, request(b"GET", b"/second"), end=True))
        assert peer.answer(1).body == b"/first"
        assert peer.of(3).body == b"/second"
        assert worker.connections.requests == 2


def test_a_head_in_single_bytes_with_padding_and_priority() -> None:
    with run_worker(echo) as worker, Peer(worker.connect()) as peer:
        frame = HeadersFrame(
            1, peer.encoder.encode(request()), flags=["END_HEADERS", "END_STREAM", "PADDED", "PRIORITY"]
        )
        frame.pad_length = 7
        for byte in frame.serialize():
            peer.send(bytes((byte,)))
        assert peer.answer(1).body == b"GET / "


def test_a_large_response_head_needs_continuations() -> None:
    """RFC 9113 section 6.10: our own heads beyond the peer's frame size go out in pieces."""

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-large", b"v" * 40000)]})
        await send({"type": "http.response.body", "body": b""})

    with run_worker(app) as worker, worker.connect() as sock:
        import h2.config
        import h2.connection
        import h2.events

        client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        client.initiate_connection()
        client.send_headers(1, request(), end_stream=True)
        sock.sendall(client.data_to_send())
        events: list[Any] = []
        while not any(isinstance(event, h2.events.StreamEnded) for event in events):
            events += client.receive_data(sock.recv(65536))
        got = next(event for event in events if isinstance(event, h2.events.ResponseReceived))
        assert dict(got.headers)[b"x-large"] == b"v" * 40000


def test_settings_say_the_limits() -> None:
    with (
        run_worker(echo, ServerLimits(head_bytes=5000, streams_per_connection=7)) as worker,
        Peer(worker.connect()) as peer,
    ):
        peer.get(1)
        assert peer.settings[SettingsFrame.MAX_CONCURRENT_STREAMS] == 7
        assert peer.settings[SettingsFrame.MAX_HEADER_LIST_SIZE] == 5000
        assert peer.settings[SettingsFrame.ENABLE_CONNECT_PROTOCOL] == 1
