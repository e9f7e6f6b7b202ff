"""The HTTP/2 connections to one target: few, each with many streams.

Rules:
1. A request goes to the first connection with room. Another one is opened only when those that are
   open or being made have no room for all that wait, and never more than ``max_connections``.
2. Who waits is served in turn, as streams end, the upstream allows more, or a connection comes.
3. A request of which an upstream has seen nothing (GOAWAY, REFUSED_STREAM, a connection that died
   before it was written) goes out again on another stream, a few times at most; after that, whoever
   asked may go elsewhere.
4. A request that changes the protocol becomes a tunnel on a stream, where the upstream's SETTINGS
   allow that (`h2_tunnel`).
5. Where TLS has negotiated something else, every request that waits is told (`NotHttp2`).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from random import random
from typing import Final

from sentinel_host.errors import NotHttp2, Progress, UpstreamBusy, UpstreamDenied, UpstreamError, UpstreamTimeout
from sentinel_host.http.batch import batch_of
from sentinel_host.http.client.connector import Connector
from sentinel_host.http.client.h2_connection import Http2ClientConnection
from sentinel_host.http.client.h2_fields import request_section
from sentinel_host.http.client.h2_tunnel import WEBSOCKET, tunnel_section
from sentinel_host.http.client.request import UpstreamRequest
from sentinel_host.http.client.response import UpstreamResponse
from sentinel_host.http.client.sweeps import Sweeps, Swept, interval_of
from sentinel_host.http.client.target import Target, Timeouts
from sentinel_host.net import Names

_log: Final = logging.getLogger(__name__)
_DEFAULT_TIMEOUTS: Final = Timeouts()
# How often a request that nobody has seen goes out again on connections to the same target.
_AGAIN: Final = 2
# As many as a connection is taken to bear before its upstream says so.
_STREAMS_OF_NEW: Final = 100


class Http2Pool(Swept):
    """As `UpstreamPool`, for a target that speaks HTTP/2.

    ``on_other`` takes over a connection that negotiated another protocol; without it, such are
    closed. ``max_tunnels`` bounds the streams that are tunnels. ``proxy_header`` begins every
    connection, whatever requests it carries.
    """

    def __init__(
        self,
        target: Target,
        *,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        max_connections: int = 256,
        ssl_context: ssl.SSLContext | None = None,
        max_head_bytes: int = 65536,
        dns_ttl: float = 30.0,
        allows: Callable[[str], bool] | None = None,
        names: Names | None = None,
        fixed: Sequence[str] = (),
        max_tunnels: int = 1024,
        max_age: float = 0.0,
        max_requests: int = 0,
        alpn: Sequence[str] = ("h2",),
        on_other: Callable[[Http2ClientConnection], None] | None = None,
        proxy_header: bytes = b"",
        sweeps: Sweeps | None = None,
    ) -> None:
        self.target = target
        self.authority = target.authority
        self.timeouts = timeouts
        self.max_connections = max_connections
        self.max_tunnels = max_tunnels
        self.connects = 0
        self.reuses = 0
        self.failures = 0
        self.connector = Connector(
            target,
            timeouts,
            ssl_context=ssl_context,
            dns_ttl=dns_ttl,
            allows=allows,
            names=names,
            fixed=fixed,
            alpn=alpn,
        )
        self._on_other = on_other
        self._proxy_header = proxy_header
        self._scheme = target.scheme.encode("ascii")
        self._max_head_bytes = max_head_bytes
        self._max_age = max_age
        self._max_requests = max_requests
        # Those that take streams, and those that finish what they have.
        self._serving: list[Http2ClientConnection] = []
        self._leaving: set[Http2ClientConnection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._waiters: deque[asyncio.Future[Http2ClientConnection]] = deque()
        self._sweeps = Sweeps() if sweeps is None else sweeps
        self._shortest = min(timeouts.response, timeouts.keepalive, timeouts.idle or timeouts.response)
        self._sweep_interval = interval_of(self._shortest)
        self._closed = False
        self._drains = False

    @property
    def open(self) -> int:
        """Connections that exist or are being made."""
        return len(self._serving) + len(self._leaving) + len(self._connecting)

    @property
    def idle(self) -> int:
        """Connections without a stream."""
        return sum([not connection.streams for connection in self._serving])

    @property
    def tunnels(self) -> int:
        """Streams that are tunnels, or are asked for as such."""
        connections = [*self._serving, *self._leaving]
        return sum([stream.is_tunnel for connection in connections for stream in connection.streams.values()])

    @property
    def waiting(self) -> int:
        """Requests that wait for a stream."""
        return len(self._waiters)

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send a request and wait for the head of its final response; raises as
        `UpstreamPool.send`, and `NotHttp2`.
        """
        if request.upgrade:
            self._check_tunnel(request)
            section = tunnel_section(request, self._scheme)
        else:
            section = request_section(request, self._scheme)
        if request.shortest_timeout < self._shortest:
            self._look_as_often_as(request.shortest_timeout)
        again = _AGAIN
        while True:
            connection = self._with_room()
            if connection is None:
                connection = await self._acquire()
            else:
                self.reuses += 1
            if request.upgrade and not await self._takes_tunnel(connection):
                continue
            response = connection.start(request, section)
            try:
                while response.awaits_head():
                    await response.arrival
                return response
            except UpstreamError as error:
                if error.progress != Progress.UNSENT or error.has_read or not again:
                    self.failures += 1
                    raise
                again -= 1
            except BaseException:
                response.abort()
                raise

    def learn(self) -> None:
        """As `UpstreamPool.learn`."""
        self.connector.addresses.learn()

    def _check_tunnel(self, request: UpstreamRequest) -> None:
        if request.upgrade != WEBSOCKET:
            self.failures += 1
            raise self._error("over HTTP/2, the protocol can be changed to websocket only", "malformed")
        if self.tunnels >= self.max_tunnels:
            self.failures += 1
            raise UpstreamBusy(f"upstream {self.target}: {self.max_tunnels} streams are tunnels")

    async def _takes_tunnel(self, connection: Http2ClientConnection) -> bool:
        """Whether a tunnel has room on a connection now. Raises `UpstreamError` where the upstream
        wants none, or does not say.
        """
        if not await connection.settled():
            self.failures += 1
            raise self._error("the connection closed before its SETTINGS came", "reset")
        if not connection.core.allows_connect:
            self.failures += 1
            raise self._error("it takes no WebSockets over HTTP/2: its SETTINGS do not allow RFC 8441", "malformed")
        return connection.room > 0

    def drain(self) -> None:
        """As `UpstreamPool.drain`."""
        self._drains = True
        for connection in list(self._serving):
            connection.retire()

    async def close(self) -> None:
        """As `UpstreamPool.close`."""
        self._closed = True
        self._refuse_all(self._error("the pool is closed", "closed"))
        for task in self._connecting:
            task.cancel()
        for connection in [*self._serving, *self._leaving]:
            connection.break_off("the pool is closed", "closed")
        self.connector.close()
        self._sweeps.end(self)
        await asyncio.sleep(0)  # the transports tell their protocols in the next turn of the loop

    # As the owner of its connections.

    def on_room(self, connection: Http2ClientConnection) -> None:
        """Part of `Http2ConnectionOwner`."""
        room = connection.room
        waiters = self._waiters
        while waiters and room > 0:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                room -= 1
        if self._drains and not connection.streams:
            connection.retire()

    def on_closed(self, connection: Http2ClientConnection) -> None:
        """Part of `Http2ConnectionOwner`."""
        if connection in self._serving:
            self._serving.remove(connection)
            self._leaving.add(connection)
        if self._waiters and not self._closed:
            self._open_more()

    def on_gone(self, connection: Http2ClientConnection) -> None:
        """Part of `Http2ConnectionOwner`."""
        self._leaving.discard(connection)
        if self._waiters and not self._closed:
            self._open_more()

    def on_failure(self, error: UpstreamError) -> None:
        """Part of `Http2ConnectionOwner`."""
        self.failures += 1

    # How a request comes by a stream.

    def _with_room(self) -> Http2ClientConnection | None:
        if self._waiters:
            return None
        for connection in self._serving:
            if connection.room > 0:
                return connection
        return None

    async def _acquire(self) -> Http2ClientConnection:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.timeouts.pool_wait + self.timeouts.connect
        while True:
            if self._closed:
                raise self._error("the pool is closed", "closed")
            waiter: asyncio.Future[Http2ClientConnection] = loop.create_future()
            self._waiters.append(waiter)
            self._open_more()
            timer = loop.call_at(deadline, self._wait_expired, waiter)
            try:
                connection = await waiter
            except BaseException:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                elif waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                    # What it was given is for the next.
                    self.on_room(waiter.result())
                raise
            finally:
                timer.cancel()
            # It may have been used up, or have gone, between the two turns of the loop.
            if connection.room > 0:
                return connection

    def _wait_expired(self, waiter: asyncio.Future[Http2ClientConnection]) -> None:
        if not waiter.done():
            waiter.set_exception(
                UpstreamBusy(
                    f"upstream {self.target}: all streams of {self.max_connections} connections stayed in use for "
                    f"{self.timeouts.pool_wait:g} s"
                )
            )

    def _open_more(self) -> None:
        """Open a connection if those that are being made do not have room for all that wait."""
        if len(self._waiters) > len(self._connecting) * _STREAMS_OF_NEW and self.open < self.max_connections:
            task = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self) -> None:
        """Open a connection, for whoever waits."""
        error: UpstreamError | None = None
        try:
            connection = await self.connector.connect(self._make, self._proxy_header)
        except UpstreamError as raised:
            error = raised
        if error is not None:
            self._refuse_all(error)
            return
        if self.target.scheme == "https" and connection.alpn != "h2":
            if self._on_other is None:
                connection.abandon()
            else:
                self._on_other(connection)
            self._refuse_all(NotHttp2(f"{self.target}", connection.alpn))
            return
        self.connects += 1
        if connection.closed or self._closed:
            self._refuse_all(self._error("the connection closed before a request was sent", "reset"))
            return
        if self._max_age:
            now = asyncio.get_running_loop().time()
            connection.retires_at = now + self._max_age * (1 - random() / 10)
        if self._max_requests:
            connection.requests_left = max(1, round(self._max_requests * (1 - random() / 10)))
        self._serving.append(connection)
        # Its SETTINGS are waited for.
        self._sweeps.every(min(self._sweep_interval, interval_of(self.timeouts.connect)), self)
        self.on_room(connection)

    def _make(self) -> Http2ClientConnection:
        loop = asyncio.get_running_loop()
        return Http2ClientConnection(
            self,
            self.target,
            self.timeouts,
            self._max_head_bytes,
            batch_of(loop),
            loop,
        )

    def _refuse_all(self, error: UpstreamError) -> None:
        """Nobody that waits gets a connection: while others are open, they are served as streams
        end.
        """
        if self._serving and not isinstance(error, NotHttp2) and error.kind != "closed":
            return
        waiters, self._waiters = self._waiters, deque()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(_copy(error))

    def sweep(self, now: float) -> float:
        """Part of `Swept`."""
        for connection in [*self._serving, *self._leaving]:
            try:
                if connection.retires_at <= now and not connection.closed:
                    connection.retire()
                connection.check(now)
            except Exception:
                _log.exception("upstream %s: a connection could not be checked", self.target)
        if not self._serving and not self._leaving:
            return 0.0
        if all(connection.core.is_settled for connection in self._serving):
            return self._sweep_interval
        return min(self._sweep_interval, interval_of(self.timeouts.connect))

    def _look_as_often_as(self, timeout: float) -> None:
        self._shortest = timeout
        self._sweep_interval = interval_of(timeout)
        if self._serving or self._leaving:
            self._sweeps.every(self._sweep_interval, self)

    def _error(self, reason: str, kind: str) -> UpstreamError:
        return UpstreamError(f"upstream {self.target}: {reason}", kind, Progress.UNSENT)


def _copy(error: UpstreamError) -> UpstreamError:
    """One that a request of several can raise as its own."""
    if isinstance(error, NotHttp2):
        return NotHttp2(error.target, error.chosen)
    if isinstance(error, UpstreamDenied):
        return UpstreamDenied(str(error))
    if isinstance(error, UpstreamTimeout):
        return UpstreamTimeout(str(error), error.progress)
    return UpstreamError(str(error), error.kind, error.progress)
