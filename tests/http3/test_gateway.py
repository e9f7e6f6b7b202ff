"""The gateway behind HTTP/3, with the client of aioquic: the same admission, chain, limits and
endings.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.http3.client import Client, connected
from tests.support import guests
from tests.support.certificates import self_signed
from tests.support.clocks import PATIENCE
from tests.support.configurations import GUARDED, GUARDED_GUESTS
from tests.support.fixtures import origin as origin
from tests.support.fixtures import shared_upstream as shared_upstream
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Received, Upstream, answering

MIB = 1 << 20
CONFIG = (
    """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
quic_bind = "127.0.0.1:0"
tls = { cert = "CERT", key = "KEY" }

[server.limits]
body_bytes = "64MiB"
"""
    + GUARDED
    + """
[[route]]
path = "/limited"
upstream = "origin"
limit = { requests = 2, window = "10m" }

[[route]]
path = "/injecting"
upstream = "origin"
chain = ["injecting"]
"""
)
GUESTS = GUARDED_GUESTS | {
    "injecting": guests.answering(guests.respond(200, [("x-a", b"1\r\nx-b: 2")])),
}
Use = Callable[[Client], Awaitable[None]]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("certificate"))


def configured(certificate: tuple[Path, Path], upstream: Upstream) -> str:
    text = CONFIG.replace("UPSTREAM", upstream.url).replace("CERT", str(certificate[0]))
    return text.replace("KEY", str(certificate[1]))


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path], shared_upstream: Upstream
) -> Iterator[GatewayProcess]:
    config = write_config(tmp_path_factory.mktemp("gateway"), configured(certificate, shared_upstream), GUESTS)
    with sentinel_run(config) as running:
        running.wait(lambda: "quic" in running.addresses, "datagrams' address")
        yield running


def talk(gateway: GatewayProcess, use: Use) -> None:
    """Let a client use a connection, which must live to the end."""

    async def main() -> None:
        async with connected(gateway.addresses["quic"]) as client:
            await use(client)
            assert (await client.get(b"/after")).status == 200
            assert client.terminated is None

    asyncio.run(main())


def refuses(address: tuple[str, int]) -> bool:
    """Whether nobody accepts connections there."""
    try:
        socket.create_connection(address, PATIENCE).close()
    except OSError:
        return True
    return False


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what another thread brings about."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_a_request_arrives_as_http1(gateway: GatewayProcess, origin: Upstream) -> None:
    async def use(client: Client) -> None:
        fields = ((b"cookie", b"a=1"), (b"te", b"trailers"), (b"cookie", b"b=2"), (b"x-principal", b"root"))
        got = await client.get(b"/x?y", *fields)
        assert (got.status, got.body, got.ended) == (200, b"hello", True)
        received = origin.requests[0]
        assert received.line == "GET /x?y HTTP/1.1"
        assert received.values("cookie") == ["a=1; b=2"]
        assert received.values("te") == received.values("x-principal") == []
        assert received.values("x-forwarded-host") == ["a.example"]
        assert received.values("x-forwarded-proto") == ["https"]
        assert received.values("via") == ["3 sentinel"]

    talk(gateway, use)


def test_a_cookie_in_crumbs_and_an_empty_query(gateway: GatewayProcess, origin: Upstream) -> None:
    """As on HTTP/2: each crumb was weighed as a field, and the question mark of an empty query was
    lost.
    """
    crumbs = [b"%d=x" % number for number in range(3000)]

    async def use(client: Client) -> None:
        got = await client.get(b"/x?", *((b"cookie", crumb) for crumb in crumbs))
        assert got.status == 200
        received = origin.requests[0]
        assert received.target == "/x?"
        assert received.values("cookie") == [b"; ".join(crumbs).decode()]
        got = await client.get(b"/x", *((b"cookie", crumb) for crumb in crumbs * 2))
        assert got.status == 431

    talk(gateway, use)


def test_the_chain_and_the_limits_are_the_same(gateway: GatewayProcess, origin: Upstream) -> None:
    async def use(client: Client) -> None:
        assert (await client.get(b"/guarded")).status == 401
        assert origin.requests == []
        assert (await client.get(b"/guarded", (b"x-api-key", b"demo-key"))).status == 200
        assert origin.requests[-1].values("x-principal") == ["demo"]
        assert [(await client.get(b"/limited")).status for _ in range(3)] == [200, 200, 429]
        assert (await client.get(b"/injecting")).status == 503

    talk(gateway, use)


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        (b"GET", b"/a b", (), 400),
        (b"GET", b"no/slash", (), 400),
        (b"GET", b"/%2e%2e/x", (), 400),
        (b"GET", b"/a%00", (), 400),
        (b"get", b"/", (), 501),
        (b"TRACE", b"/", (), 405),
        (b"GET", b"/", ((b"host", b"b.example"),), 400),
        (b"GET", b"/", ((b"x", b"y" * 40_000),), 431),
        (b"POST", b"/", ((b"content-length", b"%d" % (65 * MIB)),), 413),
    ],
)
def test_what_is_refused_never_reaches_the_upstream(
    gateway: GatewayProcess,
    origin: Upstream,
    method: bytes,
    path: bytes,
    more: tuple[tuple[bytes, bytes], ...],
    status: int,
) -> None:
    async def use(client: Client) -> None:
        got = await client.answer(client.begin(method, path, *more, end=method != b"POST"))
        assert got.status == status
        assert origin.requests == []

    talk(gateway, use)


def test_bodies_both_ways(gateway: GatewayProcess, origin: Upstream) -> None:
    async def echo(received: Received, reader: Any, writer: Any) -> None:
        digest = hashlib.sha256(received.body).hexdigest().encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nx-digest: %b\r\n\r\n" % (len(received.body), digest))
        writer.write(received.body)

    async def use(client: Client) -> None:
        origin.handler = echo
        body = bytes(range(256)) * (2 * MIB // 256)
        stream = client.begin(b"POST", end=False)
        client.send(stream, body, end=True)
        got = await client.answer(stream)
        assert got.heads[0][b"x-digest"] == hashlib.sha256(body).hexdigest().encode()
        assert got.body == body
        origin.reset()

    talk(gateway, use)


def test_an_upload_waits_for_its_upstream(gateway: GatewayProcess, origin: Upstream) -> None:
    """aioquic alone gives windows for what arrives: 32 MiB would lie in memory."""
    go_on = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def slow(received: Received, reader: Any, writer: Any) -> None:
        loops.append(asyncio.get_running_loop())
        await go_on.wait()
        received.body = await reader.readexactly(48 * MIB)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async def use(client: Client) -> None:
        origin.read_bodies = False
        origin.handler = slow
        assert (await client.get(b"/guarded")).status == 401
        before = gateway.memory()
        stream = client.begin(b"POST", b"/", (b"content-length", b"%d" % (48 * MIB)), end=False)
        client.send(stream, bytes(48 * MIB), end=True)
        await eventually(lambda: bool(loops))
        sent = -1
        while sent != (sent := client.sent(stream)):
            # Others are served meanwhile.
            for _ in range(10):
                assert (await client.get(b"/guarded")).status == 401
        assert sent < 48 * MIB
        assert gateway.memory() - before < 16 * MIB
        loops[0].call_soon_threadsafe(go_on.set)
        client.reset(stream)
        origin.reset()

    talk(gateway, use)


def test_a_client_that_leaves_cancels_its_upstream(gateway: GatewayProcess, origin: Upstream) -> None:
    ended: list[bool] = []

    async def hold(received: Received, reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")
        await writer.drain()
        await reader.read()
        ended.append(True)

    async def use(client: Client) -> None:
        origin.handler = hold
        stream = client.begin()
        await client.until(lambda: client.of(stream).body == b"part")
        client.reset(stream)
        await eventually(lambda: bool(ended))
        origin.reset()

    talk(gateway, use)


def test_an_upstream_that_breaks_off_resets_the_stream(gateway: GatewayProcess, origin: Upstream) -> None:
    async def use(client: Client) -> None:
        origin.handler = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart", then_close=True)
        got = await client.get()
        assert (got.status, got.ended, got.reset) == (200, False, 0x102)
        origin.reset()

    talk(gateway, use)


def test_many_streams_at_once(gateway: GatewayProcess, origin: Upstream) -> None:
    async def use(client: Client) -> None:
        streams = [client.begin(b"GET", b"/%d" % number) for number in range(90)]
        assert {(await client.answer(stream)).body for stream in streams} == {b"hello"}

    talk(gateway, use)


def test_responses_over_tcp_say_where(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = answering(b'HTTP/1.1 200 OK\r\nalt-svc: h3=":1"\r\ncontent-length: 5\r\n\r\nhello')
    url = f"https://127.0.0.1:{gateway.public[1]}/"
    expected = f'alt-svc: h3=":{gateway.addresses["quic"][1]}"; ma=86400'
    # The second is answered by the gateway.
    requests: list[list[str]] = [[], ["--request", "OPTIONS", "--header", "max-forwards: 0"]]
    for version, request in itertools.product(("--http1.1", "--http2"), requests):
        command = ["curl", "--silent", "--insecure", "--include", version, *request, url]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.lower().splitlines()
        assert [line for line in lines if line.startswith("alt-svc")] == [expected]


def test_requests_in_flight_end_well_at_shutdown(
    certificate: tuple[Path, Path], origin: Upstream, tmp_path: Path
) -> None:
    begun: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def hold(received: Received, reader: Any, writer: Any) -> None:
        go_on = asyncio.Event()
        begun.append((asyncio.get_running_loop(), go_on))
        await go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n" + bytes(3_000_000))

    origin.handler = hold
    # Three megabytes take QUIC in Python a quarter of a minute on a busy machine.
    text = configured(certificate, origin).replace("[server]", '[server]\ngrace = "600s"', 1)
    with sentinel_run(write_config(tmp_path, text, GUESTS)) as gateway:
        gateway.wait(lambda: "quic" in gateway.addresses, "datagrams' address")

        async def main() -> None:
            async with connected(gateway.addresses["quic"]) as client:
                stream = client.begin()
                await eventually(lambda: bool(begun))
                gateway.process.terminate()
                # It drains from then on.
                await eventually(lambda: refuses(gateway.public))
                begun[0][0].call_soon_threadsafe(begun[0][1].set)
                got = await client.answer(stream)
                assert (got.status, len(got.body), got.ended) == (200, 3_000_000, True)
                await client.until(lambda: client.terminated is not None)
                assert client.terminated == 0x100

        asyncio.run(main())
        assert gateway.process.wait(PATIENCE) == 0


def test_without_the_extra_it_is_refused(certificate: tuple[Path, Path], origin: Upstream, tmp_path: Path) -> None:
    config = write_config(tmp_path, configured(certificate, origin), GUESTS)
    program = (
        "import importlib.util as u, sys; find = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'aioquic' else find(name, *more)\n"
        "from sentinel_host.cli import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", program, "run", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=2 * PATIENCE)
    assert done.returncode != 0
    assert "server.quic_bind: HTTP/3 needs aioquic; install the extra: sentinel-host[h3]" in done.stderr
