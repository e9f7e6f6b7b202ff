"""One request and its response: the ``receive`` and ``send`` that an ASGI application is called
with.

Rule 1: 100 Continue goes out when the application first asks for a body that has not begun to
        arrive, never after the final response began.
Rule 2: If the application returns or raises before its response is complete, the client must not
        take a part for the whole: the last chunk is left out, or the connection is reset if its end
        would mark the end of the body.
Rule 3: When the client leaves, the application is cancelled, unless its response is complete.
Rule 4: An accepted upgrade makes both bodies a tunnel: bytes without framing, and each direction
        ends by itself.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Awaitable
from typing import Any, Final

from sentinel_host.errors import ClientError, ResponseAborted
from sentinel_host.http.h1.body_relay import BodyRelay, Input
from sentinel_host.http.h1.connection import CONTINUE, Http1Connection
from sentinel_host.http.h1.response import encode_reply
from sentinel_host.http.h1.states import BY_LENGTH, TUNNELLED
from sentinel_host.http.relay import LEAST, MAX_RELAYS, RELAY, RELAY_SOURCE, Relay, RelaySource
from sentinel_host.http.server.connections import ACCEPT, EXTENSION, WHOLE
from sentinel_host.http.server.phases import BEFORE_HEAD, BODY, DONE, HEAD_HELD
from sentinel_host.http.server.replies import error_reply
from sentinel_host.http.server.sent import SENT
from sentinel_host.http.server.writer import COPY_BELOW, Writer

_log: Final = logging.getLogger(__name__)

_NOTHING: Final[deque[bytes]] = deque()


class Http1Exchange:
    """The state between one request head and the end of its response."""

    __slots__ = (
        "_chunks",
        "_complete",
        "_connection",
        "_delivered",
        "_error",
        "_input",
        "_relay_source",
        "_response",
        "_trailers",
        "_waiter",
        "_writer",
        "scope",
    )

    def __init__(
        self, connection: Http1Connection, writer: Writer, input_: Input, scope: dict[str, Any], *, complete: bool
    ) -> None:
        """Answer the request that ``connection`` has just read; it is ``complete`` if it has no
        body.
        """
        self.scope = scope
        self._connection = connection
        self._response = connection.response
        self._writer = writer
        self._input = input_
        self._chunks = _NOTHING if complete else deque()
        self._complete = complete
        self._delivered = False
        self._error: ClientError | None = None
        self._relay_source: BodyRelay | None = None
        self._trailers: list[tuple[bytes, bytes]] = []
        self._waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Wake a waiting ``receive``."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def answered(self) -> bool:
        """Whether the response is complete: the application may then go on without the client."""
        return self._response.phase == DONE and self._response.framing != TUNNELLED

    def returned(self) -> None:
        """The application is done."""
        if self._response.phase != DONE:
            _log.error("the application returned before the response to %s was complete", self.scope["raw_path"])
            self._answer_failure(500, "internal error")

    def failed(self) -> None:
        """The application raised the exception that is being handled."""
        error = sys.exception()
        if isinstance(error, ClientError):
            self._answer_failure(error.status, str(error))
            return
        if isinstance(error, ResponseAborted):
            _log.info("response aborted: %s", error)
        elif self._response.phase == DONE or not self._writer.lost:
            _log.error("the application failed on %s", self.scope["raw_path"], exc_info=error)
        self._answer_failure(500, "internal error")

    def _answer_failure(self, status: int, reason: str) -> None:
        """The application did not complete its response: send an error, unless a head was sent
        already.
        """
        self._connection.close_after_response()
        if self._response.phase < BODY and not self._writer.lost:
            reply = encode_reply(error_reply(status, reason), self._writer.connections.date_line)
            self._writer.write(self._response.replace(reply))

    # The request.

    def push(self, data: bytes, *, complete: bool, trailers: list[tuple[bytes, bytes]]) -> None:
        """Hold a piece of the body for ``receive``, the last one if ``complete``."""
        self._complete = complete
        self._trailers = trailers
        if data:
            self._chunks.append(data)
        self.wake()

    def fail(self, error: ClientError) -> None:
        """The rest of the body will not come: ``receive`` raises once what came before is read."""
        if self._error is None:
            self._error = error
            self.wake()
            if self._relay_source is not None:
                self._relay_source.arrival.ring_soon()

    async def receive(self) -> dict[str, Any]:
        """The next ``http.request``, or ``http.disconnect``.

        The last ``http.request`` carries ``trailers``, if there were any. Raises `ClientError` when
        the body is malformed, too large or too slow.
        """
        while True:
            if self._chunks:
                data = self._chunks.popleft()
                self._taken(len(data))
                if self._chunks or not self._complete:
                    return self._piece(data)
                return self._last(data)
            if self._complete and not self._delivered:
                return self._last(b"")
            response = self._response
            if self._writer.lost or (response.phase == DONE and (response.framing != TUNNELLED or self._delivered)):
                return {"type": "http.disconnect"}
            if self._error is not None:
                raise self._error
            if self._connection.expects and response.phase == BEFORE_HEAD:
                self._writer.write(CONTINUE)
                self._connection.await_body(self._writer.loop.time())
            if self._waiter is not None and not self._waiter.done():
                raise RuntimeError("receive() is already awaited")
            waiter = self._waiter = self._writer.loop.create_future()
            await waiter

    def _piece(self, data: bytes) -> dict[str, Any]:
        message = {"type": "http.request", "body": data, "more_body": True}
        if not self._chunks and self._connection.relayable() >= LEAST and RELAY in self.scope["extensions"]:
            if self._relay_source is None:
                self._relay_source = BodyRelay(self._connection, self._writer, self._input)
            message[RELAY_SOURCE] = self._relay_source
        return message

    def _last(self, data: bytes) -> dict[str, Any]:
        self._delivered = True
        message = {"type": "http.request", "body": data, "more_body": False}
        if self._trailers:
            message["trailers"] = self._trailers
        return message

    def _taken(self, size: int) -> None:
        connection = self._connection
        # An application may read on after its response, when the connection serves another request.
        if connection.response is self._response and connection.taken(size):
            connection.resume(self._writer.loop.time())
            self._input.sync_input()

    # The response.

    def send(self, message: dict[str, Any]) -> Awaitable[None]:
        """Take one ASGI message at once; what is returned waits only while the client reads more
        slowly than the application writes.

        Raises `ValueError` for what may not be written, `RuntimeError` for messages out of order or
        a body that does not fit its content-length, `OSError` once the client is gone.
        """
        writer = self._writer
        if writer.lost:
            raise ConnectionResetError("the client is gone")
        kind = message["type"]
        # The most frequent first: each comparison is a call.
        if kind == WHOLE:
            self._response.start(message["status"], message["headers"], trailers=False)
            self._send_body(message["body"], False)
        elif kind == "http.response.start":
            self._response.start(message["status"], message.get("headers", ()), trailers=message.get("trailers", False))
            return SENT
        elif kind == "http.response.body":
            self._send_body(message.get("body", b""), message.get("more_body", False))
        elif kind == RELAY:
            return self._relay(message["source"])
        elif kind == "http.response.trailers":
            block = self._response.trailers(message.get("headers", ()), message.get("more_trailers", False))
            if block:
                writer.write(block)
            self._note_end()
        elif kind == "http.response.informational":
            self._send_informational(message)
        elif kind == ACCEPT:
            self._accept(message.get("headers", ()))
        else:
            raise RuntimeError(f"unknown message {kind!r}")
        return writer.drained() if writer.blocked() else SENT

    def _send_body(self, data: Any, more: bool) -> None:
        if type(data) is not bytes:
            # A bytearray may change while the transport still holds it; a view is sent as it is.
            data = data.cast("B") if type(data) is memoryview else bytes(data)
        response = self._response
        head = b""
        if response.phase == HEAD_HELD:
            close = self._connection.closes_after(response.frame(len(data), more), more)
            head = response.head(date=self._writer.connections.date_line, close=close)
        parts = response.body(data, more)
        if len(data) > COPY_BELOW:
            if head:
                self._writer.write(head)
            for part in parts:
                if part:
                    self._writer.write(part)
        else:
            payload = head + data if response.framing == BY_LENGTH else b"".join((head, *parts))
            if payload:
                self._writer.write(payload)
        self._connection.progressed = True
        self._note_end()

    async def _relay(self, source: RelaySource) -> None:
        if self._response.phase != BODY:
            raise RuntimeError(f"{RELAY} out of order")
        if self._response.framing != BY_LENGTH:
            return
        connections = self._writer.connections
        if connections.relays >= MAX_RELAYS:
            return
        connections.relays += 1
        try:
            await Relay(source, self).run()
        finally:
            connections.relays -= 1

    async def emptied(self) -> int:
        """A relay waits until what was written before it has left."""
        return await self._writer.emptied()

    def relayed(self, size: int) -> None:
        """A relay has written bytes of the response."""
        self._response.relayed(size)
        self._writer.relayed(size)
        self._connection.progressed = True

    def block(self, blocked: bool) -> None:
        """A relay finds that the socket takes nothing, or that it takes more again."""
        if blocked:
            self._writer.pause()
        else:
            self._writer.resume()

    def break_off(self) -> None:
        """A relay finds that the client has gone."""
        self._writer.abort()

    def _note_end(self) -> None:
        response = self._response
        if response.phase == DONE:
            if response.framing == TUNNELLED:
                # The client may still send.
                self._writer.end()
            if self._waiter is not None:
                self.wake()

    def _accept(self, headers: Any) -> None:
        offer = self.scope["extensions"].get(EXTENSION)
        if offer is None or self._response.phase != BEFORE_HEAD:
            raise RuntimeError(f"{ACCEPT} out of order, or without a request for it")
        self._writer.write(self._response.switch(offer["protocol"], headers))
        self._delivered = False
        self._chunks = deque()
        rest = self._connection.switch(self._writer.loop.time())
        self._complete = self._connection.complete
        if rest:
            self._chunks.append(rest)
            self.wake()
        self._input.sync_input()

    def _send_informational(self, message: dict[str, Any]) -> None:
        status = message["status"]
        data = self._response.informational(status, message.get("headers", ()))
        if status == 100:
            self._connection.expects = False
        if data:
            self._writer.write(data)
            self._connection.progressed = True
