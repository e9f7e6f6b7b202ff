"""What the workers of a fleet serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sentinel_host.control import ConfigSource, Guests, ListenerFd, QuicFds, Start
from sentinel_host.hotload.deployment import Deployment
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.net import Remembered
from sentinel_host.supervisor.offered import deployment_without_code, without_code


@dataclass(slots=True)
class GuestSet:
    """The versions that workers serve, and for the other guests of the configuration the reason why
    there is none.

    ``deployments`` has those guests that have a canary, or a version on probation.
    """

    versions: dict[str, GuestVersion]
    faults: dict[str, str]
    deployments: dict[str, Deployment] = field(default_factory=dict)

    def with_newest(self, newest: Mapping[str, GuestVersion]) -> GuestSet:
        """The same with these versions in place of others; they serve every request."""
        return GuestSet(
            {**self.versions, **newest},
            {name: reason for name, reason in self.faults.items() if name not in newest},
            {name: deployment for name, deployment in self.deployments.items() if name not in newest},
        )

    def keeping(
        self, decide: Callable[[Mapping[str, GuestVersion]], dict[str, GuestVersion]], before: GuestSet
    ) -> GuestSet:
        """The same with the versions that ``decide`` makes of these, and with the canaries of
        ``before`` that go on.
        """
        versions = decide(self.versions)
        going_on = {
            name: deployment
            for name, deployment in before.deployments.items()
            if name in versions and versions[name] is deployment.serving
        }
        return GuestSet(versions, self.faults, going_on)

    def message(self) -> Guests:
        """As workers are told."""
        return Guests(
            [without_code(version) for version in self.versions.values()],
            self.faults,
            [deployment_without_code(deployment) for deployment in self.deployments.values()],
        )

    def codes(self) -> dict[str, bytes]:
        """The code that workers may ask for, by digest."""
        deployed = (version for deployment in self.deployments.values() for version in deployment.versions())
        return {version.sha256: version.guest.code for version in (*self.versions.values(), *deployed)}


@dataclass(eq=False, slots=True)
class FleetPlan:
    """What to serve, with how many workers, and how long one may take to drain. ``shared`` is as in
    `Start`.

    ``source`` and ``guests`` change while the plan is served; the others need new workers.
    """

    source: ConfigSource
    guests: GuestSet
    listeners: list[ListenerFd]
    shared: dict[str, int]
    workers: int
    grace: float
    quic: QuicFds | None = None

    def start(self, number: int, cell: int, tolerated: list[str] | None, names: Remembered) -> Start:
        """The first message to worker ``number``, which may lack the ``tolerated`` guests; None
        tolerates all.

        ``cell`` and ``names`` are as in `Start`.
        """
        guests = self.guests.message()
        return Start(
            number, self.workers, self.source, self.listeners, self.shared, guests, tolerated, cell, names, self.quic
        )

    def fds(self) -> list[int]:
        """The descriptors that workers inherit."""
        datagrams = self.quic.fds if self.quic is not None else []
        return [*(listener.fd for listener in self.listeners), *datagrams, *self.shared.values()]
