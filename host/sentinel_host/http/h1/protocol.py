"""HTTP/1.1 on a transport: what `Http1Connection` asks for is done here, and nothing is decided.

Rule 1: One task serves all requests of a connection, and waits between them: to make one takes longer than to parse a
        head. It begins with the first request. What a request did to it is not the next one's affair: a task that was
        cancelled, is to be, or has other context variables than before is left, and the next request begins a new one.
"""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from math import inf
from typing import Any, Final, cast

from sentinel_host.http.h1.connection import (
    CLOSE,
    CUT_OFF,
    DATA,
    FAULT,
    LINGER,
    LINGERED,
    NOTHING,
    REFUSAL,
    REQUEST,
    RESET,
    STALLED,
    UPGRADE,
    Http1Connection,
)
from sentinel_host.http.h1.exchange import Http1Exchange
from sentinel_host.http.h1.response import encode_reply
from sentinel_host.http.h1.states import BODY, ENDING
from sentinel_host.http.server.connections import Connections, Listener
from sentinel_host.http.server.limits import LimitExceeded
from sentinel_host.http.server.replies import error_reply
from sentinel_host.http.server.scope import ScopeBuilder
from sentinel_host.http.server.writer import LEFT_TO_KERNEL, Writer

# How many connections beyond a limit are answered at one time; a flood is cut off without a word.
_MAX_REFUSALS: Final = 100


