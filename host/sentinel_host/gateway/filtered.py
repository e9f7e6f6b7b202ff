"""Bodies that guests work on, between the exchange and both sides; a body that no guest asked for
never comes here.

Rule 1: a head waits until the guests return the first bytes, so that they may answer until then.
        The head of an event stream does not wait, because its first event may come only after the
        client has seen the head.
Rule 2: one piece is on its way at a time. While the slow side is awaited, the other side is not
        read.
Rule 3: a body that is returned in one piece is sent with its length, any other without.
"""

from __future__ import annotations

from sentinel_host.gateway.bodies import RequestBody
from sentinel_host.http.client import UpstreamResponse
from sentinel_host.http.rules import Admitted
from sentinel_host.messages import Headers
from sentinel_host.pipeline import BodyFilterChain, ChainRun
from sentinel_host.pipeline.filters import MOST_AT_ONCE

_EVENT_STREAM = b"text/event-stream"


class FilteredRequest:
    """A `BodySource`: the rest of a request's body, after a first piece has come out of the guests.

    A guest's failure comes out of `read` as `GuestError`, and breaks the upstream request off.
    """

    __slots__ = ("_ended", "_filters", "_first", "_source", "trailers")

    def __init__(self, first: bytes, ended: bool, source: RequestBody, filters: BodyFilterChain) -> None:
        self._first = first
        self._ended = ended
        self._source = source
        self._filters = filters
        self.trailers: Headers = []

    async def read(self) -> bytes:
        """The next piece, ``b""`` at the end."""
        if self._first:
            first, self._first = self._first, b""
            return first
        while not self._ended:
            data = await self._source.read()
            self._ended = self._source.ended
            piece = await self._filters.push(data, self._ended)
            if piece:
                return piece
        self.trailers = self._source.trailers
        return b""


async def begin_request(run: ChainRun, admitted: Admitted, body: RequestBody) -> bytes | FilteredRequest:
    """Read until something comes out of the guests; what the upstream gets: the whole body, or a
    first piece and more.

    Raises `LocalReply` for a guest's own answer or failure, and `ClientError` for a body that is
    too large.
    """
    filters = run.request_body(admitted.head)
    filters.expect(admitted.content_length)
    piece, ended = b"", not admitted.has_body
    if ended:
        piece = await filters.push(b"", True)
    while not piece and not ended:
        data = await body.read()
        ended = body.ended
        piece = await filters.push(data, ended)
    filters.is_out = True
    return piece if ended and not body.trailers else FilteredRequest(piece, ended, body, filters)


class FilteredResponse:
    """A response's body as it comes out of the guests.

    ``piece`` is what `begin` or `read` has brought, ``ended`` whether it is the last.
    """

    __slots__ = ("_data", "_filters", "_response", "_taken", "ended", "piece")

    def __init__(self, response: UpstreamResponse, filters: BodyFilterChain) -> None:
        self._response = response
        self._filters = filters
        # What was read, and how much of it the guests have had.
        self._data = b""
        self._taken = 0
        self.piece = b""
        self.ended = False

    async def begin(self, headers: Headers) -> None:
        """Read as long as the head must wait.

        Raises `LocalReply` for a guest's own answer or failure, and `UpstreamError` for a body that
        broke off or is too large.
        """
        filters = self._filters
        length = next((value for name, value in headers if name == b"content-length"), b"")
        if length.isdigit():
            filters.expect(int(length))
        if filters.holds or not _is_event_stream(headers):
            while not self.piece and not self.ended:
                await self.read()
        filters.is_out = True

    async def read(self) -> None:
        """Read the next piece, which may be empty.

        Raises `GuestError` and `UpstreamError`.
        """
        response = self._response
        taken = self._taken
        if not taken:
            self._data = await response.read()
        data = self._data
        if self._filters.is_out and len(data) - taken > MOST_AT_ONCE:
            # Sent as the guests return it: nothing has to be put together again.
            self._taken = taken + MOST_AT_ONCE
            self.piece = await self._filters.push(data[taken : self._taken], False)
            return
        self._data = b""
        self._taken = 0
        self.ended = response.complete and not response.buffered
        self.piece = await self._filters.push(data[taken:] if taken else data, self.ended)


def _is_event_stream(headers: Headers) -> bool:
    return any(name == b"content-type" and value.lower().startswith(_EVENT_STREAM) for name, value in headers)
