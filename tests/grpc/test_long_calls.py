"""Streams that live for minutes, in one direction or in both, through three guests: no time of the
gateway, of which most are a minute or less, ends one on which something moves.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import grpc
import pytest

from sentinel_host.config import load_config
from sentinel_host.embedding import serve_gateway
from sentinel_host.gateway.app import create_app
from tests.grpc.service import NAME, Service, running_service
from tests.support.clocks import PATIENCE
from tests.support.gateways import ARTEFACTS, write_config
from tests.support.loops import leap, run_leaping

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[guests]
watch = false

[guest.api-key-auth]
config = {{ keys = {{ "demo-key" = "demo" }} }}

[guest.header-injection.config]
response = {{ set = {{ "x-served-by" = "sentinel" }} }}

[[upstream]]
name = "services"
targets = ["{target}"]
protocol = "http/2"

[[route]]
path = "/test.Echo"
upstream = "services"
chain = ["access-log", "api-key-auth", "header-injection"]
"""
GUESTS: dict[str, Path | bytes] = {
    name: ARTEFACTS / "rust" / f"{name}.wasm" for name in ("access-log", "api-key-auth", "header-injection")
}
KEY = ("x-api-key", "demo-key")
# Ten minutes. Nothing moves for less than an upstream may be silent, and a client, by default.
STEPS = 24
STEP = 25.0


@pytest.fixture
def backend() -> Iterator[tuple[Service, str]]:
    with running_service() as running:
        yield running


class Requests:
    """What a client says, when the test has it say something; an empty message ends it."""

    def __init__(self) -> None:
        self.queue: queue.Queue[bytes] = queue.Queue()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.queue.get, b"")


async def pass_time(channel: grpc.Channel) -> None:
    """Move the clock. By the same clock, an upstream that was silent has seconds to answer a PING: its
    answer comes before that to another call, on the same connection.
    """
    await leap(STEP)
    await asyncio.to_thread(channel.unary_unary(f"/{NAME}/Unary"), b"", timeout=PATIENCE, metadata=(KEY,))


Scenario = Callable[[grpc.Channel, Service], Awaitable[None]]


async def up(channel: grpc.Channel, service: Service, *, early: bool) -> None:
    """The client alone speaks; the service has answered with its metadata early, or with nothing."""
    requests = Requests()
    metadata = (KEY, *([("x-early", "1")] if early else []))
    call = channel.stream_unary(f"/{NAME}/Take").future(iter(requests), metadata=metadata)
    for number in range(STEPS):
        requests.queue.put(b"%d" % number)
        assert await asyncio.to_thread(service.taken.get, timeout=PATIENCE) == b"%d" % number
        await pass_time(channel)
    requests.queue.put(b"")
    assert await asyncio.to_thread(call.result, PATIENCE) == b"taken"


async def down(channel: grpc.Channel, service: Service) -> None:
    """The service alone speaks; the client could go on, and does not."""
    requests = Requests()
    call = channel.stream_stream(f"/{NAME}/Tell")(iter(requests), metadata=(KEY,))
    for number in range(STEPS):
        service.told.put(b"%d" % number)
        assert await asyncio.to_thread(next, call) == b"%d" % number
        await pass_time(channel)
    service.told.put(b"")
    assert await asyncio.to_thread(next, call, b"over") == b"over"
    requests.queue.put(b"")


async def both(channel: grpc.Channel, service: Service) -> None:
    """Each answers the other."""
    requests = Requests()
    call = channel.stream_stream(f"/{NAME}/Talk")(iter(requests), metadata=(KEY,))
    for number in range(STEPS):
        requests.queue.put(b"a%d" % number)
        assert await asyncio.to_thread(next, call) == b"A%d" % number
        await pass_time(channel)
    requests.queue.put(b"")
    assert await asyncio.to_thread(next, call, b"over") == b"over"


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(lambda channel, service: up(channel, service, early=False), id="up"),
        pytest.param(lambda channel, service: up(channel, service, early=True), id="up, metadata early"),
        pytest.param(down, id="down"),
        pytest.param(both, id="both"),
    ],
)
def test_a_stream_lives_for_minutes(scenario: Scenario, backend: tuple[Service, str], tmp_path: Path) -> None:
    service, target = backend
    config = load_config(write_config(tmp_path, CONFIG.format(target=target), GUESTS))

    async def main() -> None:
        async with serve_gateway(create_app(config), config) as served:
            with grpc.insecure_channel(served.urls[0].removeprefix("http://")) as channel:
                await scenario(channel, service)

    run_leaping(main())
