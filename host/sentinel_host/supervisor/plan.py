"""What workers are to serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sentinel_host.control import ConfigSource, Guests, ListenerFd, Start
from sentinel_host.hotload.loader import Offer
from sentinel_host.hotload.placement import Placement
from sentinel_host.supervisor.supply import placement_without_code, without_code


@dataclass(slots=True)
class GuestSet:
    """What workers are offered, and why nothing for the other guests of the configuration.

    ``placements`` has those of the guests that serve in another way than alone.
    """

    offers: dict[str, Offer]
    faults: dict[str, str]
    placements: dict[str, Placement] = field(default_factory=dict)

    def with_newest(self, newest: Mapping[str, Offer]) -> GuestSet:
        """The same with these versions, which serve alone, in place of others."""
        return GuestSet(
            {**self.offers, **newest},
            {name: reason for name, reason in self.faults.items() if name not in newest},
            {name: placement for name, placement in self.placements.items() if name not in newest},
        )

    def message(self) -> Guests:
        """As it is sent."""
        return Guests(
            [without_code(offer) for offer in self.offers.values()],
            self.faults,
            [placement_without_code(placement) for placement in self.placements.values()],
        )

    def codes(self) -> dict[str, bytes]:
        """What workers may ask for."""
        placed = (offer for placement in self.placements.values() for offer in placement.offers())
        return {offer.guest.sha256: offer.guest.code for offer in (*self.offers.values(), *placed)}


@dataclass(eq=False, slots=True)
class Plan:
    """What to serve, with how many workers, and how long one may take to drain. ``shared`` is as in `Start`.

    ``source`` and ``guests`` change while it is served; the others need new workers.
    """

    source: ConfigSource
    guests: GuestSet
    listeners: list[ListenerFd]
    shared: dict[str, int]
    workers: int
    grace: float

    def start(self, number: int, tolerated: list[str] | None) -> Start:
        """For the worker of that number, which may lack these guests; None tolerates all."""
        return Start(number, self.workers, self.source, self.listeners, self.shared, self.guests.message(), tolerated)

    def fds(self) -> list[int]:
        """What workers inherit."""
        return [*(listener.fd for listener in self.listeners), *self.shared.values()]
