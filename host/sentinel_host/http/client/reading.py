"""The reading half of a connection: what an upstream's bytes are, from a response's first to its last.

What becomes of the connection when a response is over, or cannot be read, is for its heir to say.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sentinel_host.http.client.chunked import ChunkedDecoder
from sentinel_host.http.client.head import MalformedHead, ResponseHead, parse_trailers
from sentinel_host.http.client.request import UpstreamRequest
from sentinel_host.http.client.response import BUFFER_LIMIT, UpstreamResponse
from sentinel_host.http.client.states import CHUNKED, CLOSED, IDLE, LENGTH, TUNNEL, UNTIL_CLOSE
from sentinel_host.http.client.upload import Upload

if TYPE_CHECKING:
    from sentinel_host.http.client.pool import UpstreamPool


class ReadingSide:
    """Reads the response to the request under way, and pauses the transport while nobody takes it."""

    __slots__ = (
        "_decoder",
        "_head",
        "_informational",
        "_keep_alive",
        "_left",
        "_loop",
        "_pool",
        "_read_paused",
        "_response",
        "_since",
        "_state",
        "_transport",
        "_upload",
    )

    _transport: Any  # uvloop's transports inherit from none of asyncio's classes

    def __init__(self, pool: UpstreamPool, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self._state = IDLE
        self._since = loop.time()
        self._response: UpstreamResponse | None = None
        self._head: ResponseHead | None = None
        self._decoder: ChunkedDecoder | None = None
        self._upload: Upload | None = None
        self._informational = 0
        self._left = 0
        self._keep_alive = True
        self._read_paused = False
        self._transport = None

    def _head_received(self, data: bytes) -> bool:
        """Read on in the head, or from it into the body; whether the response is over.

        Raises MalformedHead and MalformedBody.
        """
        response = self._response
        assert response is not None
        while True:
            head = self._head
            if head is None:
                head = self._head = ResponseHead(self._pool.max_head_bytes)
            end = head.feed(data)
            if end < 0:
                return False
            self._head = None
            if head.status >= 200:
                break
            if head.status == 101 and response.request.upgrade:
                return self._switch(response, head, data[end:])
            self._informational_received(head, response.request)
            if self._state == CLOSED or end == len(data):
                return False
            data = data[end:]
        # Only the whole head counts: single bytes of it, or interim responses, would hold a request for hours.
        self._since = self._loop.time()
        status = response.status = head.status
        response.headers = head.headers
        response.http_version = head.http_version
        self._keep_alive = head.keep_alive
        if not response.head.done():
            response.head.set_result(None)
        if response.request.method == b"HEAD" or status == 204 or status == 304 or head.content_length == 0:
            self._left = 0
            self._state = LENGTH
        elif head.chunked:
            self._decoder = ChunkedDecoder(self._pool.max_head_bytes)
            self._state = CHUNKED
        elif head.content_length > 0:
            self._left = head.content_length
            self._state = LENGTH
        else:
            self._state = UNTIL_CLOSE
        if status >= 400 and self._upload is not None:
            # RFC 9112 section 9.5: on an error response, stop sending. Others may well answer while they still read.
            self._stop_upload()
        if end < len(data) or (self._state == LENGTH and not self._left):
            return self._body_received(data[end:])
        return False

    def _switch(self, response: UpstreamResponse, head: ResponseHead, rest: bytes) -> bool:
        """The upstream changes the protocol: from here on bytes are passed, not read."""
        if response.request.upgrade.lower() not in [
            value.lower() for name, value in head.headers if name == b"upgrade"
        ]:
            raise MalformedHead("it changed to a protocol that was not asked for")
        response.status = 101
        response.headers = head.headers
        self._state = TUNNEL
        if not response.head.done():
            response.head.set_result(None)
        return self._body_received(rest) if rest else False

    def _informational_received(self, head: ResponseHead, request: UpstreamRequest) -> None:
        if head.status == 101:
            raise MalformedHead("it answered 101 to a request that asked for no upgrade")
        # RFC 9110 section 15.2: any number of them. Together they may take what one head may, and the response's time.
        self._informational += head.size
        if self._informational > self._pool.max_head_bytes:
            raise MalformedHead(f"the informational responses are larger than {self._pool.max_head_bytes} bytes")
        if request.on_informational is not None:
            request.on_informational(head.status, head.headers)

    def _body_received(self, data: bytes) -> bool:
        """Hand a piece of the body to the response; whether it is over. Raises MalformedHead and MalformedBody."""
        response = self._response
        assert response is not None
        state = self._state
        if state == LENGTH:
            left = self._left - len(data)
            if left < 0:
                self._keep_alive = False  # what follows the message is nobody's
                data = data[: self._left]
                left = 0
            self._left = left
            if data:
                response.add(data)
            if not left:
                return True
        elif state in (UNTIL_CLOSE, TUNNEL):
            response.add(data)
        else:
            decoder = self._decoder
            assert decoder is not None
            pieces: list[bytes] = []
            try:
                after = decoder.feed(data, pieces)
            finally:
                for piece in pieces:
                    response.add(piece)
            if decoder.done:
                if decoder.trailers:
                    response.trailers = parse_trailers(decoder.trailers)
                if after:
                    self._keep_alive = False
                return True
        if response.buffered > BUFFER_LIMIT and not self._read_paused:
            self._read_paused = True
            self._transport.pause_reading()
        return False

    def _stop_upload(self) -> None:
        if self._upload is not None and not self._upload.done:
            self._upload.cancel()
            self._keep_alive = False

    def resume_reading(self) -> None:
        if self._read_paused and self._state != CLOSED:
            self._read_paused = False
            self._since = self._loop.time()
            self._transport.resume_reading()
