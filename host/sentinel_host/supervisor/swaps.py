"""What changes in the guests' folder and in the configuration file, brought to all workers.

Rule 1: one worker tries first. What it refuses, no other is asked to take, and everything stays as it was.
Rule 2: what was taken becomes part of the plan, so that a worker that starts later serves the same.
Rule 3: changes and the replacement of workers come one after the other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import msgspec

from sentinel_host.config import Config, GuestConfig, fixed_changes, read_files, with_fixed
from sentinel_host.config.files import with_known_files
from sentinel_host.control import ConfigSource, Load, Reconfigure
from sentinel_host.errors import ConfigError, GuestsRefuse, SentinelError
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.held import Held
from sentinel_host.hotload.hot import Hot
from sentinel_host.hotload.loader import Offer
from sentinel_host.hotload.placement import Placement
from sentinel_host.hotload.versions import Versions
from sentinel_host.supervisor.fleet import Fleet
from sentinel_host.supervisor.plan import GuestSet, Plan
from sentinel_host.supervisor.prepared import judge
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


Renewal = Callable[[Config], Callable[[], None]]


class Swaps:
    """A `sentinel_host.hotload.crew.Crew`: what ``fleet`` serves is of ``source``, which says ``config``.

    ``renewals`` are as `sentinel_host.gateway.live.Live` has them, for what this process does itself.
    """

    def __init__(self, fleet: Fleet, source: ConfigSource, config: Config, renewals: Sequence[Renewal]) -> None:
        self.lock = asyncio.Lock()
        self._fleet = fleet
        self._source = source
        self._config = config
        self._hot = Hot(config, fleet.releases)
        self._renewals = [*renewals, self._hot.renew]
        self._plan: Plan
        self._waiting_for: Collection[str] = ()
        self._is_closed = False

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
        """The guests of the configuration that it was made with; from now on what changes is noticed."""
        await self._hot.follow(self._config)
        return GuestSet(*await self._hot.obtain(self._config.named_guests()))

    def start(self, plan: Plan) -> None:
        """The workers serve this: keep it up to date."""
        self._plan = plan
        self._hot.start()

    async def close(self) -> None:
        """Bring nothing more."""
        self._is_closed = True
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
        name = placement.serving.name
        if name not in self._config.named_guests():
            return None
        async with self.lock:
            return await self._place(name, placement)

    def waits_for(self, name: str) -> bool:
        """Part of `Crew`."""
        return name in self._waiting_for

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

    async def reconfigure(self, refused: Mapping[str, Offer]) -> dict[str, Offer] | None:
        """Part of `Crew`."""
        try:
            source, config = await self._read()
            async with self.lock:
                # Others may have taken over while it waited.
                return await self._reconfigure(source, config, refused) if not self._is_closed else None
        except SentinelError as error:
            _log.error("the configuration was not reloaded, and the old one serves on: %s", error)
            return None

    async def _place(self, name: str, placement: Placement) -> str | None:
        guests, before = self._plan.guests, self._digest(name)
        codes = {offer.guest.sha256: offer.guest.code for offer in placement.offers()}
        # The same once more: for the workers, which forget that another could not be loaded.
        if taken := await self._fleet.take(Load(placement_without_code(placement)), codes):
            self.failed(name, taken.reason)
            return taken.reason
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

    async def _read(self) -> tuple[ConfigSource, Config]:
        """The file and those that it names; what they say counts. Raises `ConfigError`."""
        known = self._source
        source = await aside(lambda: read_source(known.file, known.upstream, known.bind))
        config = parse_source(source)
        for key in fixed_changes(self._config, config):
            when = "a restart" if key in _NEEDS_RESTART else "SIGHUP"
            _log.warning("%s: %s has changed, which takes effect with %s", config.file, key, when)
        await self._hot.follow(config)
        whole = await aside(lambda: read_files(config))
        fixed = with_fixed(self._config, whole)
        await renew(fixed, self._renewals)
        # A worker that starts later has the listeners of its siblings.
        return msgspec.structs.replace(source, files={**whole.files, **fixed.files}), fixed

    async def _reconfigure(
        self, source: ConfigSource, config: Config, refused: Mapping[str, Offer]
    ) -> dict[str, Offer] | None:
        kept = with_known_files(self._config, config.files, self._config.files)
        if kept != self._config:
            # What files say does not wait for guests that refuse the rest.
            await self._serve(msgspec.structs.replace(self._source, files=kept.files), kept, self._plan.guests)
        if config == self._config:
            self._waiting_for = ()
            _log.info("%s says what it said before", config.file)
            return None
        guests = self._plan.guests
        names = config.named_guests()
        offers = {name: guests.offers[name] for name in names if name in guests.offers}
        found, faults = await self._hot.obtain(name for name in names if name not in offers)
        placements = {name: placement for name, placement in guests.placements.items() if name in offers}
        guests = GuestSet(offers | found, faults, placements)
        newest: dict[str, Offer] = {}
        try:
            await self._serve(source, config, guests)
        except GuestsRefuse as error:
            newest = {name: refused[name] for name in error.guests if name in refused}
            self._waiting_for = error.guests
            if not newest:
                raise
            try:
                await self._serve(source, config, guests.with_newest(newest))
            except GuestsRefuse as again:
                self._waiting_for = {*error.guests, *again.guests}
                raise
        self._waiting_for = ()
        replaced = {name: offers[name] for name in newest if name in offers}
        for name, offer in replaced.items():
            _log.info("%s", Placement(newest[name]).told(offer.guest.sha256))
        _log.info("%s was reloaded, and serves", config.file)
        return replaced

    async def _serve(self, source: ConfigSource, config: Config, guests: GuestSet) -> None:
        """Have every worker serve it. Raises `ConfigError`, and then none does."""
        taken = await self._fleet.take(Reconfigure(source, guests.message()), guests.codes())
        if taken is not None:
            raise GuestsRefuse(taken.refusing) if taken.refusing else ConfigError(taken.reason)
        self._plan.source, self._plan.guests = source, guests
        self._source, self._config = source, config
        await self._fleet.catch_up()


async def renew(config: Config, renewals: Sequence[Renewal]) -> None:
    """Have what files say count in this process. Raises `ConfigError`, and then nothing does."""

    def look() -> list[Callable[[], None]]:
        judge(config)
        return [renewal(config) for renewal in renewals]

    for count in await aside(look):
        count()
