"""Copies of requests for another upstream: it gets the same, and whatever it does, clients notice
nothing.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator

import pytest

from tests.http2.peer import Peer, bodies, request
from tests.support.clients import Answer, Wire, fetch
from tests.support.clocks import PATIENCE, wait_until
from tests.support.gateways import ARTEFACTS, GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Received, Upstream, answer_hello, answering, running_upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"

[[upstream]]
name = "origin"
targets = ["ORIGIN"]

[[upstream]]
name = "shadow"
targets = ["SHADOW"]

[[upstream]]
name = "nobody"
targets = ["http://127.0.0.1:1"]

[[route]]
path = "/"
upstream = "origin"
mirror = { upstream = "shadow" }
trailers = ["x-sum"]

[[route]]
path = "/some"
upstream = "origin"
mirror = { upstream = "shadow", percent = 10 }

[[route]]
path = "/none"
upstream = "origin"

[[route]]
path = "/nobody"
upstream = "origin"
mirror = { upstream = "nobody" }

[[route]]
path = "/old"
upstream = "origin"
preserve_host = true
mirror = { upstream = "shadow" }
chain = ["path-rewrite", "json-validator"]

[guest.path-rewrite]
config = { strip_prefix = "/old" }
"""
GUESTS = {name: ARTEFACTS / "rust" / f"{name}.wasm" for name in ("path-rewrite", "json-validator")}
LARGE = bytes(range(256)) * 4096
CHUNK = 64 * 1024


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, Upstream, Upstream]]:
    """A gateway, the upstream that answers, and the one that gets copies."""
    with running_upstream() as origin, running_upstream() as shadow:
        text = CONFIG.replace("ORIGIN", origin.url).replace("SHADOW", shadow.url)
        with sentinel_run(write_config(tmp_path_factory.mktemp("gateway"), text, GUESTS)) as gateway:
            yield gateway, origin, shadow


@pytest.fixture
def gateway(running: tuple[GatewayProcess, Upstream, Upstream]) -> GatewayProcess:
    return running[0]


@pytest.fixture
def origin(running: tuple[GatewayProcess, Upstream, Upstream]) -> Upstream:
    running[1].reset()
    return running[1]


@pytest.fixture
def shadow(running: tuple[GatewayProcess, Upstream, Upstream]) -> Upstream:
    running[2].reset()
    return running[2]


class Copies:
    """What became of copies since this was made."""

    def __init__(self, gateway: GatewayProcess, route: str = "/", upstream: str = "shadow") -> None:
        self._gateway = gateway
        self._labels = f'route="{route}",upstream="{upstream}"'
        self._before = self._read()

    def now(self) -> dict[str, float]:
        return {name: value - self._before[name] for name, value in self._read().items()}

    def wait(self, **expected: int) -> None:
        wanted = {"answered": 0, "failed": 0, "dropped": 0} | expected
        wait_until(lambda: self.now() == wanted, f"copies like {wanted}")

    def _read(self) -> dict[str, float]:
        return {
            result: self._gateway.metric(f'sentinel_mirrored_requests_total{{result="{result}",{self._labels}}}')
            for result in ("answered", "failed", "dropped")
        }


