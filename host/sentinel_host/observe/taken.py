"""What is taken out of a worker's ring: a message between processes."""

from __future__ import annotations

import msgspec

from sentinel_host.observe.record import RequestRecord


class Taken(msgspec.Struct, frozen=True):
    """Some records, oldest first; ``next`` is what to ask for then, ``missed`` how many were gone
    already.
    """

    records: list[msgspec.Raw]
    next: int
    missed: int = 0

    def decoded(self) -> list[RequestRecord]:
        """The records."""
        return [msgspec.msgpack.decode(record, type=RequestRecord) for record in self.records]
