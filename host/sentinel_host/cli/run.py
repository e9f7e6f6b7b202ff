"""``sentinel run``: one worker in this process."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import ssl
import sys

import msgspec
from hypercorn.utils import LifespanFailureError

from sentinel_host.cli.logs import log_json_lines, write_guest_lines
from sentinel_host.config import BindConfig, Config, TlsConfig, load_config, quick_config
from sentinel_host.control import install_admin
from sentinel_host.errors import SentinelError
from sentinel_host.gateway import create_app
from sentinel_host.http.lane import Connections, Limits
from sentinel_host.server import Endpoint, address_of, bind, serve, tls_context
from sentinel_host.server import run as run_loop


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT.

    Raises `SentinelError` when it cannot start.
    """
    config = quick_config(options.upstream) if options.upstream else load_config(options.config)
    if options.bind:
        config = msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, bind=[options.bind]))
    endpoints = _endpoints(config)
    log_json_lines()
    gateway = create_app(config, write_guest_lines)
    connections = Connections(_limits(config))
    install_admin(gateway, connections)

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(
            gateway,
            endpoints,
            connections,
            shutdown=stop.wait,
            grace=config.server.grace,
            ready=lambda: _ready(endpoints),
        )

    try:
        run_loop(main())
    except LifespanFailureError as error:
        raise SentinelError(str(error)) from None
    return 0


def _endpoints(config: Config) -> list[Endpoint]:
    endpoints = []
    for entry in config.server.bind:
        bound = entry if isinstance(entry, BindConfig) else BindConfig(entry)
        tls = bound.tls or config.server.tls
        endpoints.append(Endpoint("public", bind(bound.address), _context(tls) if tls else None))
    if config.server.admin is not None:
        endpoints.append(Endpoint("admin", bind(config.server.admin)))
    return endpoints


def _context(tls: TlsConfig) -> ssl.SSLContext:
    return tls_context(tls.cert, tls.key)


def _limits(config: Config) -> Limits:
    configured = msgspec.structs.asdict(config.server.limits)
    return Limits(**{key: value for key, value in configured.items() if value is not None})


def _ready(endpoints: list[Endpoint]) -> None:
    """Settle down to serve, and say where: one line per listener, for people and for programs that asked for port 0."""
    # What is there now stays; requests leave no cycles, so that looking for some every 700 objects is a tenth of the
    # CPU for nothing. Full collections still come, for what applications and libraries may leave.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    for endpoint in endpoints:
        scheme = "http" if endpoint.tls is None else "https"
        print(f"sentinel: {endpoint.name} on {scheme}://{address_of(endpoint.socket)}", file=sys.stderr, flush=True)
