"""Which keys a limit refuses most, in a bounded memory."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

MOST_KEYS: Final = 32
"""Of one limit. A key that is refused in more than 1 of 32 cases is certain to be among them."""

_DIGEST: Final = 8
# Digests that are kept: a client that is refused once is refused again at once.
_KNOWN: Final = 256


class TopKeys:
    """Counts by key, of those that come most often (Metwally, Agrawal, El Abbadi 2005:
    Space-Saving).

    Keys are known by a digest: they may be long, and they may be secrets.
    """

    __slots__ = ("_digests", "counts")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        # By Python's hash, which has a secret: what may be one is not kept.
        self._digests: dict[int, str] = {}

    def add(self, key: bytes) -> None:
        """Count one refusal. The count of a key that displaced another may be too high, never too
        low.
        """
        counts = self.counts
        number = hash(key)
        digest = self._digests.get(number)
        if digest is None:
            digest = blake2b(key, digest_size=_DIGEST).hexdigest()
            if len(self._digests) >= _KNOWN:
                self._digests.clear()
            self._digests[number] = digest
        known = counts.get(digest)
        if known is None and len(counts) >= MOST_KEYS:
            least = min(counts, key=counts.__getitem__)
            known = counts.pop(least)
        counts[digest] = (known or 0) + 1
