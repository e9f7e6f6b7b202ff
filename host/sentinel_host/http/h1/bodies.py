"""The bytes of request bodies, by their framing: a counted length, or the chunked coding
(`http.chunked`).

Rule 1: Data that lies wholly inside a body or a chunk is passed on as the object it came in.
Rule 2: Trailers are a list of their own and never become headers.
"""

from __future__ import annotations

from math import inf
from typing import Final

from sentinel_host.errors import ClientError
from sentinel_host.http.chunked import OF_REQUESTS, BodyTooLarge, ChunkedDecoder, MalformedBody, TrailersTooLarge
from sentinel_host.http.server.limit_exceeded import LimitExceeded

# A quarter of what a head may have: trailers are checksums and timings.
_MAX_TRAILERS: Final = 8 * 1024


class LengthDecoder:
    """Counts down a body of known length, with the methods of `ChunkDecoder`."""

    __slots__ = ("done", "remaining", "rest", "trailers")

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.done = False
        self.rest = b""
        self.trailers: list[tuple[bytes, bytes]] = []

    def feed(self, data: bytes) -> bytes:
        """The body bytes in ``data``; what follows the end of the message is left in ``rest``."""
        size = len(data)
        if size >= self.remaining:
            self.done = True
            if size > self.remaining:
                self.rest = data[self.remaining :]
                data = data[: self.remaining]
            self.remaining = 0
        else:
            self.remaining -= size
        return data


class ChunkDecoder:
    """Takes a chunked body's bytes as they come; ``done`` is true once the last trailer was
    read.
    """

    __slots__ = ("_decoder", "done", "remaining", "rest", "trailers")

    def __init__(self, max_bytes: int | None) -> None:
        self._decoder = ChunkedDecoder(OF_REQUESTS, _MAX_TRAILERS, max_bytes)
        self.done = False
        self.rest = b""
        self.trailers: list[tuple[bytes, bytes]] = []
        # Unknown until the last chunk, so that such a body is never drained.
        self.remaining: float = inf

    def feed(self, data: bytes) -> bytes:
        """The body bytes in ``data``. What follows the end of the message is left in ``rest``.

        Raises `ClientError` where a rule is broken: 400, 413 for a chunk that announces too much,
        431 for trailers.
        """
        pieces: list[bytes] = []
        decoder = self._decoder
        try:
            after = decoder.feed(data, pieces)
        # Three names: compiled, one name would have the type of the first.
        except BodyTooLarge as large:
            raise LimitExceeded("body_bytes", str(large), 413) from None
        except TrailersTooLarge as long:
            raise LimitExceeded("head_bytes", str(long), 431) from None
        except MalformedBody as malformed:
            raise ClientError(str(malformed)) from None
        if decoder.done:
            self.done = True
            self.trailers = decoder.trailers
            self.rest = data[len(data) - after :]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
