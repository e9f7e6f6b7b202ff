"""The accept loop of one worker: every connection begins as HTTP/1, and some become HTTP/2."""

from __future__ import annotations

import asyncio
import logging
import select
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar, cast

import uvloop
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.lifespan import Lifespan
from hypercorn.config import Config

from sentinel_host.http.h1 import Http1Protocol
from sentinel_host.http.relay import CAN_RELAY, RELAY
from sentinel_host.http.server import Application, Connections, Listener
from sentinel_host.http.tls import TlsServer
from sentinel_host.server.endpoint import Endpoint
from sentinel_host.server.http2 import Http2Connections
from sentinel_host.server.proxied import ProxiedServer
from sentinel_host.server.quic import QuicEndpoint, advertising
from sentinel_host.server.sockets import take_no_more

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

# nginx listens with 511. A thousand clients that connect at once should not depend on how fast this
# loop accepts.
_BACKLOG: Final = 2048
# HAProxy bounds handshakes with `timeout client`.
_HANDSHAKE_TIME: Final = 10.0
# A round trip within a continent, for connections whose SYN was answered before the worker stops.
_LAST_CONNECTIONS: Final = 0.05
# Two round trips across a continent, for TLS handshakes that have begun.
_LAST_HANDSHAKES: Final = 0.3
# Long enough for a full queue. Clients that go on connecting must not keep a worker from stopping.
_QUEUE_TIME: Final = 0.2


async def serve(
    app: Application,
    endpoints: Sequence[Endpoint],
    connections: Connections,
    *,
    shutdown: Callable[[], Awaitable[Any]],
    grace: float,
    ready: Callable[[], None] = lambda: None,
    draining: Callable[[], None] = lambda: None,
    quic: QuicEndpoint | None = None,
    may_accept: Callable[[], Awaitable[bool]] | None = None,
) -> None:
    """Serve ``app`` until ``shutdown()`` returns; then let requests in flight finish within
    ``grace`` seconds.

    Runs the application's ASGI lifespan around it. If start-up fails, it raises Hypercorn's
    `LifespanFailureError` and accepts nothing. A failed shutdown is raised at the end. Start-up has
    no time limit; it is cancelled if ``shutdown()`` returns first.

    ``may_accept`` is awaited once the application has started, and returns when ``shutdown()`` does
    at the latest; if it returns false, nothing is accepted. ``ready`` is called once every socket
    accepts, and ``draining`` once none does any more.
    """
    loop = asyncio.get_running_loop()
    state: dict[str, Any] = {}
    lifespan = Lifespan(ASGIWrapper(cast(Any, app)), _lifespan_config(), loop, cast(Any, state))
    lifespan_task = loop.create_task(lifespan.handle_lifespan())
    stop = asyncio.ensure_future(shutdown())
    try:
        if not await _starts(lifespan, lifespan_task, stop):
            return
        try:
            if may_accept is None or await may_accept():
                await _accept(http_application(app), endpoints, connections, state, stop, grace, ready, draining, quic)
        finally:
            await lifespan.wait_for_shutdown()
            lifespan_task.cancel()
            await asyncio.wait([lifespan_task])
        if not lifespan_task.cancelled():
            lifespan_task.result()
    finally:
        stop.cancel()


async def _starts(lifespan: Lifespan, running: asyncio.Task[None], stop: asyncio.Future[Any]) -> bool:
    """Wait until the application has started. False if the stop came first."""
    started = asyncio.ensure_future(lifespan.wait_for_startup())
    await asyncio.wait([started, stop], return_when=asyncio.FIRST_COMPLETED)
    is_over = started.done()
    if not is_over:
        started.cancel()
        running.cancel()
        await asyncio.wait([started, running])
    if running.done() and not running.cancelled():
        running.result()
    return is_over


def http_application(app: Application) -> Application:
    """What requests call: ``app``, or the shorter way to its HTTP side that it offers under this
    name.
    """
    shorter: Application = getattr(app, "http_application", app)
    return shorter


