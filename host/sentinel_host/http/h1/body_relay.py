"""The rest of a request's body, which a relay takes from the client's socket."""

from __future__ import annotations

import os
from typing import Protocol, cast

from sentinel_host.http.h1.connection import Http1Connection
from sentinel_host.http.h1.framer import ResponseFramer
from sentinel_host.http.h1.states import BODY
from sentinel_host.http.relay import MAX_RELAYS
from sentinel_host.http.server.writer import Writer
from sentinel_host.http.wakeup import Wakeup


class Input(Protocol):
    """Where a connection's bytes come from."""

    def sync_input(self) -> None:
        """Pause or resume reading, as `Http1Connection.paused` says."""


class BodyRelay:
    """A `RelaySource`, for one request; ``arrival`` is also to be rung when the body fails."""

    __slots__ = ("_connection", "_input", "_response", "_writer", "arrival")

    def __init__(self, connection: Http1Connection, writer: Writer, input_: Input) -> None:
        self._connection = connection
        self._writer = writer
        self._input = input_
        self._response: ResponseFramer = connection.response
        self.arrival = Wakeup(writer.loop)

    def relayable(self) -> int:
        """Part of `RelaySource`."""
        writer = self._writer
        if not self._is_current() or writer.lost or writer.connections.relays >= MAX_RELAYS:
            return 0
        return 0 if writer.transport.is_closing() else self._connection.relayable()

    def begin_relay(self) -> int:
        """Part of `RelaySource`."""
        writer = self._writer
        descriptor = os.dup(cast(int, writer.transport.get_extra_info("socket").fileno()))
        writer.connections.relays += 1
        self._connection.begin_relay()
        self._input.sync_input()
        return descriptor

    def relayed(self, size: int) -> None:
        """Part of `RelaySource`."""
        if self._is_current():
            self._connection.relayed(size, self._writer.loop.time())

    def stall(self, stalled: bool) -> None:
        """Part of `RelaySource`."""
        if self._is_current():
            self._connection.stall(stalled, self._writer.loop.time())

    def is_alive(self) -> bool:
        """Part of `RelaySource`."""
        return self._is_current() and self._connection.state == BODY and not self._writer.lost

    def end_relay(self) -> None:
        """Part of `RelaySource`."""
        writer = self._writer
        writer.connections.relays -= 1
        if self._is_current() and not writer.lost:
            self._connection.end_relay(writer.loop.time())
            self._input.sync_input()

    def _is_current(self) -> bool:
        """Whether the connection has not gone on to another request."""
        return self._connection.response is self._response
