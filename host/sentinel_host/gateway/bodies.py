"""The request's body on its way from the server to the upstream: one ASGI message at a time, never
collected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sentinel_host.errors import ClientError, ClientGone
from sentinel_host.gateway.started import Started
from sentinel_host.http.relay import RELAY_SOURCE, RelaySource
from sentinel_host.http.rules import end_to_end_trailers
from sentinel_host.messages import Headers

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class RequestBody:
    """A `BodySource` over ASGI ``receive``, and a `RelayableBody` where the server can relay.

    ``received`` counts bytes; ``ended`` is true once the last message was seen. The first
    ``receive`` makes a server answer ``Expect: 100-continue``, which is why nothing is read before
    the chain has let the request through. A body of more than ``limit`` bytes is refused, as soon
    as that many have come. Of its trailers, ``allowed_trailers`` are kept; None: all.
    """

    __slots__ = (
        "_allowed_trailers",
        "_first",
        "_limit",
        "_on_end",
        "_receive",
        "_relay_source",
        "_started",
        "ended",
        "received",
        "trailers",
    )

    def __init__(
        self,
        receive: Receive,
        allowed_trailers: frozenset[bytes] | None,
        on_end: Callable[[], None] | None,
        limit: int | None = None,
    ) -> None:
        self._receive = receive
        self._limit = limit
        self._allowed_trailers = allowed_trailers
        self._on_end = on_end
        self._first: bytes | None = None
        self._started: Started[Message] | None = None
        self._relay_source: RelaySource | None = None
        self.received = 0
        self.ended = False
        self.trailers: Headers = []

    async def begin(self) -> bytes | None:
        """Read the first piece; return it when it is the whole body, else keep it for `read` and
        return ``None``.
        """
        first = await self._next()
        if self.ended and not self.trailers:
            return first
        self._first = first
        return None

    def begin_at_once(self) -> bytes | None:
        """The whole body, if it has come already; what has come of another is kept for `read`."""
        started = Started(self._receive())
        if not started.is_over:
            self._started = started
            return None
        assert started.result is not None
        first = self._take(started.result)
        if self.ended and not self.trailers:
            return first
        self._first = first
        return None

    async def read(self) -> bytes:
        """The next piece, ``b""`` at the end.

        Raises `ClientGone`, `ClientError` for a body that is too large, or what the server's
        ``receive`` raises.
        """
        if self._first:
            first, self._first = self._first, None
            return first
        while not self.ended:
            data = await self._next()
            if data:
                return data
        return b""

    def relay_source(self) -> RelaySource | None:
        """As `RelayableBody.relay_source`."""
        return None if self._first else self._relay_source

    def on_relayed(self, size: int) -> None:
        """As `RelayableBody.on_relayed`."""
        self.received += size

    async def _next(self) -> bytes:
        started = self._started
        if started is None:
            return self._take(await self._receive())
        self._started = None
        return self._take(await started)

    def _take(self, message: Message) -> bytes:
        if message["type"] != "http.request":
            raise ClientGone("the client went away")
        data: bytes = message.get("body", b"")
        self.received += len(data)
        if self._limit is not None and self.received > self._limit:
            raise ClientError("request body too large", 413)
        self._relay_source = message.get(RELAY_SOURCE)
        if not message.get("more_body", False):
            self.ended = True
            trailers = message.get("trailers")
            allowed = self._allowed_trailers
            if trailers and (allowed is None or allowed):
                kept = end_to_end_trailers(trailers)
                self.trailers = kept if allowed is None else [field for field in kept if field[0] in allowed]
            if self._on_end is not None:
                self._on_end()
        return data


class DisconnectWatch:
    """Cancels the exchange when the client goes away, on servers that do not cancel by themselves.

    ASGI reports a disconnect only through ``receive``, so a task must wait there once the body is
    read.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._exchange = asyncio.current_task()
        self._watch: asyncio.Task[None] | None = None
        self.gone = False

    def start(self) -> None:
        """Begin to wait. To be called once the body is read."""
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._wait())

    def stop(self) -> None:
        """The exchange is over."""
        if self._watch is not None:
            self._watch.cancel()

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._exchange is not None:
            self._exchange.cancel()
