"""A request's body that can be sent a second time, as long as it is small.

Rule 1: pieces are kept while they are no more than `limit` together; a longer body is let go, and
        cannot be sent again.
Rule 2: nothing is read ahead: the body still streams.
Rule 3: only one try reads at a time; the one before was ended.
"""

from __future__ import annotations

from typing import Final

from sentinel_host.http.client import BodySource, RelayableBody
from sentinel_host.http.relay import RelaySource

Headers = list[tuple[bytes, bytes]]

LIMIT: Final = 64 * 1024


class ReplayableBody:
    """What a `BodySource` says, and says again from the beginning after `rewind`."""

    __slots__ = ("_kept", "_limit", "_next", "_relayable", "_size", "_source", "trailers")

    def __init__(self, source: BodySource, limit: int = LIMIT, relayable: RelayableBody | None = None) -> None:
        """``relayable`` is the source, if a relay may take its rest."""
        self._source = source
        self._relayable = relayable
        self._limit = limit
        self._kept: list[bytes] | None = []
        self._next = 0
        self._size = 0
        self.trailers: Headers = []

    async def read(self) -> bytes:
        """As `BodySource.read`."""
        kept = self._kept
        if kept is not None and self._next < len(kept):
            self._next += 1
            return kept[self._next - 1]
        data = await self._source.read()
        self.trailers = self._source.trailers
        if kept is not None:
            self._size += len(data)
            if self._size > self._limit:
                self._kept = None
            else:
                kept.append(data)
                self._next += 1
        return data

    def relay_source(self) -> RelaySource | None:
        """As `RelayableBody.relay_source`: none while the body may be sent again."""
        return None if self._relayable is None or self._kept is not None else self._relayable.relay_source()

    def on_relayed(self, size: int) -> None:
        """As `RelayableBody.on_relayed`."""
        if self._relayable is not None:
            self._relayable.on_relayed(size)

    def rewind(self) -> bool:
        """Begin again, for another try; false when the body was too long to be kept."""
        self._next = 0
        return self._kept is not None
