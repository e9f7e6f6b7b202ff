"""Upstreams that refuse, are silent, break off, or say what nobody asked for."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator

import pytest

from tests.support.certificates import self_signed
from tests.support.clients import Wire, exchange, fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Received, Upstream, answering, black_hole, running_upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]
ca = "AUTHORITY"

[[upstream]]
name = "impatient"
targets = ["UPSTREAM"]
ca = "AUTHORITY"
response_timeout = "1s"
idle_timeout = "1s"

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
path = "/nobody"
upstream = "nobody"
"""

# Where the upstream speaks TLS, one round of this settles 6 to 8 MB above the first answer. Repeated,
# it came to 12 MB after 40 rounds, and to no more after 170.
IN_FLIGHT = 8 << 20


@pytest.fixture(scope="module", params=["plain", "TLS"])
def shared_upstream(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    """What an upstream does to us, it may do over TLS."""
    certificate, key = self_signed(tmp_path_factory.mktemp("certificate"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with running_upstream(context if request.param == "TLS" else None, ca=certificate) as running:
        yield running


OK = b"HTTP/1.1 200 OK\r\n"
NOT_HTTP = {
    "nothing": b"",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00" * 20,
    "a body alone": b"hello\r\n\r\n",
    "HTTP/2": b"HTTP/2 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.10": b"HTTP/1.10 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.x": b"HTTP/1.x 200 OK\r\ncontent-length: 0\r\n\r\n",
    "ICY": b"ICY 200 OK\r\ncontent-length: 0\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n",
    "status of letters": b"HTTP/1.1 abc OK\r\ncontent-length: 0\r\n\r\n",
    "status 000": b"HTTP/1.1 000 OK\r\ncontent-length: 0\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\ncontent-length: 0\r\n\r\n",
    "101 for nothing": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "70 KB of interim responses": b"HTTP/1.1 102 Processing\r\n\r\n" * 2800 + OK + b"content-length: 0\r\n\r\n",
    "carriage return in a value": OK + b"x: a\rb\r\ncontent-length: 0\r\n\r\n",
    "NUL in a value": OK + b"x: a\x00b\r\ncontent-length: 0\r\n\r\n",
    "control in a value": OK + b"x: a\x01b\r\ncontent-length: 0\r\n\r\n",
    "DEL in a value": OK + b"x: a\x7fb\r\ncontent-length: 0\r\n\r\n",
    "a space in a name": OK + b"x y: a\r\ncontent-length: 0\r\n\r\n",
    "a space before the colon": OK + b"x : a\r\ncontent-length: 0\r\n\r\n",
    "a name of other letters": OK + b"x\xe9: a\r\ncontent-length: 0\r\n\r\n",
    "no name": OK + b": a\r\ncontent-length: 0\r\n\r\n",
    "no colon": OK + b"nothing\r\ncontent-length: 0\r\n\r\n",
    "a folded field": OK + b"x: a\r\n b\r\ncontent-length: 0\r\n\r\n",
    "a head of 1 MiB": OK + b"x: " + b"y" * (1 << 20) + b"\r\n\r\n",
    "a thousand fields": OK + b"x: y\r\n" * 1000 + b"content-length: 0\r\n\r\n",
    "two lengths": OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "a list of lengths": OK + b"content-length: 1, 1\r\n\r\na",
    "a negative length": OK + b"content-length: -1\r\n\r\n",
    "a length of 19 digits": OK + b"content-length: 9999999999999999999\r\n\r\n",
    "a length of 5,000 digits": OK + b"content-length: " + b"9" * 5000 + b"\r\n\r\n",
    "length and chunked": OK + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "gzip as a coding": OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
}


@pytest.mark.parametrize("raw", NOT_HTTP.values(), ids=NOT_HTTP.keys())
def test_an_upstream_that_does_not_speak_http_is_502(gateway: GatewayProcess, origin: Upstream, raw: bytes) -> None:
    origin.handler = answering(raw, then_close=True)
    reply = exchange(gateway.public, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    final = reply[reply.rindex(b"HTTP/1.1 ") :]
    assert final.startswith(b"HTTP/1.1 502 ")
    assert b"\r\nx-request-id: " in final


ODD = {
    "an odd reason": b"HTTP/1.1 200 \xc3\xa9\t!\r\ncontent-length: 2\r\n\r\nok",
    "no reason": b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok",
    "a name in capitals": OK + b"CONTENT-LENGTH: 2\r\n\r\nok",
    "obs-text in a value": OK + b"x: \xff\xfe\r\ncontent-length: 2\r\n\r\nok",
    "several dates": OK + b"date: a\r\ndate: b\r\ncontent-length: 2\r\n\r\nok",
    "its own request id": OK + b"x-request-id: its own\r\ncontent-length: 2\r\n\r\nok",
    "connection names the length": OK + b"connection: content-length\r\ncontent-length: 2\r\n\r\nok",
    "leading zeros": OK + b"content-length: 00000002\r\n\r\nok",
}


@pytest.mark.parametrize("raw", ODD.values(), ids=ODD.keys())
def test_what_is_merely_odd_passes(gateway: GatewayProcess, origin: Upstream, raw: bytes) -> None:
    origin.handler = answering(raw)
    answer = fetch(gateway.public)
    assert (answer.status, answer.body) == (200, b"ok")
    assert len(answer.values("x-request-id")) == 1


@pytest.mark.parametrize(
    "extra",
    [
        OK + b"content-length: 6\r\n\r\nstolen",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"x",
        b"\r\n",
    ],
)
@pytest.mark.parametrize("late", [False, True], ids=["in one write", "on the idle connection"])
def test_unsolicited_bytes_are_dropped(gateway: GatewayProcess, origin: Upstream, extra: bytes, late: bool) -> None:
    pushed = threading.Event()

    async def handler(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"content-length: 5\r\n\r\nhello")
        if received.target == "/first":
            if late:
                await writer.drain()
                await asyncio.sleep(0.05)
            writer.write(extra)
            await writer.drain()
            pushed.set()

    origin.handler = handler
    with Wire(gateway.public) as client, Wire(gateway.public) as other:
        client.get("/first")
        assert client.answer().body == b"hello"
        assert pushed.wait(PATIENCE)
        for number in range(5):
            for connection in (client, other):
                connection.get(f"/{number}")
                assert connection.answer().body == b"hello"


def test_a_body_after_the_response_to_head_is_dropped(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = answering(OK + b"content-length: 5\r\n\r\nhello")
    with Wire(gateway.public) as client:
        client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.answer("HEAD").status == 200
        client.get()
        assert client.answer().body == b"hello"


def test_a_refused_connection_is_a_502(gateway: GatewayProcess) -> None:
    failures = 'sentinel_upstream_failures_total{kind="connect",target="http://127.0.0.1:1",upstream="nobody"}'
    before = gateway.metric(failures)
    answer = fetch(gateway.public, "/nobody")
    assert (answer.status, answer.json()) == (502, {"error": "Bad Gateway"})
    assert answer.header("x-request-id")
    assert "127.0.0.1:1" not in str(answer)
    gateway.wait_for_metric(failures, before + 1)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_silence_is_a_504_when_the_time_is_up(
    gateway: GatewayProcess, origin: Upstream, said: bytes, method: str
) -> None:
    origin.handler = answering(said)
    reply = exchange(
        gateway.public,
        f"{method} /impatient HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode(),
    )
    final = reply[reply.rindex(b"HTTP/1.1 ") :]
    assert final.startswith(b"HTTP/1.1 504 ")
    assert b"\r\nx-request-id: " in final
    assert len(origin.requests) == 1


@pytest.mark.parametrize("drop", [b"H", b"HTTP/1.1 103 Early Hints\r\n\r\n"], ids=["bytes", "interim responses"])
def test_a_head_in_drops_is_a_504_too(gateway: GatewayProcess, origin: Upstream, drop: bytes) -> None:
    """Each byte of a response's head started the time anew, so that an upstream could hold a
    request for hours.
    """

    async def drip(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pieces = [drop] * 7 if len(drop) > 1 else [bytes([byte]) for byte in OK]
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.3)

    origin.handler = drip
    reply = exchange(gateway.public, b"GET /impatient HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert reply[reply.rindex(b"HTTP/1.1 ") :].startswith(b"HTTP/1.1 504 ")


def test_a_body_that_falls_silent_is_broken_off(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = answering(OK + b"transfer-encoding: chunked\r\n\r\n4\r\npart\r\n")
    with Wire(gateway.public) as client:
        client.get("/impatient")
        assert client.head().status == 200
        assert client.chunk() == b"part"
        assert client.rest() == b""


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_post_is_never_sent_twice(gateway: GatewayProcess, origin: Upstream, method: str) -> None:
    async def leave(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if received.method == method:
            writer.close()
        else:
            writer.write(OK + b"content-length: 0\r\n\r\n")

    origin.handler = leave
    for _ in range(3):
        assert fetch(gateway.public).status == 200
    for _ in range(5):
        answer = fetch(gateway.public, method=method, body=b"once")
        assert answer.status == 502
    assert [received.method for received in origin.requests].count(method) == 5


def test_a_get_survives_a_connection_that_died_while_it_was_idle(gateway: GatewayProcess, origin: Upstream) -> None:
    closed = threading.Event()

    async def leave(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"content-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        closed.set()

    origin.handler = leave
    for _ in range(20):
        closed.clear()
        assert fetch(gateway.public).status == 200
        assert closed.wait(PATIENCE)
    assert len(origin.requests) == 20


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port that takes no more connections: its backlog is full."""
    with black_hole("127.0.0.1") as port:
        yield port


def test_an_upstream_that_does_not_accept_is_a_504(tmp_path_factory: pytest.TempPathFactory, deaf: int) -> None:
    config = f"""
    [server]
    bind = ["127.0.0.1:0"]
    [[upstream]]
    name = "deaf"
    targets = ["http://127.0.0.1:{deaf}"]
    connect_timeout = "1s"
    [[route]]
    path = "/"
    upstream = "deaf"
    """
    with sentinel_run(write_config(tmp_path_factory.mktemp("deaf"), config)) as gateway:
        answer = fetch(gateway.public)
        assert answer.status == 504
        assert answer.header("x-request-id")
