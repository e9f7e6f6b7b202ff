"""The last good answers of the name service, by name.

What looks a name up anew, after a reload or in a worker that takes the place of another, goes on
from there while the name service fails (RFC 8767). Names come from the configuration, so there are
few.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Service:
    """One server of a service, as a SRV record names it (RFC 2782)."""

    host: str
    port: int
    weight: int


@dataclass(frozen=True, slots=True)
class Remembered:
    """The addresses of host names, and the servers of services."""

    addresses: dict[str, list[str]] = field(default_factory=dict)
    services: dict[str, list[Service]] = field(default_factory=dict)

    def update(self, newer: Remembered) -> None:
        """Take over other answers, in the place of those for the same names."""
        self.addresses.update(newer.addresses)
        self.services.update(newer.services)
