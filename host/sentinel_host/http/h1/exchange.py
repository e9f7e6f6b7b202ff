"""One request and its response: the ``receive`` and ``send`` that an ASGI application is called with.

Rule 1: The head of a response waits for the first body message and leaves with it in one write (ASGI: a server must not
        send the head before). An application that wants it out early sends an empty body with ``more_body``.
Rule 2: 100 Continue goes out when the application first asks for a body that has not begun to arrive, never after the
        final response began.
Rule 3: A response that is not complete when the application returns or raises ends without its last chunk, or, where
        only the connection's end marks the body's, with a reset: a client must never take a part for the whole.
Rule 4: Once the response is complete, the client's going away no longer cancels the application.
Rule 5: An accepted upgrade makes both bodies a tunnel: bytes without framing, each direction with an end of its own.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from sentinel_host.errors import ClientError, ResponseAborted
from sentinel_host.http.h1.response import encode_fields, encode_head, encode_informational, encode_switch
from sentinel_host.http.h1.states import BY_CHUNKS, BY_LENGTH, NO_BODY, TUNNEL, UNTIL_CLOSE
from sentinel_host.http.server.connections import ACCEPT, EXTENSION
from sentinel_host.http.server.phases import BEFORE_HEAD, BODY, DONE, HEAD_HELD, TRAILERS
from sentinel_host.http.server.received import Received
from sentinel_host.http.server.writer import COPY_BELOW

if TYPE_CHECKING:
    from sentinel_host.http.h1.protocol import Http1Protocol

_log: Final = logging.getLogger(__name__)

# What holding a chunk costs beside its bytes: a body of single bytes must fill the buffer, not the memory.
_CHUNK_COST: Final = 64


_NOTHING: Final[deque[bytes]] = deque()


class Exchange(Received):
    """The state between one request head and the end of its response."""

    __slots__ = (
        "_bodyless",
        "_buffered",
        "_chunks",
        "_close",
        "_dated",
        "_head",
        "_left",
        "_trailers_follow",
        "framing",
        "http11",
        "lane",
        "scope",
        "wrote",
    )

    def __init__(self, lane: Http1Protocol, scope: dict[str, Any], http11: bool, has_body: bool, expects: bool) -> None:
        super().__init__(not has_body, expects)
        self.lane = lane
        self.scope = scope
        self.http11 = http11
        self.framing = NO_BODY
        self.wrote = False
        self._chunks = deque() if has_body else _NOTHING
        self._buffered = 0

    def returned(self) -> None:
        """The application is done."""
        if self.phase != DONE:
            _log.error("the application returned before the response to %s was complete", self.scope["raw_path"])
            self.lane.answer_failure(self, 500, "internal error")

    def failed(self) -> None:
        """The application raised the exception that is being handled."""
        error = sys.exception()
        if isinstance(error, ClientError):
            self.lane.answer_failure(self, error.status, str(error))
            return
        if isinstance(error, ResponseAborted):
            _log.info("response aborted: %s", error)
        elif self.phase == DONE or not self.lane.writer.lost:
            _log.error("the application failed on %s", self.scope["raw_path"], exc_info=error)
        self.lane.answer_failure(self, 500, "internal error")

    # The request.

    def push(self, data: bytes) -> int:
        """Hold a piece of the body for ``receive``; how much is held now, as the limit counts it."""
        self._chunks.append(data)
        self._buffered += len(data) + _CHUNK_COST
        self.wake()
        return self._buffered

    def fail(self, error: ClientError) -> None:
        """The rest of the body will not come: ``receive`` raises once what came before is read."""
        if self._error is None:
            self._error = error
            self.wake()

    async def receive(self) -> dict[str, Any]:
        """The next ``http.request``, or ``http.disconnect``.

        The last ``http.request`` carries ``trailers``, if there were any. Raises `ClientError` when the body is
        malformed, too large or too slow.
        """
        while True:
            if self._chunks:
                data = self._chunks.popleft()
                self._buffered -= len(data) + _CHUNK_COST
                self.lane.body_taken(self._buffered)
                if self._chunks or not self.complete:
                    return {"type": "http.request", "body": data, "more_body": True}
                return self._last(data)
            if self.complete and not self._delivered:
                return self._last(b"")
            if self.lane.writer.lost or (self.phase == DONE and (self.framing != TUNNEL or self._delivered)):
                return {"type": "http.disconnect"}
            if self._error is not None:
                raise self._error
            if self.expects and self.phase == BEFORE_HEAD:
                self.lane.send_continue(self)
            await self._wait(self.lane.loop)

    # The response.

    async def send(self, message: dict[str, Any]) -> None:
        """Take one ASGI message; waits only while the client reads more slowly than the application writes.

        Raises `ValueError` for what may not be written, `RuntimeError` for messages out of order or a body that does
        not fit its content-length, `OSError` once the client is gone.
        """
        lane = self.lane
        if lane.writer.lost:
            raise ConnectionResetError("the client is gone")
        kind = message["type"]
        if kind == "http.response.start":
            self._start(message)
            return
        if kind == "http.response.body":
            self._send_body(message.get("body", b""), message.get("more_body", False))
        elif kind == "http.response.trailers":
            self._send_trailers(message.get("headers", ()), message.get("more_trailers", False))
        elif kind == "http.response.informational":
            self._send_informational(message)
        elif kind == ACCEPT:
            self._accept(message.get("headers", ()))
        else:
            raise RuntimeError(f"unknown message {kind!r}")
        if lane.writer.blocked():
            await lane.writer.drained()

    def _start(self, message: dict[str, Any]) -> None:
        if self.phase != BEFORE_HEAD:
            raise RuntimeError("http.response.start came twice")
        status = message["status"]
        self._head, self._left, self._dated, self._close = encode_head(status, message.get("headers", ()))
        self._bodyless = status == 204 or status == 304 or self.scope["method"] == "HEAD"
        self._trailers_follow = message.get("trailers", False)
        self.phase = HEAD_HELD

    def _send_body(self, data: Any, more: bool) -> None:
        if type(data) is not bytes:
            # A bytearray may change while the transport still holds it; a view is sent as it is.
            data = data.cast("B") if type(data) is memoryview else bytes(data)
        if self.phase == HEAD_HELD:
            head = self._finish_head(len(data), more)
        elif self.phase == BODY:
            head = b""
        else:
            raise RuntimeError("http.response.body out of order")
        framing = self.framing
        if framing == BY_LENGTH:
            self._left -= len(data)
            if self._left < 0 or (not more and self._left):
                raise RuntimeError("the body does not fit its content-length")
            parts: tuple[bytes, ...] = (head, data)
        elif framing == BY_CHUNKS:
            end = b"" if more else b"0\r\n" if self._trailers_follow else b"0\r\n\r\n"
            parts = (head, b"%x\r\n" % len(data), data, b"\r\n", end) if data else (head, end)
        else:
            parts = (head, b"" if framing == NO_BODY else data)
        if len(data) > COPY_BELOW:
            for part in parts:
                if part:
                    self.lane.writer.write(part)
        else:
            payload = b"".join(parts)
            if payload:
                self.lane.writer.write(payload)
        self.wrote = True
        if more:
            self.phase = BODY
        elif self._trailers_follow:
            self.phase = TRAILERS
        else:
            self._done()

    def _accept(self, headers: Any) -> None:
        offer = self.scope["extensions"].get(EXTENSION)
        if offer is None or self.phase != BEFORE_HEAD:
            raise RuntimeError(f"{ACCEPT} out of order, or nobody asked for it")
        self.lane.writer.write(encode_switch(offer["protocol"], headers))
        self.phase = BODY
        self.framing = TUNNEL
        self.complete = self._delivered = self._trailers_follow = False
        self._chunks = deque()
        self.lane.open_tunnel(self)

    def _done(self) -> None:
        self.phase = DONE
        if self.framing == TUNNEL:
            self.lane.end_writing()
        if self._waiter is not None:
            self.wake()

    def _finish_head(self, size: int, more: bool) -> bytes:
        """Choose the framing and complete the head with what is the lane's own: date, framing, connection."""
        framing = b""
        if self._bodyless:
            pass
        elif self._left >= 0:
            self.framing = BY_LENGTH
        elif not more and not self._trailers_follow:
            self.framing = BY_LENGTH
            self._left = size
            framing = b"\r\ncontent-length: %d" % size
        elif self.http11:
            self.framing = BY_CHUNKS
            framing = b"\r\ntransfer-encoding: chunked"
        else:
            self.framing = UNTIL_CLOSE
            self._close = True
        if self.framing == BY_LENGTH and (size > self._left or (not more and size < self._left)):
            raise RuntimeError("the body does not fit its content-length")
        lane = self.lane
        if lane.closes_after(self, self._close, more):
            connection = b"\r\nconnection: close\r\n\r\n"
        else:
            connection = b"\r\n\r\n" if self.http11 else b"\r\nconnection: keep-alive\r\n\r\n"
        return b"".join((self._head, b"" if self._dated else lane.connections.date, framing, connection))

    def _send_trailers(self, headers: Any, more: bool) -> None:
        if self.phase != TRAILERS:
            raise RuntimeError("http.response.trailers out of order")
        block = encode_fields(headers)
        if self.framing == BY_CHUNKS:
            self.lane.writer.write(block if more else block + b"\r\n")
        if not more:
            self._done()

    def _send_informational(self, message: dict[str, Any]) -> None:
        if self.phase != BEFORE_HEAD and self.phase != HEAD_HELD:
            raise RuntimeError("http.response.informational after the final head")
        data = encode_informational(message["status"], message.get("headers", ()))
        if message["status"] == 100:
            self.expects = False
        if self.http11:
            self.lane.writer.write(data)
            self.wrote = True
