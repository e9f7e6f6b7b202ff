"""The example guests that call the host, on a whole gateway of two workers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.clients import Answer, Wire, fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import ARTEFACTS, GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Received, Upstream, answering, running_upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
workers = 2

[guest.daily-quota]
grants = ["kv", "metrics"]
config = { limit = 5, header = "x-tenant" }

[guest.token-introspection]
deadline = "5s"
grants = ["http-client", "kv", "clock"]
config = { endpoint = "SERVER/introspect", authorization = "Basic Z3c6Z3c=" }
instances = 32

[guest.token-introspection.http]
allow = ["SERVER"]
networks = ["127.0.0.1/32"]
timeout = "60s"

[guest.ungranted]
grants = ["http-client"]

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/quota"
upstream = "origin"
chain = ["daily-quota"]

[[route]]
path = "/token"
upstream = "origin"
chain = ["token-introspection"]

[[route]]
path = "/ungranted"
upstream = "origin"
chain = ["ungranted"]

[[route]]
path = "/plain"
upstream = "origin"
"""

ACTIVE = b'{"active":true,"sub":"ann"}'
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ACTIVE) + ACTIVE


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    """The authorization server."""
    with running_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream, server: Upstream) -> Iterator[GatewayProcess]:
    rust = ARTEFACTS / "rust"
    text = CONFIG.replace("UPSTREAM", upstream.url).replace("SERVER", server.url)
    guests: dict[str, Path | bytes] = {name: rust / f"{name}.wasm" for name in ("daily-quota", "token-introspection")}
    guests["ungranted"] = rust / "token-introspection.wasm"
    with sentinel_run(write_config(tmp_path_factory.mktemp("gateway"), text, guests)) as running:
        yield running


@pytest.fixture(autouse=True)
def forgetful(server: Upstream, upstream: Upstream) -> None:
    server.reset()
    upstream.reset()


def test_a_quota_is_one_for_all_workers(gateway: GatewayProcess, upstream: Upstream) -> None:
    def ask(number: int) -> Answer:
        return fetch(gateway.public, "/quota", headers={"x-tenant": f"tenant-{number % 2}"})

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(40)))
    assert sorted(answer.status for answer in answers) == [200] * 10 + [429] * 30
    assert len(upstream.requests) == 10
    left = sorted(answer.header("x-quota-remaining") or "" for answer in answers if answer.status == 200)
    assert left == sorted([*"43210"] * 2)
    gateway.wait_for_metric('guest_quota_refused_total{guest="daily-quota"}', 30)
    gateway.wait_for_metric('sentinel_guest_kv_calls_total{guest="daily-quota"}', 40)
    shown = fetch(gateway.admin, "/metrics").body.decode().splitlines()
    assert "# HELP guest_quota_refused_total Requests beyond a principal's daily quota." in shown


def test_a_token_is_asked_about_once(gateway: GatewayProcess, upstream: Upstream, server: Upstream) -> None:
    server.handler = answering(OK)
    for _ in range(10):
        assert fetch(gateway.public, "/token", headers={"authorization": "Bearer once"}).status == 200
    assert [request.values("x-principal") for request in upstream.requests] == [["ann"]] * 10
    (asked,) = server.requests
    assert (asked.line, asked.body) == ("POST /introspect HTTP/1.1", b"token=once")
    assert asked.values("authorization") == ["Basic Z3c6Z3c="]


def test_others_are_served_while_many_wait(gateway: GatewayProcess, server: Upstream) -> None:
    """Straight-line code in the guest, and nobody stands behind it."""
    arrived = threading.Semaphore(0)
    held: list[tuple[asyncio.AbstractEventLoop, asyncio.StreamWriter]] = []

    async def slow(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append((asyncio.get_running_loop(), writer))
        arrived.release()

    def ask(number: int) -> int:
        return fetch(gateway.public, "/token", headers={"authorization": f"Bearer slow{number}"}).status

    server.handler = slow
    with ThreadPoolExecutor(16) as threads:
        waiting = [threads.submit(ask, number) for number in range(16)]
        assert all(arrived.acquire(timeout=PATIENCE) for _ in range(16))
        assert {fetch(gateway.public, "/plain").status for _ in range(50)} == {200}
        assert not any(call.done() for call in waiting)
        for loop, writer in held:
            loop.call_soon_threadsafe(writer.write, OK)
        assert {call.result() for call in waiting} == {200}


def test_a_client_that_leaves_ends_the_question(gateway: GatewayProcess, upstream: Upstream, server: Upstream) -> None:
    arrived, gone = threading.Semaphore(0), threading.Semaphore(0)

    async def silent(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.release()
        await reader.read()
        gone.release()

    server.handler = silent
    for number in range(10):
        wire = Wire(gateway.public)
        wire.get("/token", f"authorization: Bearer leaves{number}")
        assert arrived.acquire(timeout=PATIENCE)
        wire.reset()
        assert gone.acquire(timeout=PATIENCE)
    assert upstream.requests == []
    server.handler = answering(OK)
    assert fetch(gateway.public, "/token", headers={"authorization": "Bearer leaves0"}).status == 200
    assert gateway.metric('sentinel_guest_traps_total{guest="token-introspection"}') == 0


def test_a_failing_server_lets_no_request_through(
    gateway: GatewayProcess, upstream: Upstream, server: Upstream
) -> None:
    """For a guest that depends on somebody else."""
    server.handler = answering(b"not HTTP at all\r\n\r\n", then_close=True)
    answer = fetch(gateway.public, "/token", headers={"authorization": "Bearer broken", "x-principal": "root"})
    assert (answer.status, answer.header("retry-after")) == (503, "1")
    assert upstream.requests == []
    gateway.wait_for_log("guest token-introspection: http-client: ")


def test_a_guest_without_its_grants_is_not_in_service(gateway: GatewayProcess, upstream: Upstream) -> None:
    assert fetch(gateway.public, "/ungranted").status == 503
    assert upstream.requests == []
    assert 'which needs the grant \\"' in gateway.wait_for_log("guest ungranted is not in service")
