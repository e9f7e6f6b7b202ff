"""How the versions of one guest share its requests."""

from __future__ import annotations

import msgspec

from sentinel_host.hotload.guest_version import GuestVersion, shorten


class Deployment(msgspec.Struct, frozen=True):
    """The desired state of one guest: the serving version and, optionally, a canary.

    ``candidate`` is the canary and gets ``weight`` percent of the requests. ``on_probation`` is the
    digest of the version whose failures are reported; it is empty when none is on probation.
    """

    serving: GuestVersion
    candidate: GuestVersion | None = None
    weight: int = 0
    on_probation: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether one version serves every request and is not on probation."""
        return self.candidate is None and not self.on_probation

    @property
    def digest(self) -> str:
        """Differs between deployments that differ."""
        candidate = self.candidate.sha256 if self.candidate is not None else ""
        return f"{self.serving.sha256} {candidate} {self.weight} {self.on_probation}"

    def versions(self) -> list[GuestVersion]:
        """The serving version and the canary."""
        return [self.serving] if self.candidate is None else [self.serving, self.candidate]

    def log_message(self, before: str | None) -> str:
        """The log line for a deployment that took effect; ``before`` is the digest of the version
        that it replaced.
        """
        name = self.serving.name
        if self.candidate is not None:
            return f"guest {name}: {self.candidate.short} gets {self.weight} % of the requests, as a canary"
        how = f"in place of {shorten(before)}" if before is not None else "for the first time"
        return f"guest {name}: {self.serving.short} serves, {how}"
