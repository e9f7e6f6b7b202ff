"""Dividing a route's requests among upstreams by weight."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from random import getrandbits
from typing import Final

from sentinel_host.messages import RequestHead
from sentinel_host.upstream.hashing import HashKey

_HASH_BITS: Final = 32


class Split:
    """Chooses one of several upstreams for each request, in proportion to ``weights`` by their
    names.

    With a ``key``, requests with equal keys get the same one in every worker and on every machine.
    The key's range is divided in the order of ``weights``: when two weights change and their sum
    stays, no more requests than that move.
    """

    __slots__ = ("_bounds", "_key", "_names", "_total")

    def __init__(self, weights: Mapping[str, int], key: HashKey | None) -> None:
        self._names = tuple(weights)
        self._bounds = tuple(accumulate(weights.values()))
        self._total = self._bounds[-1]
        self._key = key

    def choose(self, head: RequestHead) -> str:
        """The name of the upstream for a request as its guests leave it."""
        number = getrandbits(_HASH_BITS) if self._key is None else self._key(head)
        return self._names[bisect_right(self._bounds, number * self._total >> _HASH_BITS)]
