"""The number that a check of a limit returns, taken apart."""

from __future__ import annotations

from typing import NamedTuple

from sentinel_host.limiter._table import lib

_OVERFLOWED: int = lib.SNT_VERDICT_OVERFLOW


class Verdict(NamedTuple):
    """What a check says.

    ``reset`` is in milliseconds: until the window ends, the bucket is empty again, or, when
    refused, a request may succeed. ``overflowed`` tells that the key found no slot, see `Overflow`.
    """

    allowed: bool
    remaining: int
    reset: int
    overflowed: bool = False

    @classmethod
    def of(cls, packed: int) -> Verdict:
        """The verdict that `SharedTable.check` returned as one number."""
        return cls(packed >= 0, packed >> 32 & 0xFFFFFF, packed & 0xFFFFFFFF, packed & _OVERFLOWED != 0)
