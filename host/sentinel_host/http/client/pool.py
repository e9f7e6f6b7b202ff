"""The connections to one target.

Rules:
1. ``open`` counts connections that exist or are being made; it never exceeds ``max_connections``.
   What lowers it (``on_closed``, ``_slot_free``) passes the slot on to the first waiter.
2. While requests wait, no connection is idle and no slot is free: later requests cannot overtake.
3. The most recently used connection is taken first, so that surplus connections become idle and
   expire.
4. One timer for all, which other pools share (`Sweeps`): it runs while connections exist.
5. A connection that has changed its protocol may last for days and serves no other request: it
   gives its slot back, and is one of the ``tunnels``, which have a limit of their own.
6. A connection that began with a PROXY header serves only requests with the same one: those of the
   same client's connection. Where others wait, it makes room for a new one.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from random import random
from typing import Final

from sentinel_host.errors import Progress, UpstreamBusy, UpstreamError
from sentinel_host.http.batch import batch_of
from sentinel_host.http.client.connection import ClientConnection, ConnectionOwner
from sentinel_host.http.client.connector import Connector
from sentinel_host.http.client.request import IDEMPOTENT, UpstreamRequest, encode_head
from sentinel_host.http.client.response import UpstreamResponse
from sentinel_host.http.client.sweeps import Sweeps, Swept, interval_of
from sentinel_host.http.client.target import Target, Timeouts
from sentinel_host.net import Names

_log: Final = logging.getLogger(__name__)
_DEFAULT_TIMEOUTS: Final = Timeouts()


class UpstreamPool(ConnectionOwner, Swept):
    """A keep-alive pool for one target, to be used from one event loop.

    A connection serves for ``max_age`` seconds and for ``max_requests`` at most, each less a random
    tenth, so that those that began together do not end together; 0: for as long as it works.
    ``fixed`` are the target's addresses, where its name is not to be looked up here.
    ``proxy_header`` is what connections begin with for requests that bring no PROXY header of their
    own; empty: this target is sent none.

    ``allows`` is asked for every address that the target's name has, before it is connected to.
    ``names`` looks it up, and is the pool's own unless it is given. So is ``sweeps``.

    For metrics: ``open`` connections, ``idle`` ones, requests ``waiting`` for one; ``connects``,
    ``reuses`` and ``failures`` (requests that ended in an UpstreamError) count up.
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
        proxy_header: bytes = b"",
        sweeps: Sweeps | None = None,
    ) -> None:
        self.target = target
        self.authority = target.authority
        self.timeouts = timeouts
        self.max_connections = max_connections
        self.max_tunnels = max_tunnels
        self.open = 0
        self.tunnels = 0
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
        )
        self.connections: set[ClientConnection] = set()
        self._max_head_bytes = max_head_bytes
        self._max_age = max_age
        self._max_requests = max_requests
        self._proxy_header = proxy_header
        self._tunnels: set[ClientConnection] = set()
        self._idle: list[ClientConnection] = []
        self._waiters: deque[asyncio.Future[ClientConnection | None]] = deque()
        self._sweeps = Sweeps() if sweeps is None else sweeps
        self._shortest = min(timeouts.response, timeouts.keepalive, timeouts.idle or timeouts.response)
        self._sweep_interval = interval_of(self._shortest)
        # While all connections are idle.
        self._resting_interval = interval_of(timeouts.keepalive)
        # Whether the next sweep is one of idle connections only, and the first request must have it
        # brought forward.
        self._rests = False
        self._uses = 0  # as of the last sweep
        self._closed = False
        self._drains = False

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send a request and wait for the head of its final response.

        Raises UpstreamError (refused, broke off, not HTTP), UpstreamTimeout (connect or response),
        UpstreamBusy, what the BodySource raised, or SentinelError for a head that must not be sent.
        A request is sent a second time, on a new connection, only if its method is idempotent, its
        body is in memory, and a kept connection died before a byte of the answer. One of which
        nothing was sent yet goes out on another in any case.
        """
        head = encode_head(request)
        if request.upgrade and self.tunnels >= self.max_tunnels:
            self.failures += 1
            raise UpstreamBusy(f"upstream {self.target}: {self.tunnels} connections have changed their protocol")
        if request.shortest_timeout < self._shortest:
            self._look_as_often_as(request.shortest_timeout)
        sent = False
        proxy_header = (request.proxy_header or self._proxy_header) if self._proxy_header else b""
        connection = self._take_idle(proxy_header)
        try:
            while True:
                if connection is None:
                    # Kept ones are what a request that is sent again has failed on.
                    connection = await self._acquire(proxy_header, new=sent)
                response = connection.start(request, head)
                try:
                    while response.awaits_head():
                        await response.arrival
                    return response
                except UpstreamError as error:
                    if error.progress != Progress.UNSENT:
                        kept_one_died = connection.used and error.kind == "reset" and error.progress == Progress.SENT
                        if sent or not kept_one_died or not _is_repeatable(request):
                            raise
                        sent = True
                except BaseException:
                    response.abort()
                    raise
                # Out of the handler: compiled, what waits inside one shows its exception to
                # whatever runs meanwhile.
                connection = None if sent else self._take_idle(proxy_header)
        except UpstreamError as error:
            self.failures += 1
            if sent and error.progress == Progress.UNSENT:
                error.progress = Progress.SENT  # the kept connection's upstream may have seen it
            raise

    def learn(self) -> None:
        """Look the target's name up now, if it has not been: the name service may fail when it is
        needed.
        """
        self.connector.addresses.learn()

    def drain(self) -> None:
        """Keep no connection any more: idle ones close now, others with their request."""
        self._drains = True
        for connection in list(self._idle):
            connection.retire()

    async def close(self) -> None:
        """Close every connection; requests under way and waiting fail with UpstreamError. For
        good.
        """
        self._closed = True
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(self._error("the pool is closed", "closed"))
        for connection in list(self.connections):
            connection.break_off("the pool is closed", "closed")
        self.connector.close()
        self._sweeps.end(self)
        await asyncio.sleep(0)  # the transports tell their protocols in the next turn of the loop

    # As the owner of its connections

    def on_idle(self, connection: ClientConnection) -> None:
        """Take back a connection that has served its request and may serve another."""
        connection.requests_left -= 1
        if not connection.requests_left or (
            self._max_age and connection.retires_at <= asyncio.get_running_loop().time()
        ):
            connection.retire()
            return
        self._pass_on(connection)

    def on_closed(self, connection: ClientConnection) -> None:
        """Strike out a connection that is being closed."""
        if connection in self.connections:
            self.connections.remove(connection)
            if connection in self._tunnels:
                self._tunnels.remove(connection)
                self.tunnels -= 1
                return
            if connection in self._idle:
                self._idle.remove(connection)
            self._slot_free()

    def on_tunnel(self, connection: ClientConnection) -> None:
        """A connection has changed its protocol: its slot is for others."""
        self._tunnels.add(connection)
        self.tunnels += 1
        self._slot_free()

    def on_failure(self, error: UpstreamError) -> None:
        """Count a response that broke off after its head; `send` counts what fails before."""
        self.failures += 1

    # How a request comes by a connection

    def _take_idle(self, proxy_header: bytes) -> ClientConnection | None:
        if not self._idle:
            return None
        connection = self._idle[-1]
        if connection.proxy_header != proxy_header:
            fitting = [each for each in self._idle if each.proxy_header == proxy_header]
            if not fitting:
                return None
            connection = fitting[-1]
            self._idle.remove(connection)
        else:
            self._idle.pop()
        self.reuses += 1
        if self._rests:
            self._sweep_soon()
        return connection

    async def _acquire(self, proxy_header: bytes, *, new: bool = False) -> ClientConnection:
        while True:
            if self._closed:
                raise self._error("the pool is closed", "closed")
            if (new or proxy_header) and self._idle and self.open >= self.max_connections:
                self._idle[0].abort()
            if self.open < self.max_connections:
                self.open += 1
                return await self._connect(proxy_header)
            connection = await self._wait()
            if connection is None:
                return await self._connect(proxy_header)
            if new:
                # Kept ones are what this request has just failed on: this one makes room for a new
                # one.
                connection.abort()
            elif not connection.closed:
                self.reuses += 1
                return connection

    def _pass_on(self, connection: ClientConnection) -> None:
        if self._waiters and connection.proxy_header:
            connection.retire()
            return
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    async def _wait(self) -> ClientConnection | None:
        """A connection that another request has finished with, or None for the right to open
        one.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[ClientConnection | None] = loop.create_future()
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
                    self._pass_on(given)
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            raise
        finally:
            timer.cancel()

    def _wait_expired(self, waiter: asyncio.Future[ClientConnection | None]) -> None:
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

    async def _connect(self, proxy_header: bytes) -> ClientConnection:
        """Open a connection in a slot that is already counted."""
        try:
            connection = await self.connector.connect(self.make, proxy_header)
        except BaseException:
            self._slot_free()
            raise
        connection.proxy_header = proxy_header
        self._begin(connection)
        return connection

    def make(self) -> ClientConnection:
        """A connection of this pool that is not connected yet."""
        loop = asyncio.get_running_loop()
        return ClientConnection(
            self,
            self.target,
            self.timeouts,
            self._max_head_bytes,
            batch_of(loop),
            loop,
        )

    def adopt(self, connection: ClientConnection) -> None:
        """Take a connection that `make` has made and that somebody else has connected. Raises
        UpstreamError.
        """
        self.open += 1
        self._begin(connection)
        self._pass_on(connection)

    def _begin(self, connection: ClientConnection) -> None:
        """Own a connection that is connected, in a slot that is counted. Raises UpstreamError."""
        self.connects += 1
        if connection.closed:
            # It closed, or spoke first, between the handshake and this line.
            self._slot_free()
            raise self._error("the connection closed before a request was sent", "reset")
        if self._max_age:
            now = asyncio.get_running_loop().time()
            connection.retires_at = now + self._max_age * (1 - random() / 10)
        if self._max_requests:
            connection.requests_left = max(1, round(self._max_requests * (1 - random() / 10)))
        self.connections.add(connection)
        if self._closed:
            connection.abort()
            raise self._error("the pool is closed", "closed")
        self._sweep_soon()

    def sweep(self, now: float) -> float:
        """Part of `Swept`."""
        if self._max_age:
            for connection in [each for each in self._idle if each.retires_at <= now]:
                connection.retire()
        for connection in list(self.connections):
            try:
                connection.check(now)
            except Exception:
                # The others' deadlines are looked at all the same, and this one's next time.
                _log.exception("upstream %s: a connection could not be checked", self.target)
        if not self.connections:
            self._rests = False
            return 0.0
        uses = self.connects + self.reuses
        self._rests = (
            uses == self._uses
            and len(self._idle) == len(self.connections)
            and self._resting_interval > self._sweep_interval
        )
        self._uses = uses
        return self._resting_interval if self._rests else self._sweep_interval

    def _look_as_often_as(self, timeout: float) -> None:
        self._shortest = timeout
        self._sweep_interval = interval_of(timeout)
        if self.connections:
            self._sweep_soon()

    def _sweep_soon(self) -> None:
        self._rests = False
        self._sweeps.every(self._sweep_interval, self)

    def _error(self, reason: str, kind: str) -> UpstreamError:
        return UpstreamError(f"upstream {self.target}: {reason}", kind, Progress.UNSENT)


def _is_repeatable(request: UpstreamRequest) -> bool:
    return request.method in IDEMPOTENT and isinstance(request.body, bytes)
