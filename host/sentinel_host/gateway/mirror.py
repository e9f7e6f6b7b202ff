"""Copies of a route's requests, for another upstream whose answers are dropped.

Rule 1: a copy neither delays nor fails its request. What its upstream has not taken yet is kept, up
        to `LIMIT` bytes; beyond that the copy is dropped. A request lets the event loop turn for
        its copy, and waits for nothing else.
Rule 2: a body is read once, by the request. A copy whose request ends before its body does is
        dropped.
Rule 3: a copy is never repeated. Its answer is read, as far as that costs less than another
        connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from random import random
from typing import Final

from sentinel_host.errors import SentinelError
from sentinel_host.gateway.stats import MirrorCounts
from sentinel_host.http.client import BodySource, UpstreamRequest
from sentinel_host.messages import Headers, RequestHead
from sentinel_host.upstream import Upstream, UpstreamCall

LIMIT: Final = 64 * 1024
"""Bytes of a body that are kept for one copy, beside the piece that comes when none is kept."""

# As many as an upstream has connections by default. With `LIMIT` they bound the memory of a mirror
# that hangs.
_MOST_COPIES: Final = 256
_LARGEST_ANSWER: Final = 64 * 1024
# Of the event loop, before the next piece of a body is read while the copy has not sent the one
# before. A piece has up to 256 KB, and two turns are what its way to a socket takes; without them
# every second large body loses its copy.
_TURNS: Final = 4


class Copy:
    """One copy under way; the `BodySource` of its own request. What goes into it comes from a
    `MirroredBody`.
    """

    __slots__ = ("_counts", "_is_whole", "_pieces", "_size", "_task", "_waiting", "trailers")

    def __init__(self, counts: MirrorCounts, *, has_body: bool) -> None:
        self._counts = counts
        self._is_whole = not has_body
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._waiting: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.trailers: Headers = []

    def send(self, upstream: Upstream, call: UpstreamCall) -> asyncio.Task[None]:
        """Begin to send it; the task ends with its answer, or is cancelled."""
        self._task = task = asyncio.get_running_loop().create_task(self._send(upstream, call))
        task.add_done_callback(self._on_done)
        return task

    @property
    def lags(self) -> bool:
        """Whether its upstream has not taken all that there is of the body."""
        return self._size > 0

    def put(self, data: bytes) -> None:
        """Add a piece of the body; for one that is over, nothing happens."""
        task = self._task
        if task is None or task.done() or task.cancelling():
            return
        if self._size and self._size + len(data) > LIMIT:
            self._drop()
            return
        self._pieces.append(data)
        self._size += len(data)
        self._wake()

    def end(self, trailers: Headers) -> None:
        """The body is whole."""
        self.trailers = trailers
        self._is_whole = True
        self._wake()

    def close(self) -> None:
        """Its request is over."""
        if not self._is_whole:
            self._drop()

    async def read(self) -> bytes:
        """Part of `BodySource`."""
        while not self._pieces:
            if self._is_whole:
                return b""
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        data = b"".join(self._pieces)
        self._forget()
        return data

    async def _send(self, upstream: Upstream, call: UpstreamCall) -> None:
        try:
            response = await upstream.send(call)
            try:
                size = 0
                while size <= _LARGEST_ANSWER and (data := await response.read()):
                    size += len(data)
            finally:
                response.abort()
            self._counts.answered += 1
        except SentinelError:
            self._counts.failed += 1

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._forget()
        # A task that is cancelled before its first turn handles nothing by itself.
        if task.cancelled():
            self._counts.dropped += 1

    def _drop(self) -> None:
        self._forget()
        if self._task is not None:
            self._task.cancel()

    def _forget(self) -> None:
        self._pieces.clear()
        self._size = 0

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class MirroredBody:
    """The `BodySource` of a request that is copied: what ``source`` says, and the copy is told."""

    __slots__ = ("_copy", "_source", "trailers")

    def __init__(self, source: BodySource, copy: Copy) -> None:
        self._source = source
        self._copy = copy
        self.trailers: Headers = []

    async def read(self) -> bytes:
        """As `BodySource.read`."""
        for _ in range(_TURNS):
            if not self._copy.lags:
                break
            await asyncio.sleep(0)
        data = await self._source.read()
        if data:
            self._copy.put(data)
        else:
            self.trailers = self._source.trailers
            self._copy.end(self.trailers)
        return data


class Mirror:
    """Copies ``percent`` of a route's requests to ``upstream``."""

    __slots__ = ("_percent", "_tasks", "upstream")

    def __init__(self, upstream: str, percent: int) -> None:
        self.upstream = upstream
        self._percent = percent
        self._tasks: set[asyncio.Task[None]] = set()

    def chooses(self) -> bool:
        """Whether the next request is to be copied."""
        return self._percent == 100 or random() * 100 < self._percent

    def begin(
        self,
        upstream: Upstream,
        head: RequestHead,
        host: bytes,
        body: bytes | BodySource,
        length: int | None,
        counts: MirrorCounts,
        proxy_header: bytes = b"",
    ) -> Copy | None:
        """Send a copy of a request to ``upstream``; None when there are too many under way.

        ``head`` is as the request's own upstream gets it, and ``host`` its Host; empty: that of the
        endpoint. A ``body`` that is not in memory is for a `MirroredBody` to tell.
        """
        if len(self._tasks) >= _MOST_COPIES:
            counts.dropped += 1
            return None
        is_streamed = not isinstance(body, bytes)
        copy = Copy(counts, has_body=is_streamed)
        target = head.path if head.query is None else f"{head.path}?{head.query}"
        request = UpstreamRequest(
            method=head.method.encode("ascii"),
            target=target.encode("ascii"),
            headers=list(head.headers),
            host=b"",
            body=copy if is_streamed else body,
            content_length=length,
        )
        request.proxy_header = proxy_header
        call = UpstreamCall(request, host, head.client, repeatable=False)
        if upstream.hash_key is not None:
            call.hash = upstream.hash_key(head)
        task = copy.send(upstream, call)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return copy
