"""Which endpoints an upstream's targets are at this moment.

Rule 1: every address of a name is an endpoint. Where a name has addresses of both families, the
        n-th of each are taken for one machine: whichever of the two answers first serves (RFC
        8305).
Rule 2: names are looked up again in the background, when their answers expire. Callers get the
        known addresses at once. The last good answer is kept while the name service fails (see
        `sentinel_host.net.addresses`).
Rule 3: of a service's SRV records, those of the most preferred priority are endpoints (RFC 2782).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from sentinel_host.http.client import Target
from sentinel_host.net import Addresses, Names, UnresolvedName
from sentinel_host.net.addresses import AGAIN, SHORTEST
from sentinel_host.net.remembered import Service

_log = logging.getLogger("sentinel.upstream")


@dataclass(frozen=True, slots=True)
class WeightedTarget:
    """A target as it is configured. ``service`` is the name of SRV records; ``target`` has no host
    then.
    """

    target: Target
    weight: int = 1
    service: str = ""


@dataclass(frozen=True, slots=True)
class Location:
    """Where an endpoint is: the target whose name and port it has, and its addresses, at most one
    of each family.
    """

    target: Target
    addresses: tuple[str, ...]
    weight: int

    def __str__(self) -> str:
        target, address = self.target, self.addresses[0] if self.addresses else ""
        if not address or address == target.host:
            return str(target)
        shown = f"[{address}]" if ":" in address else address
        return f"{target} ({shown})"


class Discovery:
    """The locations of one upstream; ``changed`` is called when they are not what they were before.

    Use from one event loop; ``start`` begins to look names up.
    """

    def __init__(
        self,
        targets: Sequence[WeightedTarget],
        names: Names,
        changed: Callable[[], None],
        ttl: float = 30.0,
    ) -> None:
        self._sources = [_Source(each, names, self._update, ttl) for each in targets]
        self._changed = changed
        self.locations: tuple[Location, ...] = ()
        """What is known now."""
        self._update(quietly=True)

    @property
    def error(self) -> UnresolvedName | None:
        """Why nothing is known; None when something is, or the first answer is still awaited."""
        return next((source.error for source in self._sources if source.error is not None), None)

    def start(self) -> None:
        """Look names up, now and again."""
        for source in self._sources:
            source.start()

    async def first(self) -> None:
        """Wait until every target has been looked up once."""
        await asyncio.gather(*(source.first() for source in self._sources))

    def doubt(self) -> None:
        """None of the endpoints can be reached: look up now, as the names may have moved."""
        for source in self._sources:
            source.doubt()

    async def close(self) -> None:
        """Look up no more."""
        await asyncio.gather(*(source.close() for source in self._sources))

    def _update(self, *, quietly: bool = False) -> None:
        found: dict[tuple[Target, tuple[str, ...]], Location] = {}
        for source in self._sources:
            for each in source.locations:
                # Of a location that is named twice, the first counts: it is one machine.
                found.setdefault((each.target, each.addresses), each)
        locations = tuple(found.values())
        if locations != self.locations:
            self.locations = locations
            if not quietly:
                self._changed()


class _Source:
    """One target: what it is, and the task that keeps that up to date."""

    def __init__(self, of: WeightedTarget, names: Names, changed: Callable[[], None], ttl: float) -> None:
        self._of = of
        self._names = names
        self._changed = changed
        self._ttl = ttl
        self._task: asyncio.Task[None] | None = None
        self._known = asyncio.Event()
        self._doubted = asyncio.Event()
        self._hosts: dict[str, Addresses] = {}
        self.error: UnresolvedName | None = None
        self.locations: list[Location] = []
        target = of.target
        if target.is_fixed and not of.service:
            self.locations = [Location(target, (target.host,) if target.host else (), of.weight)]
            self._known.set()

    def start(self) -> None:
        if self._task is None and not self._known.is_set():
            self._task = asyncio.get_running_loop().create_task(self._follow(), name=f"names of {self._of.target}")

    async def first(self) -> None:
        await self._known.wait()

    def doubt(self) -> None:
        for addresses in self._hosts.values():
            addresses.doubt()
        self._doubted.set()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for addresses in self._hosts.values():
            addresses.close()

    async def _follow(self) -> None:
        while True:
            self._doubted.clear()
            try:
                lifetime = await (self._look_up_service() if self._of.service else self._look_up_name())
                self.error = None
            except UnresolvedName as error:
                self.error, lifetime = error, AGAIN
                if error.negative:
                    self.locations = []
            self._known.set()
            self._changed()
            try:
                async with asyncio.timeout(max(SHORTEST, lifetime)):
                    await self._doubted.wait()
            except TimeoutError:
                continue
            # At most once a second, however many doubt.
            await asyncio.sleep(SHORTEST)

    async def _look_up_name(self) -> float:
        target, weight = self._of.target, self._of.weight
        pairs, lifetime = await self._addresses_of(target.host)
        self.locations = [Location(target, pair, weight) for pair in pairs]
        return lifetime

    async def _look_up_service(self) -> float:
        services, lifetime = await self._servers_of(self._of.service)
        until = float(lifetime)
        locations = []
        for service in services:
            target = replace(self._of.target, host=service.host, port=service.port)
            try:
                pairs, its_lifetime = await self._addresses_of(service.host)
            except UnresolvedName as error:
                _log.warning("%s: %s cannot be looked up: %s", self._of.service, service.host, error)
                continue
            until = min(until, its_lifetime)
            # A weight of 0 is for a server that is to get hardly anything (RFC 2782).
            locations += [Location(target, pair, max(1, service.weight)) for pair in pairs]
        if locations or not self.locations:
            self.locations = locations
        return until

    async def _servers_of(self, service: str) -> tuple[list[Service], int]:
        try:
            return await self._names.look_up_service(service)
        except UnresolvedName as error:
            remembered = self._names.remembered.services.get(service)
            if error.negative or self.locations or not remembered:
                raise
            _log.warning("%s cannot be looked up, its last servers are used: %s", service, error)
            return remembered, round(AGAIN)

    async def _addresses_of(self, host: str) -> tuple[list[tuple[str, ...]], float]:
        addresses = self._hosts.setdefault(host, Addresses(host, self._names, self._ttl))
        found = await addresses.find()
        return _pairs(found), addresses.lifetime()


def _pairs(addresses: Sequence[str]) -> list[tuple[str, ...]]:
    """The n-th addresses of both families together, in an order that does not change with the
    answers' order.
    """
    six = sorted(address for address in addresses if ":" in address)
    four = sorted(address for address in addresses if ":" not in address)
    return [tuple(address for address in pair if address is not None) for pair in zip_longest(six, four)]
