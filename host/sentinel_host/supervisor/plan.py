"""What workers are to serve."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_host.control import ConfigSource, Guests, ListenerFd, Start
from sentinel_host.hotload.loader import Offer
from sentinel_host.supervisor.supply import without_code


@dataclass(slots=True)
class GuestSet:
    """What workers are offered, and why nothing for the other guests of the configuration."""

    offers: dict[str, Offer]
    faults: dict[str, str]

    def message(self) -> Guests:
        """As it is sent."""
        return Guests([without_code(offer) for offer in self.offers.values()], self.faults)

    def codes(self) -> dict[str, bytes]:
        """What workers may ask for."""
        return {offer.guest.sha256: offer.guest.code for offer in self.offers.values()}

    def digests(self) -> dict[str, str]:
        """Which version of each guest it is."""
        return {name: offer.guest.sha256 for name, offer in self.offers.items()}


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

    def start(self, number: int) -> Start:
        """For the worker of that number."""
        return Start(number, self.workers, self.source, self.listeners, self.shared, self.guests.message())

    def fds(self) -> list[int]:
        """What workers inherit."""
        return [*(listener.fd for listener in self.listeners), *self.shared.values()]
