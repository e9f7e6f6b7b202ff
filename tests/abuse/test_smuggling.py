"""What two HTTP readers could read differently reaches no upstream, in any form."""

from __future__ import annotations

import pytest

from tests.support.clients import Wire, exchange
from tests.support.gateways import GatewayProcess
from tests.support.upstreams import Upstream
from tests.unit.http.h1.test_refusals import CHUNKS, GET, HEADS, POST

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[server.limits]
body_bytes = "1000B"

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"
"""
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

# Refused by what they mean, after the bytes were found to be in order.
MEANINGS = {
    "host with userinfo": (b"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400),
    "host with a path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "host with a space": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "host with a comma": (b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400),
    "empty host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "host with a long port": (b"GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", 400),
    "absolute form of another host": (b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "absolute form with userinfo": (b"GET http://a@b/ HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "absolute form of another scheme": (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "authority form": (b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "asterisk without OPTIONS": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "TRACE": (b"TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405),
}


@pytest.mark.parametrize(("raw", "status"), (HEADS | MEANINGS).values(), ids=(HEADS | MEANINGS).keys())
def test_an_ambiguous_head_reaches_no_upstream(
    gateway: GatewayProcess, origin: Upstream, raw: bytes, status: int
) -> None:
    reply = exchange(gateway.public, raw + SMUGGLED)
    assert reply.startswith(b"HTTP/1.1 %d " % status)
    assert reply.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in reply
    assert origin.requests == []


@pytest.mark.parametrize("raw", CHUNKS.values(), ids=CHUNKS.keys())
def test_a_body_with_two_readings_ends_everything(gateway: GatewayProcess, origin: Upstream, raw: bytes) -> None:
    reply = exchange(gateway.public, POST + b"Transfer-Encoding: chunked\r\n\r\n" + raw + SMUGGLED)
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert reply.count(b"HTTP/1.1 ") == 1
    assert all(received.target == "/" and received.body != b"hello" for received in origin.requests)


BODIES = [
    b"0\r\n\r\n" + SMUGGLED,
    SMUGGLED,
    b"\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"\x00\r\n\n\r",
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("framing", ["length", "one chunk", "chunks of one byte"])
def test_a_body_that_looks_like_messages_stays_a_body(
    gateway: GatewayProcess, origin: Upstream, body: bytes, framing: str
) -> None:
    if framing == "length":
        raw = POST + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    else:
        size = len(body) if framing == "one chunk" else 1
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        raw = POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    with Wire(gateway.public) as client:
        client.send(raw + GET + b"\r\n")
        assert [client.answer().status, client.answer().status] == [200, 200]
    assert [(received.method, received.target, received.body) for received in origin.requests] == [
        ("POST", "/", body),
        ("GET", "/", b""),
    ]


def test_connection_cannot_take_the_framing_away(gateway: GatewayProcess, origin: Upstream) -> None:
    with Wire(gateway.public) as client:
        client.send(POST + b"Connection: content-length, host, transfer-encoding\r\nContent-Length: 5\r\n\r\nhello")
        assert client.answer().status == 200
    (received,) = origin.requests
    assert (received.body, received.values("host")) == (b"hello", [f"127.0.0.1:{origin.port}"])


LARGE = {
    "60 KiB of fields": (GET + (b"x: " + b"y" * 1000 + b"\r\n") * 60 + b"\r\n", 431),
    "101 fields": (GET + b"".join(b"x-%d: 1\r\n" % number for number in range(100)) + b"\r\n", 431),
    "a long target": (b"GET /" + b"y" * 60_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
}


@pytest.mark.parametrize(("raw", "status"), LARGE.values(), ids=LARGE.keys())
@pytest.mark.parametrize("writes", [1, 2, 100])
def test_a_large_head_gets_the_same_answer_however_it_is_cut(
    gateway: GatewayProcess, origin: Upstream, raw: bytes, status: int, writes: int
) -> None:
    size = -(-len(raw) // writes)
    with Wire(gateway.public) as client:
        try:
            for start in range(0, len(raw), size):
                client.send(raw[start : start + size])
        except ConnectionError:
            # The answer is there already, and is read below.
            pass
        assert client.rest().startswith(b"HTTP/1.1 %d " % status)
    assert origin.requests == []
