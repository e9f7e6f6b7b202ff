"""Sentinel inside another program; `sentinel_host` exports what is here."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hypercorn.utils import LifespanFailureError

from sentinel_host.config import BindConfig, Config, load_config, read_files
from sentinel_host.errors import SentinelError
from sentinel_host.gateway.app import Gateway
from sentinel_host.gateway.app import create_app as gateway_app
from sentinel_host.http.server import Application, Connections
from sentinel_host.sandbox import Sink
from sentinel_host.server import Certificates, Endpoint, address_of, bind
from sentinel_host.server.limits import server_limits
from sentinel_host.server.serve import serve as serve_application

__all__ = ["ServedGateway", "create_app", "serve"]


def create_app(config: Config | str | Path, *, guest_log: Sink | None = None) -> Application:
    """The data plane as an ASGI application, for any ASGI server; ``config`` may be the path of a
    TOML file.

    The application reads its guests, and follows changes of the file, between the lifespan's start
    and its end. ``guest_log`` takes the lines that guests log, which otherwise go to ``logging``.
    Raises `ConfigError`.
    """
    return gateway_app(config, guest_log)


@dataclass(frozen=True, slots=True)
class ServedGateway:
    """A gateway that serves. ``urls`` has the address of each entry of ``server.bind``, with the
    port that is open.
    """

    urls: tuple[str, ...]
    _gateway: Gateway

    def reload(self) -> None:
        """Look for another configuration and other guests now, instead of when the files' changes
        are noticed.
        """
        self._gateway.reload()


@asynccontextmanager
async def serve(config: Config | str | Path, *, guest_log: Sink | None = None) -> AsyncIterator[ServedGateway]:
    """Serve on the addresses of ``server.bind`` in this event loop while the context is open.

    ``config`` and ``guest_log`` are as for `create_app`. The admin listener, HTTP/3 and several
    workers belong to ``sentinel run``. When the context ends, requests in flight have
    ``server.grace`` seconds. Raises `ConfigError` for a wrong configuration and an address that
    cannot be bound, and `SentinelError` when the start fails.
    """
    loaded = read_files(config if isinstance(config, Config) else load_config(config))
    # With its listeners: read without them it would seem to have changed.
    gateway = gateway_app(loaded, guest_log, read_config=lambda: load_config(loaded.file))
    async with serve_gateway(gateway, loaded) as served:
        yield served


@asynccontextmanager
async def serve_gateway(gateway: Gateway, loaded: Config) -> AsyncIterator[ServedGateway]:
    """The same for a gateway that was made already, of this configuration."""
    endpoints = _open(loaded)
    schemes = ["http" if endpoint.tls is None else "https" for endpoint in endpoints]
    urls = [f"{scheme}://{address_of(each.socket)}" for scheme, each in zip(schemes, endpoints, strict=True)]
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        serve_application(
            gateway,
            endpoints,
            Connections(server_limits(loaded)),
            shutdown=stop.wait,
            grace=loaded.server.grace,
            ready=ready.set,
        )
    )
    started = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait([serving, started], return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            yield ServedGateway(tuple(urls), gateway)
    finally:
        started.cancel()
        stop.set()
        await _end(serving, [endpoint.socket for endpoint in endpoints])


def _open(config: Config) -> list[Endpoint]:
    certificates = Certificates(config)
    endpoints: list[Endpoint] = []
    try:
        for entry in config.server.bind:
            listener = entry if isinstance(entry, BindConfig) else BindConfig(entry)
            tls = listener.tls or config.server.tls
            context = certificates.of(tls).context if tls is not None else None
            endpoints.append(Endpoint("public", bind(listener.address), context, True, listener.proxy_protocol))
    except BaseException:
        for endpoint in endpoints:
            endpoint.socket.close()
        raise
    return endpoints


async def _end(serving: asyncio.Task[None], sockets: list[socket.socket]) -> None:
    try:
        await serving
    except LifespanFailureError as error:
        raise SentinelError(str(error)) from None
    finally:
        for each in sockets:
            each.close()
