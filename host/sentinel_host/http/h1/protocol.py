"""HTTP/1.1 on a transport: does what `Http1Connection` decides."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any, Final, cast

from sentinel_host.http.h1.actions import (
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
)
from sentinel_host.http.h1.connection import Http1Connection
from sentinel_host.http.h1.exchange import Http1Exchange
from sentinel_host.http.h1.response import encode_reply
from sentinel_host.http.h1.states import BODY
from sentinel_host.http.h1.task import RequestTask
from sentinel_host.http.server.connections import Connections, Listener
from sentinel_host.http.server.limit_exceeded import LimitExceeded
from sentinel_host.http.server.replies import error_reply
from sentinel_host.http.server.scope import ScopeBuilder
from sentinel_host.http.server.writer import LEFT_TO_KERNEL, Writer

# Connections beyond a limit that are answered with 503 at one time. More are closed without an
# answer.
_MAX_REFUSALS: Final = 100


class Http1Protocol:
    """An `asyncio.Protocol` in all but name, for a class that inherits from it is not compiled.

    Made by the accept loop for each connection, with what its listener and its worker share.
    """

    __slots__ = (
        "_batch",
        "_clock",
        "_extensions",
        "_listener",
        "_paused",
        "_refused",
        "_requests",
        "_scopes",
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
        # Made once: a method that is called by its name is looked up each time.
        self._clock = connections.loop.time
        self._batch = connections.batch
        self.connection = Http1Connection(
            connections.limits,
            connections.limits_hit,
            self._clock(),
            upgradable=listener.upgrade_to_http2 is not None,
        )
        self._requests = RequestTask(listener.app, self.connection, self.writer, self._finish)
        self._paused = self._refused = False

    # The transport's calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected, and the TLS handshake is done if there is one."""
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
                self._act(self.connection.refuse(error, self._clock()))
        elif http2:
            self._act(self.connection.upgrade(b""))

    def connection_lost(self, exc: Exception | None) -> None:
        """Both directions are gone: an application that still answers is cancelled."""
        self.writer.lose()
        connections = self.connections
        connections.active.discard(self)
        connections.refused -= self._refused
        connections.release(self._scopes.client_host)
        self._requests.lose()

    def data_received(self, data: bytes) -> None:
        """Bytes, cut anywhere."""
        batch = self._batch
        batch.enter()
        try:
            self._act(self.connection.receive(data, self._clock()))
        finally:
            batch.leave()

    def eof_received(self) -> bool:
        """The client shut its write side."""
        self._act(self.connection.receive_eof(self._clock()))
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
                # The response is still on its way to a slow reader, which the write deadline
                # watches.
                self._linger()
                return
            action = CLOSE
        self._act(action)

    def wind_down(self) -> None:
        """The worker is shutting down: close now if nothing is on its way, or after the next
        response.
        """
        self._act(self.connection.stop(self._clock()))

    @property
    def is_idle(self) -> bool:
        """Whether no request is being read or answered."""
        return self.connection.is_idle

    def close_if_idle(self) -> None:
        """Close unless a request is being read or answered."""
        self._act(self.connection.close_if_idle(self._clock()))

    def abort(self) -> None:
        """End at once: grace is over."""
        self.writer.abort()

    # What the connection asks for.

    def _act(self, action: int) -> None:
        connection = self.connection
        if action == REQUEST:
            self._requests.exchange = self._exchange()
            # What has come of the body, before the application asks for it.
            if connection.state == BODY:
                while (action := connection.read_ahead(self._clock())) != NOTHING:
                    self._pass_on(action)
            self._requests.serve()
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
        exchange = self._requests.exchange
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
            self._requests.lose()
            upgrade = self._listener.upgrade_to_http2
            assert upgrade is not None
            upgrade(self.transport, connection.data)
            return
        if action == REFUSAL:
            error = connection.error
            writer.write(encode_reply(error_reply(error.status, str(error)), self.connections.date_line))
            action = CLOSE if connection.eof else LINGER
        writer.flush()
        if action == LINGER:
            self._linger()
            writer.end()
        elif action == CLOSE:
            # Do not close while the kernel would keep much data for a client that does not read.
            if writer.unsent() > LEFT_TO_KERNEL and not self.connections.closing and writer.end():
                self._linger()
            else:
                writer.close()
        elif action == RESET:
            writer.reset()
        elif action == CUT_OFF:
            writer.cut_off()

    def _linger(self) -> None:
        self.connection.linger(self._clock())
        if self.writer.deadline == inf:
            self.writer.watch()

    def _exchange(self) -> Http1Exchange:
        """The exchange of the request whose head was just read."""
        connection = self.connection
        self.connections.requests += 1
        head, connection.head = connection.head, None
        assert head is not None
        listener = self._listener
        extensions = listener.upgrading(head.upgrade, required=False) if head.upgrade else self._extensions
        version = "1.1" if connection.http11 else "1.0"
        scope = self._scopes.request(listener, version, connection.method, head.target, head.headers, extensions)
        return Http1Exchange(connection, self.writer, self, scope, complete=head.length == 0)

    def _finish(self) -> None:
        self._act(self.connection.finish(self._clock()))
