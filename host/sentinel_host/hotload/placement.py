"""How a guest is to serve."""

from __future__ import annotations

from typing import Final

import msgspec

from sentinel_host.hotload.loader import Offer

# The first digits of a digest, as people compare them.
_SHORT: Final = 12


class Placement(msgspec.Struct, frozen=True):
    """How one guest is to serve: one version, or beside it a candidate for ``weight`` percent of the requests.

    ``on_trial`` is the digest of the version of which failures are to be told, empty for none.
    """

    serving: Offer
    candidate: Offer | None = None
    weight: int = 0
    on_trial: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether it says no more than which version serves."""
        return self.candidate is None and not self.on_trial

    @property
    def digest(self) -> str:
        """What tells it from others."""
        return f"{digest_of(self.serving)} {digest_of(self.candidate)} {self.weight} {self.on_trial}"

    def offers(self) -> list[Offer]:
        """The versions in it."""
        return [self.serving] if self.candidate is None else [self.serving, self.candidate]

    def told(self, before: str | None) -> str:
        """That it is executed, for the log; ``before`` is the digest of what served until now."""
        name = self.serving.name
        if self.candidate is not None:
            return f"guest {name}: {short(self.candidate)} gets {self.weight} % of the requests, as a canary"
        how = f"in place of {before[:_SHORT]}" if before is not None else "for the first time"
        return f"guest {name}: {short(self.serving)} serves, {how}"


def digest_of(offer: Offer | None) -> str:
    """A version's digest; empty for none."""
    return "" if offer is None else offer.guest.sha256


def short(offer: Offer) -> str:
    """A version as people tell it from others."""
    return offer.guest.sha256[:_SHORT]