async def _accept(
    app: Application,
    endpoints: Sequence[Endpoint],
    connections: Connections,
    state: dict[str, Any],
    stop: asyncio.Future[Any],
    grace: float,
    ready: Callable[[], None],
    draining: Callable[[], None],
    quic: QuicEndpoint | None,
) -> None:
    loop = asyncio.get_running_loop()
    connections.start(loop)
    servers: list[asyncio.AbstractServer] = []
    secure: list[TlsServer] = []
    proxied: list[ProxiedServer] = []
    datagrams: asyncio.DatagramTransport | None = None
    try:
        if quic is not None:
            datagrams = await _open_quic(quic, Listener(quic.name, app, state), connections)
        for endpoint in endpoints:
            served = app if quic is None or endpoint.tls is None else advertising(app, quic.port)
            http2 = Http2Connections(endpoint.name, served, state, connections)
            listener = Listener(endpoint.name, served, state, http2.upgrade_to_http2)
            factory = _factory(listener, connections, encrypted=endpoint.tls is not None)
            if endpoint.tls is not None:
                factory = TlsServer(loop, endpoint.tls, _HANDSHAKE_TIME, factory)
                secure.append(factory)
            if endpoint.proxy_protocol:
                factory = ProxiedServer(connections, endpoint.proxy_protocol, factory)
                proxied.append(factory)
            servers.append(await loop.create_server(factory, sock=endpoint.socket, backlog=_BACKLOG))
        ready()
        await stop
    finally:
        until = loop.time() + grace
        await _accept_the_last(endpoints[: len(servers)], grace)
        for listening in servers:
            listening.close()
        draining()
        await _let_begin(endpoints, grace)
        for waiting in proxied:
            waiting.abort_waiting()
        for tls in secure:
            tls.abort_handshakes()
        await connections.drain(max(0.0, until - loop.time()))
        connections.stop()
        if datagrams is not None:
            datagrams.close()


async def _open_quic(endpoint: QuicEndpoint, listener: Listener, connections: Connections) -> asyncio.DatagramTransport:
    # An extra. An endpoint exists only if it is installed.
    from sentinel_host.server.http3 import Http3Socket

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Http3Socket(listener, connections, endpoint.certificates, endpoint.ids), sock=endpoint.socket
    )
    return transport


async def _accept_the_last(endpoints: Sequence[Endpoint], grace: float) -> None:
    """Accept the connections that wait in the queue: closing the last descriptor of a socket resets
    them.
    """
    queues = select.poll()
    for endpoint in endpoints:
        if endpoint.owned:
            take_no_more(endpoint.socket)
        queues.register(endpoint.socket, select.POLLIN)
    loop = asyncio.get_running_loop()
    await asyncio.sleep(min(grace, _LAST_CONNECTIONS))
    until = loop.time() + _QUEUE_TIME
    while queues.poll(0):
        # The loop accepts one connection per turn and socket.
        await asyncio.sleep(0)
        if loop.time() > until:
            return


async def _let_begin(endpoints: Sequence[Endpoint], grace: float) -> None:
    """Let accepted sockets become connections, for which `Connections.drain` waits."""
    if any(endpoint.tls is not None or endpoint.proxy_protocol for endpoint in endpoints):
        await asyncio.sleep(min(grace, _LAST_HANDSHAKES))
    else:
        # The loop calls `connection_made` in the turn after the one that accepted the socket.
        await asyncio.sleep(0)


def _factory(listener: Listener, connections: Connections, *, encrypted: bool) -> Callable[[], asyncio.Protocol]:
    extensions = listener.extensions()
    if CAN_RELAY and not encrypted:
        extensions[RELAY] = {}
    return lambda: cast(asyncio.Protocol, Http1Protocol(listener, extensions, connections))


def _lifespan_config() -> Config:
    """The settings of Hypercorn's lifespan: no time limit, because start-up may compile any number
    of guests.
    """
    config = Config()
    config.startup_timeout = cast(Any, None)
    config.errorlog = _log
    return config


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run ``main`` on uvloop. Errors of single clients' connections are not logged as errors of the
    loop.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(_on_loop_error)
        return runner.run(main)


def _on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if isinstance(error, ConnectionError | TimeoutError):
        _log.debug("%s: %r", context.get("message"), error)
    else:
        loop.default_exception_handler(context)