def upload(gateway: GatewayProcess, shadow: Upstream, body: bytes, path: str = "/") -> Answer:
    """Send a body as fast as both upstreams take it: a copy that is slower than its request would
    be dropped.
    """
    with Wire(gateway.public) as wire:
        wire.send(f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for start in range(0, len(body), CHUNK):
            chunk = body[start : start + CHUNK]
            wire.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            wait_for_copy(shadow, start + len(chunk))
        wire.send(b"0\r\n\r\n")
        return wire.answer()


def wait_for_copy(shadow: Upstream, size: int) -> None:
    wait_until(lambda: bool(shadow.requests) and len(shadow.requests[-1].body) >= size, f"copy of {size} bytes")


def same(copy: Received, original: Received) -> None:
    """A copy says what its original says, but for the names of their targets."""
    assert copy.line == original.line
    assert (copy.body, copy.trailers) == (original.body, original.trailers)
    assert [field for field in copy.headers if field[0] != "host"] == [
        field for field in original.headers if field[0] != "host"
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST"])
@pytest.mark.parametrize("body", [b"", b"small"], ids=["none", "small"])
def test_a_copy_is_the_same(
    gateway: GatewayProcess, origin: Upstream, shadow: Upstream, method: str, body: bytes
) -> None:
    copies = Copies(gateway)
    answer = fetch(gateway.public, "/a%20b?c=d", method=method, headers={"x-thing": "1", "cookie": "a=b"}, body=body)
    assert answer.status == 200
    copies.wait(answered=1)
    (original,), (copy,) = origin.requests, shadow.requests
    assert (original.method, original.target, original.body) == (method, "/a%20b?c=d", body)
    same(copy, original)


def test_a_large_body(gateway: GatewayProcess, origin: Upstream, shadow: Upstream) -> None:
    copies = Copies(gateway)
    assert upload(gateway, shadow, LARGE, "/large").status == 200
    copies.wait(answered=1)
    assert origin.requests[0].body == LARGE
    same(shadow.requests[0], origin.requests[0])


def test_a_chunked_body_with_trailers(gateway: GatewayProcess, origin: Upstream, shadow: Upstream) -> None:
    copies = Copies(gateway)
    with Wire(gateway.public) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        wait_until(lambda: bool(origin.requests and shadow.requests), "copy while the body still streams")
        wire.send(b"6\r\nsecond\r\n0\r\nx-sum: 11\r\n\r\n")
        assert wire.answer().status == 200
    copies.wait(answered=1)
    assert origin.requests[0].trailers == [("x-sum", "11")]
    assert origin.requests[0].body == b"firstsecond"
    same(shadow.requests[0], origin.requests[0])


def test_a_copy_is_what_guests_leave(gateway: GatewayProcess, origin: Upstream, shadow: Upstream) -> None:
    copies = Copies(gateway, "/old")
    headers = {"content-type": "application/json"}
    assert fetch(gateway.public, "/old/page", method="POST", headers=headers, body=b'{"a": 1}').status == 200
    copies.wait(answered=1)
    assert shadow.requests[0].target == "/page"
    assert shadow.requests[0].headers == origin.requests[0].headers
    same(shadow.requests[0], origin.requests[0])


def test_percent(gateway: GatewayProcess, origin: Upstream, shadow: Upstream) -> None:
    copies = Copies(gateway, "/some")
    with Wire(gateway.public) as wire:
        for _ in range(500):
            wire.get("/some")
            assert wire.answer().status == 200
    wait_until(lambda: copies.now()["answered"] == len(shadow.requests), "answers to all copies")
    # Six standard deviations.
    assert 10 <= len(shadow.requests) <= 90
    assert len(origin.requests) == 500


def test_other_routes_have_none(gateway: GatewayProcess, origin: Upstream, shadow: Upstream) -> None:
    assert fetch(gateway.public, "/none", method="POST", body=LARGE).status == 200
    copies = Copies(gateway)
    assert fetch(gateway.public).status == 200
    copies.wait(answered=1)
    assert [copy.target for copy in shadow.requests] == ["/"]


@pytest.mark.parametrize(
    ("raw", "result"),
    [
        (b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno", "answered"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + LARGE[:1000000], "answered"),
        (b"garbage\r\n\r\n", "failed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", "failed"),
        (b"", "failed"),
    ],
    ids=["500", "large", "garbage", "short", "nothing"],
)
@pytest.mark.parametrize("body", [b"", LARGE], ids=["none", "large"])
def test_what_it_answers_is_dropped(
    gateway: GatewayProcess, origin: Upstream, shadow: Upstream, raw: bytes, result: str, body: bytes
) -> None:
    copies = Copies(gateway)
    shadow.handler = answering(raw, then_close=True)
    answer = upload(gateway, shadow, body)
    assert (answer.status, answer.body) == (200, b"hello")
    copies.wait(**{result: 1})
    assert (len(origin.requests), len(shadow.requests)) == (1, 1)


def test_one_that_refuses_connections(gateway: GatewayProcess, origin: Upstream) -> None:
    copies = Copies(gateway, "/nobody", "nobody")
    assert fetch(gateway.public, "/nobody", method="POST", body=b"small").status == 200
    assert fetch(gateway.public, "/nobody").status == 200
    copies.wait(failed=2)


def test_one_that_reads_nothing_loses_its_copy(gateway: GatewayProcess, origin: Upstream, shadow: Upstream) -> None:
    copies = Copies(gateway)
    shadow.read_bodies = False
    shadow.handler = hang
    body = LARGE * 16
    assert fetch(gateway.public, method="POST", body=body).status == 200
    assert origin.requests[0].body == body
    copies.wait(dropped=1)
    assert len(origin.requests) == 1


def test_one_that_does_not_answer_delays_nothing(gateway: GatewayProcess, origin: Upstream, shadow: Upstream) -> None:
    copies = Copies(gateway)
    answered = threading.Event()

    async def wait(received: Received, reader: StreamReader, writer: StreamWriter) -> None:
        await asyncio.to_thread(answered.wait, PATIENCE)
        await answer_hello(received, reader, writer)

    shadow.handler = wait
    for _ in range(5):
        assert fetch(gateway.public).status == 200
    wait_until(lambda: len(shadow.requests) == 5, "copies")
    assert copies.now() == {"answered": 0, "failed": 0, "dropped": 0}
    shadow.handler = answer_hello
    answered.set()
    copies.wait(answered=5)


def test_a_client_that_leaves_takes_its_copy_along(gateway: GatewayProcess, origin: Upstream, shadow: Upstream) -> None:
    copies = Copies(gateway)
    with Wire(gateway.public) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst")
        wait_until(lambda: bool(origin.requests and shadow.requests), "copy while the body still streams")
        wire.reset()
    copies.wait(dropped=1)


def test_a_request_that_is_answered_early_takes_its_copy_along(
    gateway: GatewayProcess, origin: Upstream, shadow: Upstream
) -> None:
    copies = Copies(gateway)
    origin.read_bodies = False
    origin.handler = answering(b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n")
    with Wire(gateway.public) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst")
        assert wire.answer().status == 403
    copies.wait(dropped=1)


def test_a_request_that_fails_is_copied_all_the_same(
    gateway: GatewayProcess, origin: Upstream, shadow: Upstream
) -> None:
    copies = Copies(gateway)
    origin.handler = answering(b"garbage\r\n\r\n", then_close=True)
    assert fetch(gateway.public, method="POST", body=b"small").status == 502
    copies.wait(answered=1)


def test_upgrades_are_not_copied(gateway: GatewayProcess, origin: Upstream, shadow: Upstream) -> None:
    with Wire(gateway.public) as wire:
        fields = ("Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
        wire.get("/", *fields, "Sec-WebSocket-Version: 13")
        assert wire.head().status == 200
    copies = Copies(gateway)
    assert fetch(gateway.public, "/after").status == 200
    copies.wait(answered=1)
    assert [copy.target for copy in shadow.requests] == ["/after"]


@pytest.mark.parametrize("body", [b"", b"small", LARGE], ids=["none", "small", "large"])
def test_over_http_2(gateway: GatewayProcess, origin: Upstream, shadow: Upstream, body: bytes) -> None:
    copies = Copies(gateway)
    with Peer(socket.create_connection(gateway.public)) as peer:
        peer.send(peer.headers(1, request(b"POST", b"/x?y"), end=not body))
        sent = 0
        for frame in bodies(1, body):
            sent += len(frame.data)
            peer.until(lambda wanted=sent: 65536 + peer.credit.get(1, 0) >= wanted)
            peer.send(frame)
            wait_for_copy(shadow, sent)
        assert (peer.answer(1).status, peer.answer(1).body) == (200, b"hello")
    copies.wait(answered=1)
    assert origin.requests[0].body == body
    same(shadow.requests[0], origin.requests[0])


async def hang(received: Received, reader: StreamReader, writer: StreamWriter) -> None:
    """Answers nothing, and reads nothing."""
    await asyncio.sleep(PATIENCE)
