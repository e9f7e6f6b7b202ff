"""What a `RolloutController` needs of the processes that serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sentinel_host.config import GuestConfig
from sentinel_host.hotload.deployment import Deployment
from sentinel_host.hotload.guest_version import GuestVersion


class ProbationObserver(Protocol):
    """Is told about failures of versions on probation."""

    def degraded(self, name: str, sha256: str) -> None:
        """The version has failed at least one call since the last report."""

    def failed(self, name: str, sha256: str, reason: str) -> None:
        """The version failed more than its rollback policy allows."""


class RolloutExecutor(Protocol):
    """Applies decisions to one process, or to all workers of a supervisor."""

    def wants(self, name: str) -> bool:
        """Whether a route names the guest, in the active configuration or in one that waits for
        guests.
        """

    def serving(self) -> Mapping[str, GuestVersion]:
        """The versions in service, by guest name."""

    def settings(self, name: str) -> GuestConfig:
        """The guest's active settings."""

    async def deploy(self, deployment: Deployment, observer: ProbationObserver) -> str | None:
        """Apply a deployment; ``observer`` is told about failures of its version on probation.

        Returns ``None`` once it is applied. Otherwise nothing changes; the reason is logged and
        returned.
        """

    def load_failed(self, name: str, reason: str) -> None:
        """Record and log why there is no new version of a guest; the serving version stays."""

    async def reconfigure(self, refused: Mapping[str, GuestVersion]) -> Mapping[str, GuestVersion] | None:
        """Read the configuration file and the files that it names, and serve them; log the reason
        if that fails.

        ``refused`` holds new versions that do not start with the active configuration. If a serving
        version does not start with the new configuration, its refused version is tried in its
        place. Returns the versions that were replaced, or ``None`` when the active configuration
        stays.
        """

    def waits_for(self, name: str) -> bool:
        """Whether a configuration could not be served because this guest was missing or did not
        start.
        """