class Http1Protocol:
    """An `asyncio.Protocol` in all but name, for a class that inherits from it is not compiled.

    Made by the accept loop for each connection, with what its listener and its worker share.
    """

    __slots__ = (
        "_called",
        "_exchange",
        "_extensions",
        "_listener",
        "_loop",
        "_paused",
        "_refused",
        "_scopes",
        "_task",
        "connection",
        "connections",
        "transport",
        "writer",
    )

    transport: asyncio.Transport
    _scopes: ScopeBuilder

    def __init__(self, listener: Listener, extensions: dict[str, dict[str, Any]], connections: Connections) -> None:
        self.connections = connections
        self.writer = Writer(connections)
        self._listener = listener
        self._extensions = extensions
        self._loop = connections.loop
        self.connection = Http1Connection(
            connections.limits,
            connections.limits_hit,
            connections.loop.time(),
            upgradable=listener.upgrade_to_http2 is not None,
        )
        self._exchange: Http1Exchange | None = None
        self._paused = self._refused = False
        self._task: asyncio.Task[None] | None = None
        # What the task waits for between two requests.
        self._called: asyncio.Future[None] | None = None

    # The transport's calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted, and through with the handshake where there is one."""
        self.transport = cast(asyncio.Transport, transport)
        self.writer.attach(transport)
        self._scopes = ScopeBuilder.of(transport)
        connections = self.connections
        exceeded = connections.admit(self._scopes.client_host)
        connections.active.add(self)
        if connections.closing:
            self.wind_down()
        tls = transport.get_extra_info("ssl_object")
        http2 = tls is not None and tls.selected_alpn_protocol() == "h2"
        if exceeded is not None:
            self._refused = True
            connections.refused += 1
            if http2 or connections.refused > _MAX_REFUSALS:
                connections.hit(exceeded)
                self.abort()
            else:
                error = LimitExceeded(exceeded, "too many connections", 503)
                self._act(self.connection.refuse(error, self._loop.time()))
        elif http2:
            self._act(self.connection.upgrade(b""))

    def connection_lost(self, exc: Exception | None) -> None:
        """Both directions are gone: an application that still answers is cancelled."""
        self.writer.lose()
        connections = self.connections
        connections.active.discard(self)
        connections.refused -= self._refused
        connections.release(self._scopes.client_host)
        task = self._task
        if task is None:
            return
        connections.keep(task)
        exchange = self._exchange
        if exchange is None:
            self._call()
            return
        exchange.wake()
        if not exchange.answered():
            task.cancel()
            # One that is cancelled before its first step never runs, not even to let go of these.
            self._task = self._exchange = None

    def data_received(self, data: bytes) -> None:
        """Bytes, cut anywhere."""
        self._act(self.connection.receive(data, self._loop.time()))

    def eof_received(self) -> bool:
        """The client shut its write side."""
        self._act(self.connection.receive_eof(self._loop.time()))
        return True

    def pause_writing(self) -> None:
        """The transport holds more than its high-water mark."""
        self.writer.pause()

    def resume_writing(self) -> None:
        """The transport is below its low-water mark."""
        self.writer.resume()

    # The worker's calls.

    def next_deadline(self) -> float:
        """When `expire` is to be called."""
        return min(self.connection.read_deadline, self.writer.deadline)

    def expire(self, now: float) -> None:
        """A deadline passed."""
        writer = self.writer
        if writer.deadline <= now:
            writer.expire(now)
            return
        connection = self.connection
        action = connection.expire(now)
        if action == STALLED:
            # While the response does not leave, the write deadline watches the client.
            still_reads = (connection.state == BODY and writer.paused) or writer.still_reads(now)
            action = connection.stalled(now, still_reads=still_reads)
        elif action == LINGERED:
            if writer.unsent() > LEFT_TO_KERNEL:
                # The answer is still on its way to a slow reader, whom the write deadline watches.
                self._linger()
                return
            action = CLOSE
        self._act(action)

    def wind_down(self) -> None:
        """The worker is shutting down: close now if nothing is on its way, or after the next response."""
        self._act(self.connection.stop(self._loop.time()))

    def close_if_idle(self) -> None:
        """Close unless a request is being read or answered."""
        self._act(self.connection.close_if_idle(self._loop.time()))

    def abort(self) -> None:
        """End at once: grace is over."""
        self.writer.abort()

    # What the connection asks for.

    def _act(self, action: int) -> None:
        connection = self.connection
        if action == REQUEST:
            self._begin_exchange()
            while (action := connection.read_ahead(self._loop.time())) != NOTHING:
                self._pass_on(action)
            self._serve_exchange()
        elif action in (DATA, FAULT):
            self._pass_on(action)
        elif action != NOTHING:
            self._end(action)
        if connection.paused != self._paused:
            self.sync_input()

    def sync_input(self) -> None:
        """Pause or resume the transport, as the connection wants."""
        paused = self.connection.paused
        if paused != self._paused:
            self._paused = paused
            if paused:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def _pass_on(self, action: int) -> None:
        connection = self.connection
        exchange = self._exchange
        assert exchange is not None
        if action == DATA:
            exchange.push(connection.data, complete=connection.complete, trailers=connection.trailers)
            connection.data = b""
        else:
            exchange.fail(connection.error)

    def _end(self, action: int) -> None:
        connection = self.connection
        writer = self.writer
        if action == UPGRADE:
            # The connection stays counted: its new protocol calls `Connections.release`.
            self.connections.active.discard(self)
            upgrade = self._listener.upgrade_to_http2
            assert upgrade is not None
            upgrade(self.transport, connection.data)
            return
        if action == REFUSAL:
            error = connection.error
            writer.write(encode_reply(error_reply(error.status, str(error)), self.connections.date))
            action = CLOSE if connection.eof else LINGER
        writer.flush()
        if action == LINGER:
            self._linger()
            writer.end()
        elif action == CLOSE:
            # No more is left to the kernel than it may have of a client that does not read.
            if writer.unsent() > LEFT_TO_KERNEL and not self.connections.closing and writer.end():
                self._linger()
            else:
                writer.close()
        elif action == RESET:
            writer.reset()
        elif action == CUT_OFF:
            writer.cut_off()

    def _linger(self) -> None:
        self.connection.linger(self._loop.time())
        if self.writer.deadline == inf:
            self.writer.watch()

    # Requests.

    def _begin_exchange(self) -> None:
        connection = self.connection
        self.connections.requests += 1
        head, connection.head = connection.head, None
        assert head is not None
        listener = self._listener
        extensions = listener.upgrading(head.upgrade, required=False) if head.upgrade else self._extensions
        version = "1.1" if connection.http11 else "1.0"
        scope = self._scopes.request(listener, version, connection.method, head.target, head.headers, extensions)
        self._exchange = Http1Exchange(connection, self.writer, self, scope, complete=head.length == 0)

    def _serve_exchange(self) -> None:
        if self._task is None:
            self._begin(copy_context())
        else:
            self._call()

    def _begin(self, context: Context) -> None:
        # Past the loop's `create_task`: to number every task in its name takes as long as to make it.
        self._task = asyncio.Task(self._serve(), loop=self._loop, name="requests", context=context)

    def _call(self) -> None:
        called = self._called
        if called is not None and not called.done():
            called.set_result(None)

    async def _serve(self) -> None:
        """The task: a request, and all that come after it."""
        context = copy_context()
        try:
            while not self.writer.lost:
                exchange = self._exchange
                assert exchange is not None
                try:
                    await self._listener.app(exchange.scope, exchange.receive, exchange.send)
                    exchange.returned()
                except Exception:
                    exchange.failed()
                finally:
                    self._exchange = None
                    if not self.writer.lost:
                        self._act(self.connection.finish(self._loop.time()))
                # An idle connection keeps nothing of its last request.
                del exchange
                task = self._task
                if self.writer.lost or self.connection.state == ENDING or task is None:
                    return
                if task.cancelling() or copy_context() != context:
                    return
                del task
                if self._exchange is None:
                    self._called = self._loop.create_future()
                    await self._called
                else:
                    # Who sends many requests at once still leaves the loop to others between them.
                    await asyncio.sleep(0)
        finally:
            self._task = None
            if self._exchange is not None and not self.writer.lost:
                self._begin(context)
