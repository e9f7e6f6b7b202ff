"""HTTP/1.1 messages through the gateway, whole ones: framing, connections, trailers, interim
responses.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.conftest import only_sentinel
from tests.support.clients import Wire, fetch
from tests.support.configurations import ONE_ORIGIN
from tests.support.gateways import ARTEFACTS, GatewayProcess
from tests.support.upstreams import Handler, Received, Upstream, answering

CONFIG = (
    ONE_ORIGIN
    + """
[guest.api-key-auth]
config = { keys = { key = "demo" } }

[[route]]
path = "/"
upstream = "origin"

[[route]]
path = "/trailers"
upstream = "origin"
trailers = ["x-checksum"]

[[route]]
path = "/keys"
upstream = "origin"
chain = ["api-key-auth"]
"""
)
GUESTS = {"api-key-auth": ARTEFACTS / "rust" / "api-key-auth.wasm"}


def test_head_has_the_length_and_no_body(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    with Wire(shared_gateway.public) as client:
        for _ in range(2):
            client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = client.answer("HEAD")
            assert (answer.status, answer.header("content-length")) == (200, "5")
    assert [received.method for received in origin.requests] == ["HEAD", "HEAD"]


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(shared_gateway: GatewayProcess, origin: Upstream, status: int) -> None:
    origin.handler = answering(b"HTTP/1.1 %d X\r\netag: x\r\n\r\n" % status)
    with Wire(shared_gateway.public) as client:
        for _ in range(2):
            client.get()
            answer = client.answer()
            assert (answer.status, answer.header("etag")) == (status, "x")
            assert answer.header("transfer-encoding") is None


@pytest.mark.parametrize("status", [201, 206, 301, 404, 429, 500, 503, 599])
def test_statuses_pass_as_they_are(shared_gateway: GatewayProcess, origin: Upstream, status: int) -> None:
    origin.handler = answering(b"HTTP/1.1 %d X\r\ncontent-length: 2\r\nretry-after: 1\r\n\r\nok" % status)
    answer = fetch(shared_gateway.public)
    assert (answer.status, answer.body, answer.header("retry-after")) == (status, b"ok", "1")


def test_chunked_both_ways(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    async def echo(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for byte in received.body:
            writer.write(b"1;x=y\r\n%c\r\n" % byte)
        writer.write(b"0\r\n\r\n")

    origin.handler = echo
    with Wire(shared_gateway.public) as client:
        for _ in range(2):
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            client.send(b"3;ext=1\r\nabc\r\n02\r\nde\r\n0\r\n\r\n")
            assert client.answer().body == b"abcde"
    assert [received.body for received in origin.requests] == [b"abcde", b"abcde"]


def test_an_empty_post_says_so(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    fetch(shared_gateway.public, method="POST", body=b"")
    assert origin.requests[0].values("content-length") == ["0"]


def test_one_connection_serves_many_requests(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    fetch(shared_gateway.public)
    before = origin.connections
    with Wire(shared_gateway.public) as client:
        for number in range(20):
            client.get(f"/{number}")
            assert client.answer().body == b"hello"
    assert [received.target for received in origin.requests[1:]] == [f"/{number}" for number in range(20)]
    assert origin.connections - before <= 1


def test_pipelined_requests_are_answered_in_order(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    async def echo(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = received.target.encode() + received.body
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    origin.handler = echo
    with Wire(shared_gateway.public) as client:
        client.send(
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
            b"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
            b"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"
            b"GET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        assert [client.answer().body for _ in range(4)] == [b"/1", b"/2ab", b"/3c", b"/4"]
        assert client.rest() == b""


def test_a_client_of_http_1_0(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    with Wire(shared_gateway.public) as client:
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        answer = client.answer()
    assert (answer.status, answer.body, answer.header("transfer-encoding")) == (200, b"hello", None)
    assert origin.requests[0].line == "GET / HTTP/1.1"
    assert origin.requests[0].values("via") == ["1.0 sentinel"]


def test_an_upstream_of_http_1_0(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = answering(b"HTTP/1.0 200 OK\r\nx: y\r\n\r\nuntil the end", then_close=True)
    with Wire(shared_gateway.public) as client:
        for _ in range(2):
            client.get()
            assert client.answer().body == b"until the end"


@only_sentinel
@pytest.mark.parametrize("split", [False, True], ids=["whole", "late"])
def test_trailers_pass_where_the_route_names_them(
    shared_gateway: GatewayProcess, origin: Upstream, split: bool
) -> None:
    """A response that arrived whole, in one read, used to lose its trailers; one that came in
    pieces kept them.
    """
    origin.handler = with_trailers(split)
    for path, trailers in (("/", []), ("/trailers", ["x-checksum"])):
        with Wire(shared_gateway.public) as client:
            client.send(b"POST %b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" % path.encode())
            client.send(b"2\r\nhi\r\n0\r\nX-Checksum: 1\r\nX-Other: 1\r\nContent-Length: 1\r\n\r\n")
            answer = client.answer()
        assert (answer.body, [name for name, _ in answer.trailers]) == (b"ok", trailers)
        received = origin.requests[-1]
        assert (received.body, [name for name, _ in received.trailers]) == (b"hi", trailers)


@pytest.mark.parametrize("split", [False, True], ids=["whole", "late"])
def test_trailers_are_left_out_where_the_server_cannot_send_them(
    shared_gateway: GatewayProcess, origin: Upstream, split: bool
) -> None:
    """Hypercorn offers response trailers on HTTP/2 only; on HTTP/1.1 it took the message for an
    error.
    """
    origin.handler = with_trailers(split)
    with Wire(shared_gateway.public) as client:
        for _ in range(2):
            client.get("/trailers")
            assert client.answer().body == b"ok"


def with_trailers(split: bool) -> Handler:
    """A response with trailers, in one piece or with a pause before the last chunk."""

    async def handler(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
        if split:
            await writer.drain()
            await asyncio.sleep(0.1)
        writer.write(b"0\r\nx-checksum: 2\r\nx-other: 2\r\n\r\n")

    return handler


@only_sentinel
def test_interim_responses_pass(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = answering(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\nconnection: x\r\nx: 1\r\n\r\n"
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
    )
    with Wire(shared_gateway.public) as client:
        client.get()
        early = client.head()
        assert (early.status, early.headers) == (103, [("link", "</a.css>")])
        assert client.answer().body == b"hello"
        client.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        assert client.head().status == 200


@only_sentinel
def test_more_interim_responses_than_nine_pass(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    """The ninth was a 502, although a server may tell of its progress as often as it likes."""
    hint = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n"
    origin.handler = answering(hint * 40 + b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
    with Wire(shared_gateway.public) as client:
        client.get()
        assert [client.head().status for _ in range(40)] == [103] * 40
        assert client.answer().body == b"hello"


@only_sentinel
def test_a_response_with_padded_chunk_sizes_passes_and_a_request_with_them_does_not(
    shared_gateway: GatewayProcess, origin: Upstream
) -> None:
    """The response broke off, where other clients read it."""
    origin.handler = answering(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5  \r\nhello\r\n6\t \r\n again\r\n0   \r\n\r\n"
    )
    assert fetch(shared_gateway.public, "/").body == b"hello again"
    upload = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5  \r\nhello\r\n0\r\n\r\n"
    with Wire(shared_gateway.public) as client:
        client.send(upload)
        assert client.answer().status == 400


@only_sentinel
def test_a_body_is_asked_for_once_the_chain_wants_it(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    upload = "POST /keys HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
    with Wire(shared_gateway.public) as client:
        client.send(f"{upload}\r\n".encode())
        assert client.head().status == 401
    assert origin.requests == []
    with Wire(shared_gateway.public) as client:
        client.send(f"{upload}X-Api-Key: key\r\n\r\n".encode())
        assert client.head().status == 100
        client.send(b"12345")
        assert client.answer().status == 200
    assert origin.requests[0].body == b"12345"
    assert origin.requests[0].values("expect") == []


@only_sentinel
def test_a_client_that_does_not_wait_for_100_gets_none(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    with Wire(shared_gateway.public) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n12345")
        assert client.head().status == 200


@only_sentinel
def test_a_client_that_has_said_everything_is_still_answered(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    with Wire(shared_gateway.public) as client:
        client.get()
        client.finish_sending()
        assert client.answer().body == b"hello"
        assert client.rest() == b""


@pytest.mark.parametrize("version", ["1.2", "1.9"])
def test_higher_minor_versions_of_http_are_answered_as_1_1(
    shared_gateway: GatewayProcess, origin: Upstream, version: str
) -> None:
    """RFC 9110 section 2.5. Behind a stock server they were 505."""
    with Wire(shared_gateway.public) as client:
        client.send(f"GET / HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        assert client.answer().status == 200
    assert origin.requests[0].line == "GET / HTTP/1.1"
    assert origin.requests[0].values("via") == ["1.1 sentinel"]


@pytest.mark.parametrize("version", ["0.9", "2.0", "3.1"])
def test_other_versions_of_http_reach_no_upstream(
    shared_gateway: GatewayProcess, origin: Upstream, version: str
) -> None:
    """A stock server hands over whatever version the request line says: it ended in an exception,
    answered 500.
    """
    with Wire(shared_gateway.public) as client:
        client.send(f"GET / HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        assert client.head().status in (400, 505)
    assert origin.requests == []
