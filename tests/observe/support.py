"""A gateway in the test's own process, so that a test sees its recorder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from sentinel_host.config import load_config
from sentinel_host.embedding import serve_gateway
from sentinel_host.gateway.app import Gateway, create_app
from sentinel_host.observe import RequestRecord
from tests.support.clients import Answer, fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import ARTEFACTS, write_config
from tests.wat import index

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
trusted_proxies = [{trusted}]

[guests]
cache = "{cache}"

[guest.api-key-auth]
config = {{ keys = {{ "demo-key" = "demo" }} }}

[guest.header-injection.config]
request = {{ set = {{ "x-gateway" = "sentinel", "x-other" = "new" }} }}
response = {{ set = {{ "x-served-by" = "sentinel" }} }}

[guest.trap]
on_failure = "open"

[[upstream]]
name = "origin"
targets = ["{upstream}"]

[[route]]
name = "all"
path = "/"
upstream = "origin"
chain = ["access-log", "api-key-auth", "header-injection"]

[[route]]
path = "/plain"
upstream = "origin"

[[route]]
path = "/trap"
upstream = "origin"
chain = ["trap"]

{more}
"""
GUESTS: dict[str, Path | bytes] = {
    "access-log": ARTEFACTS / "rust" / "access-log.wasm",
    "api-key-auth": ARTEFACTS / "rust" / "api-key-auth.wasm",
    "header-injection": ARTEFACTS / "rust" / "header-injection.wasm",
    "trap": index.wasm("hostile/unreachable"),
}
KEY = {"x-api-key": "demo-key"}


class Observed:
    """A gateway that serves, and its records."""

    def __init__(self, gateway: Gateway, address: tuple[str, int]) -> None:
        self.gateway = gateway
        self.address = address

    async def fetch(self, path: str = "/", **more: dict[str, str]) -> Answer:
        """One request, from a thread."""
        return await asyncio.to_thread(fetch, self.address, path, **more)

    async def records(self, count: int) -> list[RequestRecord]:
        """The records, once there are that many."""
        ring = self.gateway.recorder.ring
        end = time.monotonic() + PATIENCE
        while ring.next < count:
            assert time.monotonic() < end, f"{ring.next} records, not {count}"
            await asyncio.sleep(0.01)
        return ring.after(0).decoded()


def run_observed(
    folder: Path, upstream: str, scenario: Callable[[Observed], Awaitable[None]], *, more: str = "", trusted: str = ""
) -> None:
    """Serve, and run a scenario with it."""
    cache = Path(__file__).resolve().parents[2] / "build" / "cache" / "sentinel"
    text = CONFIG.format(upstream=upstream, more=more, trusted=trusted, cache=cache)
    file = write_config(folder, text, GUESTS)

    async def main() -> None:
        config = load_config(file)
        gateway = create_app(config)
        async with serve_gateway(gateway, config) as served:
            host, port = served.urls[0].removeprefix("http://").split(":")
            await scenario(Observed(gateway, (host, int(port))))

    asyncio.run(main())
