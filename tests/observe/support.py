"""A gateway in the test's own process, so that a test sees its recorder."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
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

[guest.own-trace.config]
request = {{ set = {{ "traceparent" = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }} }}

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
path = "/own-trace"
upstream = "origin"
chain = ["own-trace"]

[[route]]
path = "/trap"
upstream = "origin"
chain = ["trap"]

{more}
"""
EXPORT = """
[tracing]
share = 0.0

[otlp]
endpoint = "{collector}"
headers = {{ "x-token" = "secret" }}
metrics = true
logs = true
interval = "200ms"
timeout = "2s"
"""
CACHE = Path(__file__).resolve().parents[2] / "build" / "cache" / "sentinel"
GUESTS: dict[str, Path | bytes] = {
    "access-log": ARTEFACTS / "rust" / "access-log.wasm",
    "api-key-auth": ARTEFACTS / "rust" / "api-key-auth.wasm",
    "header-injection": ARTEFACTS / "rust" / "header-injection.wasm",
    "own-trace": ARTEFACTS / "rust" / "header-injection.wasm",
    "trap": index.wasm("hostile/unreachable"),
}
OWN_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""What the route ``/own-trace`` has a guest set."""
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


@contextlib.asynccontextmanager
async def observed(folder: Path, upstream: str, *, more: str = "", trusted: str = "") -> AsyncIterator[Observed]:
    """Serve before an upstream."""
    text = CONFIG.format(upstream=upstream, more=more, trusted=trusted, cache=CACHE)
    config = load_config(write_config(folder, text, GUESTS))
    gateway = create_app(config)
    async with serve_gateway(gateway, config) as served:
        host, port = served.urls[0].removeprefix("http://").split(":")
        yield Observed(gateway, (host, int(port)))


def run_observed(
    folder: Path, upstream: str, scenario: Callable[[Observed], Awaitable[None]], *, more: str = "", trusted: str = ""
) -> None:
    """Serve, and run a scenario with it."""

    async def main() -> None:
        async with observed(folder, upstream, more=more, trusted=trusted) as serving:
            await scenario(serving)

    asyncio.run(main())


def exporting(upstream: str, collector: str, server: str = "") -> str:
    """A configuration that sends traces, metrics and lines of the log to a collector's URL;
    ``server`` is keys of ``[server]``.
    """
    more = EXPORT.format(collector=collector)
    text = CONFIG.format(upstream=upstream, trusted='"127.0.0.1"', cache=CACHE, more=more)
    return text.replace("[server]", f'[server]\nadmin = "127.0.0.1:0"\n{server}', 1)
