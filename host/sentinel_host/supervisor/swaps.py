"""What changes in the guests' folder and in the configuration file, brought to all workers.

Rule 1: one worker tries first. What it refuses, no other is asked to take, and everything stays as it was.
Rule 2: what was taken becomes part of the plan, so that a worker that starts later serves the same.
Rule 3: changes and the replacement of workers come one after the other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Final

from sentinel_host.config import Config, GuestConfig, fixed_changes, with_fixed
from sentinel_host.control import ConfigSource, Load, Reconfigure
from sentinel_host.errors import SentinelError
from sentinel_host.hotload.held import Held
from sentinel_host.hotload.hot import Hot
from sentinel_host.hotload.loader import Offer
from sentinel_host.hotload.placement import Placement
from sentinel_host.hotload.versions import Versions
from sentinel_host.supervisor.fleet import Fleet
from sentinel_host.supervisor.plan import GuestSet, Plan
from sentinel_host.supervisor.source import parse_source, read_source
from sentinel_host.supervisor.supply import placement_without_code

_log = logging.getLogger("sentinel.supervisor")

# Digits of a digest, as `sentinel_host.gateway.live` has it.
_SHORT: Final = 12
# What new workers cannot change either.
_NEEDS_RESTART: Final = (
    "server.admin",
    "server.admin_token",
    "server.admin_token_file",
    "server.limit_slots",
)


class Swaps:
    """A `sentinel_host.hotload.crew.Crew`: what ``fleet`` serves is of ``source``, which says ``config``."""

    def __init__(self, fleet: Fleet, source: ConfigSource, config: Config) -> None:
        self.lock = asyncio.Lock()
        self._fleet = fleet
        self._source = source
        self._config = config
        self._hot = Hot(config, fleet.releases)
        self._plan: Plan
        self._waiting_for: Collection[str] = ()

    @property
    def versions(self) -> Versions | None:
        """What is known of signed versions, where signatures are asked for."""
        return self._hot.versions

    @property
    def held(self) -> Held:
        """What was taken back of the folder's guests."""
        return self._hot.held

    @property
    def placements(self) -> dict[str, Placement]:
        """How guests serve that do so in another way than alone."""
        return self._plan.guests.placements

    async def find(self) -> GuestSet:
        """The guests of the configuration that it was made with."""
        return GuestSet(*await self._hot.obtain(self._config.named_guests()))

    def start(self, plan: Plan) -> None:
        """The workers serve this: keep it up to date."""
        self._plan = plan
        self._hot.start()

    async def close(self) -> None:
        """Bring nothing more."""
        await self._hot.close()

    def wants(self, name: str) -> bool:
        """Part of `Crew`."""
        return name in self._config.named_guests() or name in self._waiting_for

    def serving(self) -> dict[str, Offer]:
        """Part of `Crew`."""
        return self._plan.guests.offers

    def settings(self, name: str) -> GuestConfig:
        """Part of `Crew`."""
        return self._config.guest.get(name, GuestConfig())

    async def place(self, placement: Placement) -> str | None:
        """Part of `Crew`."""
        name, reason = placement.serving.name, None
        if name in self._config.named_guests():
            async with self.lock:
                reason = await self._place(name, placement)
        if name in self._waiting_for:
            await self.reconfigure()
        return reason

    def failed(self, name: str, reason: str) -> None:
        """Part of `Crew`."""
        if name not in self._config.named_guests():
            return
        self._fleet.say_failed(name, reason)
        if (digest := self._digest(name)) is None:
            self._plan.guests.faults[name] = reason
            _log.error("guest %s is not in service: %s", name, reason)
        else:
            _log.error("guest %s was not replaced, and %s serves on: %s", name, digest[:_SHORT], reason)

    async def reconfigure(self) -> None:
        """Part of `Crew`."""
        async with self.lock:
            try:
                await self._reconfigure()
            except SentinelError as error:
                _log.error("the configuration was not reloaded, and the old one serves on: %s", error)

    async def _place(self, name: str, placement: Placement) -> str | None:
        guests, before = self._plan.guests, self._digest(name)
        codes = {offer.guest.sha256: offer.guest.code for offer in placement.offers()}
        # The same once more: for the workers, which forget that another could not be loaded.
        if reason := await self._fleet.take(Load(placement_without_code(placement)), codes):
            self.failed(name, reason)
            return reason
        guests.offers[name] = placement.serving
        guests.faults.pop(name, None)
        guests.placements.pop(name, None)
        if not placement.is_plain:
            guests.placements[name] = placement
        await self._fleet.catch_up()
        if placement.candidate is not None or placement.serving.guest.sha256 != before:
            _log.info("%s", placement.told(before))
        return None

    def _digest(self, name: str) -> str | None:
        offer = self._plan.guests.offers.get(name)
        return offer.guest.sha256 if offer is not None else None

    async def _reconfigure(self) -> None:
        source = read_source(self._source.file, self._source.upstream, self._source.bind)
        config = parse_source(source)
        for key in fixed_changes(self._config, config):
            when = "a restart" if key in _NEEDS_RESTART else "SIGHUP"
            _log.warning("%s: %s has changed, which takes effect with %s", config.file, key, when)
        config = with_fixed(self._config, config)
        if config == self._config:
            self._waiting_for = ()
            _log.info("%s says what it said before", config.file)
            return
        plan = self._plan
        names = config.named_guests()
        offers = {name: plan.guests.offers[name] for name in names if name in plan.guests.offers}
        found, faults = await self._hot.obtain(name for name in names if name not in offers)
        placements = {name: placement for name, placement in plan.guests.placements.items() if name in offers}
        guests = GuestSet(offers | found, faults, placements)
        reason = await self._fleet.take(Reconfigure(source, guests.message()), guests.codes())
        if reason is not None:
            self._waiting_for = [name for name in names if name not in plan.guests.offers]
            raise SentinelError(reason)
        self._waiting_for = ()
        plan.source, plan.guests = source, guests
        self._source, self._config = source, config
        await self._fleet.catch_up()
        _log.info("%s was reloaded, and serves", config.file)
