"""What a worker does with its supervisor's decisions."""

from __future__ import annotations

import msgspec

from sentinel_host.config import Config
from sentinel_host.control import Channel, Guests, ProbationDegraded, ProbationFailed
from sentinel_host.gateway.generation_manager import GenerationManager
from sentinel_host.hotload.deployment import Deployment
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.supervisor.offered import OfferedGuests


class WorkerRollout:
    """Applies deployments and configurations to ``manager``, and reports versions on probation over
    ``channel``.
    """

    def __init__(self, manager: GenerationManager, guests: OfferedGuests, channel: Channel) -> None:
        self._manager = manager
        self._guests = guests
        self._channel = channel

    async def deploy(self, deployment: Deployment) -> str | None:
        """Apply it; returns the reason if that fails. Raises `GuestLoadError`."""
        candidate = deployment.candidate
        complete = msgspec.structs.replace(
            deployment,
            serving=await self._complete(deployment.serving),
            candidate=await self._complete(candidate) if candidate is not None else None,
        )
        return await self._manager.deploy(complete, self)

    async def deploy_all(self, guests: Guests) -> None:
        """Apply the deployments of all guests that serve. Raises `GuestLoadError`."""
        for deployment in guests.all_deployments().values():
            if deployment.serving.name in self._manager.serving():
                await self.deploy(deployment)

    async def reconfigure(self, config: Config, guests: Guests) -> None:
        """Serve another configuration. Raises `GuestLoadError`, `GuestsRefuse` or `ConfigError`."""
        versions = {version.name: await self._complete(version) for version in guests.versions}
        await self._manager.renew(config)
        await self._manager.configure(config, versions, dict(guests.faults))
        await self.deploy_all(guests)

    def degraded(self, name: str, sha256: str) -> None:
        """Part of `ProbationObserver`."""
        self._channel.send(ProbationDegraded(name, sha256))

    def failed(self, name: str, sha256: str, reason: str) -> None:
        """Part of `ProbationObserver`."""
        self._channel.send(ProbationFailed(name, sha256, reason))

    async def _complete(self, version: GuestVersion) -> GuestVersion:
        return await self._guests.complete(version, self._manager.known(version.name))
