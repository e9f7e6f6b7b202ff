"""Bodies on their way: never collected, never ahead of a slow reader, never outliving either
side.
"""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from tests.e2e.conftest import only_sentinel
from tests.support.clients import Wire, fetch
from tests.support.clocks import PATIENCE
from tests.support.configurations import ONE_ORIGIN
from tests.support.gateways import GatewayProcess
from tests.support.upstreams import Handler, Received, Upstream, answering

MIB = 1 << 20
BLOCK = bytes(range(256)) * 4096
CONFIG = (
    ONE_ORIGIN
    + """
[[route]]
path = "/"
upstream = "origin"

[[route]]
path = "/head"
upstream = "origin"
timeout = "300ms"

[[route]]
path = "/whole"
upstream = "origin"
total_timeout = "500ms"

[[route]]
path = "/pieces"
upstream = "origin"
idle_timeout = "300ms"

[[route]]
path = "/small"
upstream = "origin"
body_bytes = "1KiB"
"""
)
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Gate:
    """What an upstream has seen, and what a test lets it do; across threads."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._opened = threading.Event()

    def wait(self) -> None:
        """Wait until the upstream was there."""
        assert self.reached.wait(PATIENCE)

    def open(self) -> None:
        self._opened.set()

    async def passed(self) -> None:
        """The upstream's side: say that it is here, and wait to be let through."""
        self.reached.set()
        assert await asyncio.to_thread(self._opened.wait, PATIENCE)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_download_takes_no_memory(shared_gateway: GatewayProcess, origin: Upstream, framing: str) -> None:
    async def download(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if framing == "length":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (64 * MIB))
        else:
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(64):
            writer.writelines((BLOCK,) if framing == "length" else (b"%x\r\n" % MIB, BLOCK, b"\r\n"))
            await writer.drain()
        if framing == "chunked":
            writer.write(b"0\r\n\r\n")

    origin.handler = download
    before = shared_gateway.memory()
    digest = hashlib.sha256()
    with Wire(shared_gateway.public) as client:
        client.get()
        head = client.head()
        assert (head.header("content-length") is None) == (framing == "chunked")
        if framing == "length":
            for _ in range(64):
                digest.update(client.exactly(MIB))
        else:
            while data := client.chunk():
                digest.update(data)
    assert digest.digest() == hashlib.sha256(BLOCK * 64).digest()
    assert shared_gateway.memory() - before < 16 * MIB


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_upload_takes_no_memory(shared_gateway: GatewayProcess, origin: Upstream, framing: str) -> None:
    async def upload(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        digest = hashlib.sha256()
        if received.values("content-length"):
            for _ in range(64):
                digest.update(await reader.readexactly(MIB))
        else:
            while size := int(await reader.readline(), 16):
                digest.update((await reader.readexactly(size + 2))[:-2])
            await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 32\r\n\r\n" + digest.digest())

    origin.read_bodies = False
    origin.handler = upload
    before = shared_gateway.memory()
    with Wire(shared_gateway.public) as client:
        if framing == "length":
            client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
            for _ in range(64):
                client.send(BLOCK)
        else:
            client.send(CHUNKED)
            for _ in range(64):
                client.send(b"%x\r\n%b\r\n" % (MIB, BLOCK))
            client.send(b"0\r\n\r\n")
        assert client.answer().body == hashlib.sha256(BLOCK * 64).digest()
    assert shared_gateway.memory() - before < 16 * MIB


def test_a_client_that_does_not_read_holds_the_upstream_back(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    written = 0
    gone = threading.Event()

    async def endless(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.transport.set_write_buffer_limits(0)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (1000 * MIB))
        try:
            while True:
                writer.write(BLOCK)
                await writer.drain()
                written += 1
        finally:
            gone.set()

    origin.handler = endless
    before = shared_gateway.memory()
    with Wire(shared_gateway.public, receive_buffer=65536) as client:
        client.get()
        client.head()
        seen = -1
        while seen != written:
            seen = written
            gone.wait(0.3)
        # The kernel's buffers may take dozens, as it thinks fit.
        assert written < 200
        assert shared_gateway.memory() - before < 16 * MIB
        client.reset()
    assert gone.wait(PATIENCE)


def test_request_and_response_stream_at_the_same_time(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    async def echo(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while size := int(await reader.readline(), 16):
            data = await reader.readexactly(size + 2)
            writer.write(b"%x\r\n%b" % (size, data))
            await writer.drain()
        await reader.readline()
        writer.write(b"0\r\n\r\n")

    origin.read_bodies = False
    origin.handler = echo
    with Wire(shared_gateway.public) as client:
        client.send(CHUNKED)
        for number in range(10):
            client.send(b"6\r\nping %d\r\n" % number)
            if not number:
                assert client.head().status == 200
            assert client.chunk() == b"ping %d" % number
        client.send(b"0\r\n\r\n")
        assert client.chunk() == b""


def test_an_early_answer_stops_the_upload(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    origin.read_bodies = False
    origin.handler = answering(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nno\n", then_close=True)
    upload = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (1000 * MIB)
    with Wire(shared_gateway.public) as client:
        client.send(upload + BLOCK)
        answer = client.answer()
        assert (answer.status, answer.body) == (413, b"no\n")
    with Wire(shared_gateway.public) as client:
        client.send(upload)
        end = time.monotonic() + PATIENCE
        with pytest.raises(ConnectionError):
            send_until(client, end)


def send_until(client: Wire, end: float) -> None:
    """Go on uploading."""
    while time.monotonic() < end:
        client.send(BLOCK)


def test_events_arrive_while_the_stream_is_open(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    gates = [Gate() for _ in range(3)]

    async def events(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for number, gate in enumerate(gates):
            await writer.drain()
            await gate.passed()
            writer.write(b"9\r\ndata: %d\n\n\r\n" % number)
        writer.write(b"0\r\n\r\n")

    origin.handler = events
    with Wire(shared_gateway.public) as client:
        client.get()
        assert client.head().header("content-type") == "text/event-stream"
        for number, gate in enumerate(gates):
            gate.open()
            assert client.chunk() == b"data: %d\n\n" % number
        assert client.chunk() == b""


def test_an_answer_that_takes_its_time(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    gate = Gate()

    async def poll(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gate.passed()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnews")

    origin.handler = poll
    with Wire(shared_gateway.public) as client:
        client.get()
        gate.wait()
        gate.open()
        assert client.answer().body == b"news"


async def say_nothing(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def say_half(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart")
    await writer.drain()
    await reader.read()


async def say_more_and_more(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the gateway has had enough, or the kernel's buffers are full."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    left = asyncio.create_task(reader.read())
    while not left.done():
        writer.write(b"4\r\nmore\r\n")
        await writer.drain()
        await asyncio.wait([left], timeout=0.02)


@pytest.mark.parametrize("path", ["/head", "/whole"])
def test_a_route_bounds_the_wait_for_a_head(shared_gateway: GatewayProcess, origin: Upstream, path: str) -> None:
    """The time of the whole response did not bound the wait for its head."""
    origin.handler = say_nothing
    assert fetch(shared_gateway.public, path).status == 504


@pytest.mark.parametrize(("path", "handler"), [("/whole", say_more_and_more), ("/pieces", say_half)])
def test_a_route_bounds_a_response(
    shared_gateway: GatewayProcess, origin: Upstream, path: str, handler: Handler
) -> None:
    origin.handler = handler
    with Wire(shared_gateway.public) as client:
        client.get(path)
        # On a busy machine, the time may be over before the head is here.
        if client.head().status == 200:
            received = client.rest()
            assert received.startswith((b"4\r\nmore\r\n", b"part"))
            assert not received.endswith(b"0\r\n\r\n")


@only_sentinel
def test_event_streams_and_upgrades_outlive_the_time_of_a_response(
    shared_gateway: GatewayProcess, origin: Upstream
) -> None:
    gate = Gate()

    async def stream(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if received.values("upgrade"):
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            writer.write(await reader.read(4))
        elif received.target == "/whole/events":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 4\r\n\r\n")
            await writer.drain()
            await gate.passed()
            writer.write(b"last")
        else:
            await say_more_and_more(received, reader, writer)

    origin.handler = stream
    with Wire(shared_gateway.public) as events, Wire(shared_gateway.public) as tunnel:
        tunnel.get("/whole", "Connection: upgrade", "Upgrade: websocket")
        events.get("/whole/events")
        heads = tunnel.head().status, events.head().status
        # One that began after them is cut off.
        with Wire(shared_gateway.public) as other:
            other.get("/whole")
            other.rest()
        if heads == (101, 200):
            tunnel.send(b"ping")
            assert tunnel.exactly(4) == b"ping"
            gate.open()
            assert events.exactly(4) == b"last"


def test_a_routes_largest_body(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    fits = fetch(shared_gateway.public, "/small", method="POST", body=b"x" * 1024)
    assert (fits.status, len(origin.requests[0].body)) == (200, 1024)
    too_large = fetch(shared_gateway.public, "/small", method="POST", body=b"x" * 1025)
    assert (too_large.status, len(origin.requests)) == (413, 1)


def test_a_routes_largest_body_is_counted_while_it_streams(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    arrived, ended = threading.Event(), threading.Event()

    async def receive(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(b"400\r\n") + 1024)
        arrived.set()
        await reader.read()
        ended.set()

    origin.read_bodies = False
    origin.handler = receive
    with Wire(shared_gateway.public) as client:
        client.send(CHUNKED.replace(b"/ ", b"/small ", 1))
        client.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
        assert arrived.wait(PATIENCE)
        client.send(b"1\r\nx\r\n")
        assert client.head().status == 413
    assert ended.wait(PATIENCE)


@pytest.mark.parametrize("when", ["before the response", "in the response", "in the request"])
def test_a_client_that_goes_away_cancels_the_upstream(
    shared_gateway: GatewayProcess, origin: Upstream, when: str
) -> None:
    reached, ended = threading.Event(), threading.Event()

    async def serve(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if when == "in the response":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")
            await writer.drain()
        reached.set()
        while await reader.read(65536):
            pass
        ended.set()

    origin.read_bodies = False
    origin.handler = serve
    with Wire(shared_gateway.public) as client:
        if when == "in the request":
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart")
        else:
            client.get()
        if when == "in the response":
            client.head()
        assert reached.wait(PATIENCE)
        client.reset()
    assert ended.wait(PATIENCE)


@pytest.mark.parametrize(
    ("response", "arrives"),
    [
        (b"content-length: 9\r\n\r\npart", b"part"),
        (b"transfer-encoding: chunked\r\n\r\n4\r\npart\r\n", b"4\r\npart\r\n"),
        (b"transfer-encoding: chunked\r\n\r\n9\r\npart", b"4\r\npart\r\n"),
        (b"transfer-encoding: chunked\r\n\r\n4\r\npart\r\n0\r\n", b"4\r\npart\r\n"),
        (b"transfer-encoding: chunked\r\n\r\n4\r\npart\r\nz\r\n", b"4\r\npart\r\n"),
    ],
    ids=["length", "between chunks", "in a chunk", "in the trailers", "malformed"],
)
def test_a_part_is_never_taken_for_the_whole(
    shared_gateway: GatewayProcess, origin: Upstream, response: bytes, arrives: bytes
) -> None:
    origin.handler = answering(b"HTTP/1.1 200 OK\r\n" + response, then_close=True)
    with Wire(shared_gateway.public) as client:
        client.get()
        assert client.head().status == 200
        assert client.rest() == arrives
    assert len(origin.requests) == 1


@only_sentinel
def test_both_ends_of_a_stream_that_broke_off_are_closed(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    before = shared_gateway.descriptors()
    origin.handler = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart", then_close=True)
    for _ in range(20):
        with Wire(shared_gateway.public) as client:
            client.get()
            client.rest()
    assert shared_gateway.descriptors() <= before + 2


def test_requests_leave_nothing_to_the_collector(upstream: Upstream) -> None:
    """A response was once the result of its own future: each request left 37 objects in a cycle, a
    fifth of the CPU.
    """
    program = textwrap.dedent(
        """
        import asyncio, gc, sys
        from sentinel_host.config import quick_config
        from sentinel_host.gateway.app import create_app
        from sentinel_host.http.server import Connections, ServerLimits
        from sentinel_host.server import Endpoint, address_of, bind
        from sentinel_host.server.serve import run, serve

        async def ask(reader, writer, number):
            for _ in range(number):
                writer.write(b"GET / HTTP/1.1\\r\\nhost: h\\r\\n\\r\\n")
                assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")

        async def main():
            sock, stop = bind("127.0.0.1:0"), asyncio.Event()

            async def measure():
                reader, writer = await asyncio.open_connection(*sock.getsockname())
                await ask(reader, writer, 50)
                gc.collect()
                gc.disable()
                await ask(reader, writer, 200)
                print(gc.collect())
                writer.close()
                stop.set()

            tasks = []
            await serve(
                create_app(quick_config(sys.argv[1])),
                [Endpoint("public", sock)],
                Connections(ServerLimits()),
                shutdown=stop.wait,
                grace=1,
                ready=lambda: tasks.append(asyncio.ensure_future(measure())),
            )
            await tasks[0]

        run(main())
        """
    )
    done = subprocess.run([sys.executable, "-c", program, upstream.url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100
