"""The connections to one target.

Rules:
1. ``open`` counts connections that exist or are being made; it never exceeds ``max_connections``. Whoever lowers it
   (``forget``, ``_slot_free``) passes the slot on to the first waiter.
2. While somebody waits, no connection is idle and no slot is free: late-comers cannot overtake.
3. The most recently used connection is taken first, so that those too many fall idle and expire.
4. One timer for all: it runs while connections exist.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

from sentinel_host.errors import UpstreamBusy, UpstreamDenied, UpstreamError, UpstreamTimeout
from sentinel_host.http.batch import WriteBatch
from sentinel_host.http.client.connection import Connection
from sentinel_host.http.client.request import IDEMPOTENT, UpstreamRequest, encode_head
from sentinel_host.http.client.response import UpstreamResponse
from sentinel_host.http.client.target import Target, Timeouts
from sentinel_host.http.client.tls import client_context
from sentinel_host.http.tls import connect_tls
from sentinel_host.net import Addresses, Names, UnresolvedName, connect

_log: Final = logging.getLogger(__name__)
_DEFAULT_TIMEOUTS: Final = Timeouts()

_SWEEP_SHARE: Final = 20
"""Timeouts are looked at this many times in the course of the shortest: none fires later than by a twentieth."""


class UpstreamPool:
    """A keep-alive pool for one target, to be used from one event loop.

    ``allows`` is asked for every address that the target's name has, before it is connected to. ``names`` looks it up,
    and is the pool's own unless it is given.

    For metrics: ``open`` connections, ``idle`` ones, requests ``waiting`` for one; ``connects``, ``reuses`` and
    ``failures`` (requests that ended in an UpstreamError) count up.
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
    ) -> None:
        self.target = target
        self.authority = target.authority
        self.timeouts = timeouts
        self.max_connections = max_connections
        self.max_head_bytes = max_head_bytes
        self.batch = WriteBatch()
        self.open = 0
        self.connects = 0
        self.reuses = 0
        self.failures = 0
        self._ssl = (ssl_context or client_context()) if target.scheme == "https" else None
        self._owns_names = names is None
        self._names = Names() if names is None else names
        self._addresses = Addresses(target.host, self._names, dns_ttl)
        self._allows = allows
        self._connections: set[Connection] = set()
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        shortest = min(timeouts.response, timeouts.keepalive, timeouts.idle or timeouts.response)
        self._sweep_interval = max(0.005, min(0.1, shortest / _SWEEP_SHARE))
        self._closed = False

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send a request and wait for the head of its final response.

        Raises UpstreamError (refused, broke off, not HTTP), UpstreamTimeout (connect or response), UpstreamBusy, what
        the BodySource raised, or SentinelError for a head that must not be sent. A request is sent a second time, on a
        new connection, only if its method is idempotent, its body is in memory, and a kept connection died before a
        byte of the answer. One of which nothing was sent yet goes out on another in any case.
        """
        head = encode_head(request)
        retry = request.method in IDEMPOTENT and isinstance(request.body, bytes)
        connection = self._take_idle()
        try:
            if connection is None:
                connection = await self._acquire()
            while True:
                response = connection.start(request, head)
                try:
                    await response.head
                    return response
                except UpstreamError:
                    if connection.unsent:
                        connection = self._take_idle() or await self._acquire()
                        continue
                    if not (retry and connection.stale):
                        raise
                    retry = False
                except BaseException:
                    response.abort()
                    raise
                connection = await self._acquire(new=True)
        except UpstreamError:
            self.failures += 1
            raise

    def learn(self) -> None:
        """Look the target's name up now, if it has not been: the name service may fail when it is needed."""
        self._addresses.learn()

    async def close(self) -> None:
        """Close every connection; requests under way and waiting fail with UpstreamError. For good."""
        self._closed = True
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(self._error("the pool is closed", "closed"))
        for connection in list(self._connections):
            connection.fail(self._error("the pool is closed", "closed"))
        self._addresses.close()
        if self._owns_names:
            self._names.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        await asyncio.sleep(0)  # the transports tell their protocols in the next turn of the loop

    # For connections

    def release(self, connection: Connection) -> None:
        """Take back a connection that has served its request and may serve another."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    def forget(self, connection: Connection, *, was_idle: bool) -> None:
        """Strike out a connection that is being closed."""
        if connection in self._connections:
            self._connections.remove(connection)
            if was_idle and connection in self._idle:
                self._idle.remove(connection)
            self._slot_free()

    # How a request comes by a connection

    def _take_idle(self) -> Connection | None:
        if not self._idle:
            return None
        self.reuses += 1
        return self._idle.pop()

    async def _acquire(self, *, new: bool = False) -> Connection:
        while True:
            if self._closed:
                raise self._error("the pool is closed", "closed")
            if new and self._idle and self.open >= self.max_connections:
                self._idle[0].abort()
            if self.open < self.max_connections:
                self.open += 1
                return await self._connect()
            connection = await self._wait()
            if connection is None:
                return await self._connect()
            if new:
                # Kept ones are what this request has just failed on: this one makes room for a new one.
                connection.abort()
            elif not connection.closed:
                self.reuses += 1
                return connection

    async def _wait(self) -> Connection | None:
        """A connection that another request has finished with, or None for the right to open one."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        self._waiters.append(waiter)
        timer = loop.call_later(self.timeouts.pool_wait, self._wait_expired, waiter)
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                given = waiter.result()
                if given is None:
                    self._slot_free()
                elif not given.closed:
                    self.release(given)
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            raise
        finally:
            timer.cancel()

    def _wait_expired(self, waiter: asyncio.Future[Connection | None]) -> None:
        if not waiter.done():
            waiter.set_exception(
                UpstreamBusy(
                    f"upstream {self.target}: all {self.max_connections} connections stayed in use for "
                    f"{self.timeouts.pool_wait:g} s"
                )
            )

    def _slot_free(self) -> None:
        """One connection less: pass the slot on."""
        self.open -= 1
        while self._waiters and self.open < self.max_connections:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self.open += 1
                waiter.set_result(None)

    async def _connect(self) -> Connection:
        """Open a connection in a slot that is already counted."""
        try:
            async with asyncio.timeout(self.timeouts.connect):
                connection = await self._connect_somewhere()
        except BaseException as error:
            self._slot_free()
            if isinstance(error, TimeoutError):
                raise UpstreamTimeout(
                    f"upstream {self.target}: no connection within {self.timeouts.connect:g} s"
                ) from None
            if isinstance(error, OSError):
                self._addresses.doubt()
                raise self._error(*_reason(error)) from None
            raise
        self.connects += 1
        if connection.closed:
            # It closed, or spoke first, between the handshake and this line.
            self._slot_free()
            raise self._error("the connection closed before a request was sent", "reset")
        self._connections.add(connection)
        if self._closed:
            connection.abort()
            raise self._error("the pool is closed", "closed")
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._sweep_interval, self._sweep)
        return connection

    async def _connect_somewhere(self) -> Connection:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.timeouts.connect
        addresses = await self._addresses.find()
        if self._allows is not None:
            addresses = list(filter(self._allows, addresses))
            if not addresses:
                raise UpstreamDenied(f"upstream {self.target}: none of its addresses may be connected to")
        refusal: OSError | None = None
        while True:
            try:
                sock, address = await connect(addresses, self.target.port, self._addresses.failed)
            except OSError as error:
                # A handshake that failed says more than that nobody answers at the other addresses.
                raise refusal or error from None
            try:
                if self._ssl is None or not addresses:
                    connection = await self._begin(sock)
                else:
                    # A server that accepts and keeps silent in its handshake must leave time for those after it.
                    async with asyncio.timeout((deadline - loop.time()) / (len(addresses) + 1)):
                        connection = await self._begin(sock)
            except OSError as error:
                self._addresses.failed(address)
                if not addresses:
                    raise
                refusal = error
            else:
                self._addresses.worked(address)
                return connection

    async def _begin(self, sock: socket.socket) -> Connection:
        """A connection on a connected socket, after the TLS handshake if there is to be one."""
        loop = asyncio.get_running_loop()
        connection = Connection(self, loop)
        try:
            if self._ssl is None:
                await loop.create_connection(lambda: cast(Any, connection), sock=sock)
            else:
                await connect_tls(loop, self._ssl, self.target.server_name, connection, sock)
        except BaseException:
            sock.close()
            raise
        return connection

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self._connections):
            try:
                connection.check(now)
            except Exception:
                # The others' deadlines are looked at all the same, and this one's next time.
                _log.exception("upstream %s: a connection could not be checked", self.target)
        self._sweeper = loop.call_later(self._sweep_interval, self._sweep) if self._connections else None

    def _error(self, reason: str, kind: str) -> UpstreamError:
        return UpstreamError(f"upstream {self.target}: {reason}", kind)


def _reason(error: OSError) -> tuple[str, str]:
    """One line for an operator, without addresses or descriptors: what failed; and its kind."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate was not accepted: {error.verify_message}", "tls"
    if isinstance(error, ssl.SSLError):
        # Only OpenSSL's own errors have a reason.
        return f"the TLS handshake failed: {getattr(error, 'reason', None) or 'the connection closed'}", "tls"
    if isinstance(error, UnresolvedName):
        return "its name could not be resolved", "name"
    if error.errno is not None:
        return f"no connection: {os.strerror(error.errno)}", "connect"
    return "no connection", "connect"
