"""Who executes what is decided about versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sentinel_host.config import GuestConfig
from sentinel_host.hotload.loader import Offer
from sentinel_host.hotload.placement import Placement


class Crew(Protocol):
    """Who executes: a process that serves, or a supervisor that tells its workers."""

    def wants(self, name: str) -> bool:
        """Whether any route names the guest."""

    def serving(self) -> Mapping[str, Offer]:
        """The versions in service, by the names of the guests."""

    def settings(self, name: str) -> GuestConfig:
        """What is configured for the guest now."""

    async def place(self, placement: Placement) -> str | None:
        """Have a guest serve so; returns the reason, which has been logged, if it does not: then nothing changed."""

    def failed(self, name: str, reason: str) -> None:
        """There is no new version of a guest, for this reason; what serves goes on."""

    async def reconfigure(self, refused: Mapping[str, Offer]) -> Mapping[str, Offer] | None:
        """Read the configuration file again, with the files that it names, and serve it, or say in the log why not.

        ``refused`` are new versions that do not start as they are configured now: where a version that serves does not
        start as it is to be configured, such a one takes its place, or nothing changes. Returns the versions that are
        replaced; ``None`` when nothing changed.
        """

    def waits_for(self, name: str) -> bool:
        """Whether a configuration was not served because this guest did not start, or was not there."""
