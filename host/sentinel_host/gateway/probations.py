"""Which versions are on probation in one process, and who hears how they do."""

from __future__ import annotations

from collections.abc import Callable

from sentinel_host.config import GuestConfig, RevertConfig
from sentinel_host.gateway.generation import Generation
from sentinel_host.hotload.deployment import Deployment
from sentinel_host.hotload.executor import ProbationObserver
from sentinel_host.sandbox import LoadedGuest, Probation, RollbackPolicy


class Probations:
    """One per process; ``settings`` tells what is configured for a guest."""

    def __init__(self, settings: Callable[[str], GuestConfig]) -> None:
        self._settings = settings
        # By guest: the digest of the version on probation, and the observer of its deployment.
        self._digests: dict[str, str] = {}
        self._observers: dict[str, ProbationObserver] = {}

    def note(self, deployment: Deployment, observer: ProbationObserver) -> bool:
        """This deployment is about to be applied; returns whether another version than before is on
        probation.
        """
        name = deployment.serving.name
        before = self._digests.get(name, "")
        self._digests[name], self._observers[name] = deployment.on_probation, observer
        return deployment.on_probation != before

    def apply(self, generation: Generation) -> None:
        """Count the failures of the generation's versions that are on probation, and of no
        others.
        """
        for guest in (*generation.guests.values(), *generation.candidates.values()):
            if self._digests.get(guest.name) != guest.sha256:
                guest.health.probation = None
            elif guest.health.probation is None:
                guest.health.probation = self._begin(guest, self._observers[guest.name])

    def failed(self, name: str, sha256: str, reason: str) -> None:
        """A canary does not start with a new configuration."""
        self._observers[name].failed(name, sha256, reason)

    def _begin(self, guest: LoadedGuest, observer: ProbationObserver) -> Probation:
        name, sha256, health = guest.name, guest.sha256, guest.health
        revert = self._settings(name).revert
        policy = revert if isinstance(revert, RevertConfig) else RevertConfig()
        before = health.calls
        return Probation(
            # A share of 1 is never exceeded: failures are reported, and nothing is rolled back.
            RollbackPolicy(policy.share if revert else 1.0, policy.calls, policy.time),
            lambda: health.calls - before,
            lambda: observer.degraded(name, sha256),
            lambda reason: observer.failed(name, sha256, reason),
        )
