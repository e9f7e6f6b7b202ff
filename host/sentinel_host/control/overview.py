"""What the admin side is told of the whole gateway, whoever serves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sentinel_host.config import Config
from sentinel_host.control.snapshot import Snapshot
from sentinel_host.hotload.rollout import RolloutController
from sentinel_host.hotload.state import GuestState
from sentinel_host.observe import Taken
from sentinel_host.upstream import EndpointTable


class Overview(Protocol):
    """The whole gateway, of which the process that serves the admin side may be any part."""

    @property
    def config(self) -> Config:
        """The configuration that is served."""

    @property
    def refusal(self) -> str:
        """Why the configuration file is not served, or an empty text where it is."""

    @property
    def is_ending(self) -> bool:
        """Whether the gateway is about to end."""

    async def snapshot(self) -> Snapshot:
        """The counts of all workers, those that have ended included."""

    async def faults(self) -> list[str]:
        """Why the gateway is not ready, one line each; none when it is."""

    @property
    def rollouts(self) -> RolloutController:
        """Decides which versions serve."""

    @property
    def endpoints(self) -> EndpointTable:
        """What is known of every upstream's endpoints."""

    async def guests(self) -> dict[int, list[GuestState]]:
        """What each worker tells of the guests that routes name."""

    async def records(self, after: Mapping[int, int], *, watch: bool, explain: str = "") -> dict[int, Taken]:
        """By worker, the records of requests from the numbers ``after`` on, 0 where there is none.

        With ``watch`` requests are recorded for some seconds that would not be. From now on all are
        that bring the token ``explain``, if it is not empty.
        """

    async def lines(self) -> list[bytes]:
        """The log's lines of all processes since the last time, as JSON, if the configuration has
        them exported.
        """

    async def check(self, text: str) -> Config:
        """What this text would be as the configuration. Raises `ConfigError`."""
