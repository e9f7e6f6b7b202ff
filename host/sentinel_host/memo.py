"""A bounded memo of results, for keys that clients or guests choose.

Rule 1: a memo holds at most ``most`` results. When it is full it drops all but the pinned ones. An
        LRU would have to record every use, and a memo that keeps its first results for ever becomes
        useless once an attacker has filled it.
Rule 2: a key longer than ``longest`` is not kept, so that ``most`` bounds the memory too.
Rule 3: hot code reads `Memo.known`, which is always the same dictionary, and calls `Memo.keep` only
        for what is new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Sized)
V = TypeVar("V")

_LONGEST: Final = 1 << 16


class Memo(Generic[K, V]):
    """Results by their keys; ``known`` is for look-ups. ``pinned`` results are never forgotten.

    ``longest`` counts what ``len`` counts: bytes, characters, or the members of a tuple.

    >>> memo = Memo[str, int](2)
    >>> for number, name in enumerate(("a", "b", "c")):
    ...     memo.keep(name, number)
    >>> memo.known
    {'c': 2}
    """

    __slots__ = ("_longest", "_most", "_pinned", "known")

    def __init__(self, most: int, longest: int = _LONGEST, pinned: Mapping[K, V] | None = None) -> None:
        self._most = most
        self._longest = longest
        self._pinned: dict[K, V] = dict(pinned or {})
        self.known: dict[K, V] = dict(self._pinned)

    def keep(self, key: K, value: V) -> None:
        """Keep a result for later look-ups."""
        if len(key) > self._longest:
            return
        known = self.known
        if len(known) >= self._most:
            known.clear()
            known.update(self._pinned)
        known[key] = value
