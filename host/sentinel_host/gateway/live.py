"""What serves now, and how something else comes to serve.

Rule 1: a change is built beside what serves, and published by one assignment, or it is not published at all.
Rule 2: changes are made one after the other. A failed one leaves everything as it was, and says why.
Rule 3: a generation that has been replaced is freed when its last request has ended.
Rule 4: a configuration that waits for a guest, which has yet to come or to be mended, is tried again when it has.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

from sentinel_host.config import Config, fixed_changes, with_fixed
from sentinel_host.errors import ConfigError, SentinelError
from sentinel_host.gateway.build import Builder
from sentinel_host.gateway.generation import Generation
from sentinel_host.hotload.loader import Offer
from sentinel_host.hotload.state import GuestState
from sentinel_host.sandbox import LoadedGuest

_log = logging.getLogger("sentinel.gateway")

# The first digits of a digest, as people compare them.
_SHORT = 12

Obtain = Callable[[Iterable[str]], Awaitable[tuple[dict[str, Offer], dict[str, str]]]]
"""Finds guests by name: offers, and for the others why there is none."""


class Live:
    """The life of one gateway's generations; ``offers`` are the guests in service, as they came.

    ``publish`` is where generations go, and ``prepare`` makes what a configuration needs. ``read`` reads the
    configuration anew; a worker that has a supervisor has none, and leaves it to him to say what happened.
    """

    def __init__(
        self,
        config: Config,
        builder: Builder,
        publish: Callable[[Generation], None],
        read: Callable[[], Config] | None,
        prepare: Callable[[Config], None],
    ) -> None:
        self.config = config
        self.states: dict[str, GuestState] = {}
        self.offers: dict[str, Offer] = {}
        self._builder = builder
        self._publish = publish
        self._read = read
        self._prepare = prepare
        self._lock = asyncio.Lock()
        self._generation: Generation
        self._replaced: set[Generation] = set()
        self._frees: set[asyncio.Task[None]] = set()
        # The guests that a configuration waits for, and those that it names.
        self._waiting_for: Collection[str] = ()
        self.obtain: Obtain

    @property
    def active(self) -> int:
        """Requests being served, by whichever generation."""
        return self._generation.active + sum(generation.active for generation in self._replaced)

    async def start(self, offers: Mapping[str, Offer], faults: Mapping[str, str]) -> None:
        """Serve for the first time; what is missing is said. Raises `ConfigError`."""
        generation = await self._builder.build(self.config, offers, faults)
        for name, reason in generation.faults.items():
            self._note_failure(name, reason)
            _log.error("guest %s is not in service: %s", name, reason)
        self.offers = dict(offers)
        self._take_over(generation)

    async def stop(self) -> None:
        """Free everything; no request may be served any more."""
        await asyncio.gather(*self._frees)
        for generation in (self._generation, *self._replaced):
            await self._builder.free(generation)

    def wants(self, name: str) -> bool:
        """Whether any route names the guest, of the configuration that serves or of one that waits."""
        return name in self.config.named_guests() or name in self._waiting_for

    def serving(self, name: str) -> str | None:
        """The digest of the version of a guest that is in service."""
        guest = self._generation.guests.get(name)
        return guest.sha256 if guest is not None else None

    async def load(self, offer: Offer) -> str | None:
        """Put a version of a guest into service; returns the reason if it is not."""
        async with self._lock:
            reason = await self._swap(offer) if offer.name in self.config.named_guests() else None
        if self._read is not None and offer.name in self._waiting_for:
            await self.reconfigure()
        return reason

    def failed(self, name: str, reason: str) -> None:
        """There is no new version of a guest, for this reason; what serves goes on."""
        if name not in self.config.named_guests():
            return
        self._note_failure(name, reason)
        current = self._generation.guests.get(name)
        if current is None:
            self._generation.faults[name] = reason
            self._tell(logging.ERROR, "guest %s is not in service: %s", name, reason)
        else:
            serves = current.sha256[:_SHORT]
            self._tell(logging.ERROR, "guest %s was not replaced, and %s serves on: %s", name, serves, reason)

    async def reconfigure(self) -> None:
        """Read the configuration file again and serve it; the log says what came of it."""
        assert self._read is not None
        try:
            config = self._read()
            for key in fixed_changes(self.config, config):
                _log.warning("%s: %s has changed, which takes effect with a restart", config.file, key)
            known = {name: offer for name, offer in self.offers.items() if name not in self._generation.faults}
            offers, faults = await self.obtain(name for name in config.named_guests() if name not in known)
            await self.configure(config, known | offers, faults)
        except SentinelError as error:
            _log.error("the configuration was not reloaded, and the old one serves on: %s", error)

    async def configure(self, config: Config, offers: Mapping[str, Offer], faults: Mapping[str, str]) -> None:
        """Serve another configuration, whose guests are in ``offers`` or in ``faults``.

        Raises `ConfigError` when it cannot be served, or not as well as the one that serves: when a guest is missing
        that is not missing now, or refuses its configuration.
        """
        async with self._lock:
            config = with_fixed(self.config, config)
            if config == self.config and _digests(offers) == _digests(self.offers):
                self._waiting_for = ()
                self._tell(logging.INFO, "%s says what it said before", config.file)
                return
            self._prepare(config)
            generation = await self._builder.build(config, offers, faults)
            worse = {name: why for name, why in generation.faults.items() if name not in self._generation.faults}
            if worse:
                await self._builder.free(generation)
                self._waiting_for = worse
                raise ConfigError("; ".join(f"guest {name}: {reason}" for name, reason in worse.items()))
            self._waiting_for = ()
            self.config = config
            self.offers = dict(offers)
            self._take_over(generation)
            self._tell(logging.INFO, "%s was reloaded, and serves", config.file)

    async def _swap(self, offer: Offer) -> str | None:
        name = offer.name
        current = self._generation.guests.get(name)
        if current is not None and current.sha256 == offer.guest.sha256:
            self._state(name).error = ""
            return None
        faults = {other: reason for other, reason in self._generation.faults.items() if other != name}
        generation = await self._builder.build(self.config, self.offers | {name: offer}, faults)
        if reason := generation.faults.get(name):
            await self._builder.free(generation)
            self.failed(name, reason)
            return reason
        self.offers[name] = offer
        self._take_over(generation)
        before = f"in place of {current.sha256[:_SHORT]}" if current is not None else "for the first time"
        self._tell(logging.INFO, "guest %s: %s serves, %s", name, offer.guest.sha256[:_SHORT], before)
        return None

    def _take_over(self, generation: Generation) -> None:
        before = getattr(self, "_generation", None)
        self._generation = generation
        self._publish(generation)
        for name in list(self.states):
            if name not in generation.guests and name not in generation.faults:
                del self.states[name]
        for guest in generation.guests.values():
            self._note_service(guest, is_first=before is None)
        for name in generation.faults:
            self._state(name).state = "missing"
        if before is not None:
            self._replaced.add(before)
            before.retire(lambda: self._free(before))

    def _tell(self, level: int, message: str, *arguments: str) -> None:
        """Into the log, unless somebody else tells for all workers."""
        _log.log(level if self._read is not None else logging.DEBUG, message, *arguments)

    def _free(self, generation: Generation) -> None:
        self._replaced.discard(generation)
        task = asyncio.get_running_loop().create_task(self._builder.free(generation))
        self._frees.add(task)
        task.add_done_callback(self._frees.discard)

    def _state(self, name: str) -> GuestState:
        return self.states.setdefault(name, GuestState(name))

    def _note_failure(self, name: str, reason: str) -> None:
        state = self._state(name)
        state.error = reason
        state.failed_loads += 1

    def _note_service(self, guest: LoadedGuest, *, is_first: bool) -> None:
        state = self._state(guest.name)
        if state.state == "serving" and state.sha256 == guest.sha256:
            return
        if not is_first:
            state.swaps += 1
        state.state, state.error, state.since = "serving", "", time.time()
        state.path, state.sha256, state.size = guest.path, guest.sha256, guest.size
        state.language, state.sdk, state.abi_version = guest.language, guest.sdk, guest.abi_version
        state.hooks, state.imports = guest.hooks, guest.imports


def _digests(offers: Mapping[str, Offer]) -> dict[str, str]:
    return {name: offer.guest.sha256 for name, offer in offers.items()}
