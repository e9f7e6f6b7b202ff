"""What serves now, and how something else comes to serve.

Rule 1: a change is built beside what serves, and published by one assignment, or it is not published at all.
Rule 2: changes are made one after the other. A failed one leaves everything as it was, and says why.
Rule 3: a generation that has been replaced is freed when its last request has ended.
Rule 4: a configuration that waits for a guest, which has yet to come or to be mended, is tried again when it has; and
        together with a version that waits for another configuration (`sentinel_host.hotload.release`, rule 4).
Rule 5: what the files say that a configuration names counts once all of it is right, whether or not guests serve with
        the rest: a certificate that is about to expire does not wait for them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Protocol

from sentinel_host.config import Config, GuestConfig, RevertConfig, fixed_changes, read_files, with_fixed
from sentinel_host.errors import GuestsRefuse, SentinelError
from sentinel_host.gateway.build import Builder, Candidate
from sentinel_host.gateway.generation import Generation
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.loader import Offer
from sentinel_host.hotload.placement import Placement
from sentinel_host.hotload.state import GuestState
from sentinel_host.sandbox import LoadedGuest, Probation, RollbackPolicy

_log = logging.getLogger("sentinel.gateway")

# The first digits of a digest, as people compare them.
_SHORT = 12

Obtain = Callable[[Iterable[str]], Awaitable[tuple[dict[str, Offer], dict[str, str]]]]
"""Finds guests by name: offers, and for the others why there is none."""


Renewal = Callable[[Config], Callable[[], None]]
"""See `Live`."""


class Watcher(Protocol):
    """Who is told how a version on trial does."""

    def faltered(self, name: str, sha256: str) -> None:
        """It has failed at least once since the last time."""

    def tripped(self, name: str, sha256: str, reason: str) -> None:
        """It fails too much."""


class Live:
    """The life of one gateway's generations; ``offers`` are the guests in service, as they came.

    ``publish`` is where generations go, and ``prepare`` makes what a configuration needs. ``read`` reads the
    configuration anew, without the files that it names; a worker that has a supervisor has none, and leaves it to him
    to say what happened. ``watcher`` is told of versions that are on trial, and is to be set before the first `place`.

    ``renewals`` have what files say count: each is given a configuration, in a thread, and returns what does so, on the
    event loop; or raises `ConfigError`, and nothing changes. ``follow`` is told which configuration is to be served.
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
        self._candidates: dict[str, Candidate] = {}
        # The digests of the versions that are on trial.
        self._on_trial: dict[str, str] = {}
        self._generation: Generation
        self._replaced: set[Generation] = set()
        self._frees: set[asyncio.Task[None]] = set()
        # The guests that a configuration waits for, and those that it names.
        self._waiting_for: Collection[str] = ()
        self.renewals: list[Renewal] = []
        self.follow: Callable[[Config], Awaitable[None]]
        self.obtain: Obtain
        self.watcher: Watcher

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

    def serving(self) -> dict[str, Offer]:
        """The versions in service, by the names of the guests."""
        return {name: offer for name, offer in self.offers.items() if name in self._generation.guests}

    def known(self, name: str) -> list[Offer]:
        """The versions of a guest whose code is here."""
        offers = [self.offers[name]] if name in self.offers else []
        return [*offers, self._candidates[name].offer] if name in self._candidates else offers

    def settings(self, name: str) -> GuestConfig:
        """What is configured for a guest now."""
        return self.config.guest.get(name, GuestConfig())

    async def place(self, placement: Placement) -> str | None:
        """Put a version of a guest into service, with a candidate or without; returns the reason if it is not."""
        name = placement.serving.name
        async with self._lock:
            return await self._place(name, placement) if name in self.config.named_guests() else None

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

    def waits_for(self, name: str) -> bool:
        """Whether a configuration was not served because this guest did not start, or was not there."""
        return name in self._waiting_for

    async def reconfigure(self, refused: Mapping[str, Offer]) -> dict[str, Offer] | None:
        """Read the configuration file again and serve it; the log says what came of it. As in `Crew`."""
        assert self._read is not None
        try:
            config = await aside(self._read)
            for key in fixed_changes(self.config, config):
                _log.warning("%s: %s has changed, which takes effect with a restart", config.file, key)
            await self.follow(config)
            config = with_fixed(self.config, await aside(lambda: read_files(config)))
            await self.renew(config)
            known = {name: offer for name, offer in self.offers.items() if name not in self._generation.faults}
            offers, faults = await self.obtain(name for name in config.named_guests() if name not in known)
            return await self._configure_with(config, known | offers, faults, refused)
        except SentinelError as error:
            _log.error("the configuration was not reloaded, and the old one serves on: %s", error)
            return None

    async def renew(self, config: Config) -> None:
        """Have what the files say count that a configuration names.

        Raises `ConfigError` that names file and key, and then everything stays as it was.
        """
        config = with_fixed(self.config, config)
        done = await aside(lambda: [renewal(config) for renewal in self.renewals])
        for count in done:
            count()

    async def _configure_with(
        self,
        config: Config,
        offers: Mapping[str, Offer],
        faults: Mapping[str, str],
        refused: Mapping[str, Offer],
    ) -> dict[str, Offer] | None:
        try:
            return await self.configure(config, offers, faults)
        except GuestsRefuse as error:
            newest = {name: refused[name] for name in error.guests if name in refused}
            if not newest:
                raise
            waiting = self._waiting_for
            left = {name: reason for name, reason in faults.items() if name not in newest}
            try:
                return await self.configure(config, {**offers, **newest}, left)
            except GuestsRefuse:
                self._waiting_for = {*waiting, *self._waiting_for}
                raise

    async def configure(
        self, config: Config, offers: Mapping[str, Offer], faults: Mapping[str, str]
    ) -> dict[str, Offer] | None:
        """Serve another configuration, whose guests are in ``offers`` or in ``faults``.

        Returns the versions that are replaced; ``None`` when nothing changed. Raises `GuestsRefuse` when it cannot be
        served as well as the one that serves: when a guest is missing that is not missing now, or refuses its
        configuration; and `ConfigError` when it cannot be served at all.
        """
        async with self._lock:
            config = with_fixed(self.config, config)
            if config == self.config and _digests(offers) == _digests(self.offers):
                self._waiting_for = ()
                self._tell(logging.INFO, "%s says what it said before", config.file)
                return None
            self._prepare(config)
            replaced = {name: offer for name, offer in self.serving().items() if not _is_same(offers.get(name), offer)}
            candidates = {
                name: each for name, each in self._candidates.items() if name in offers and name not in replaced
            }
            generation = await self._builder.build(config, offers, faults, candidates)
            worse = {name: why for name, why in generation.faults.items() if name not in self._generation.faults}
            if worse:
                await self._builder.free(generation)
                self._waiting_for = worse
                raise GuestsRefuse(worse)
            self._waiting_for = ()
            self.config = config
            self.offers, self._candidates = dict(offers), candidates
            self._take_over(generation)
            for name, reason in generation.refused.items():
                self.watcher.tripped(name, self._candidates.pop(name).offer.guest.sha256, reason)
            for name in replaced.keys() & self.serving().keys():
                self._tell(logging.INFO, "%s", Placement(self.offers[name]).told(replaced[name].guest.sha256))
            self._tell(logging.INFO, "%s was reloaded, and serves", config.file)
            return replaced

    async def _place(self, name: str, placement: Placement) -> str | None:
        current, tried = self._generation.guests.get(name), self._generation.candidates.get(name)
        serving, candidate = placement.serving, placement.candidate
        was_on_trial, self._on_trial[name] = self._on_trial.get(name, ""), placement.on_trial
        if _runs(current, serving) and _runs(tried, candidate):
            if placement.on_trial == was_on_trial:
                # The same file again, and no other that could not be loaded.
                state = self._state(name)
                state.error, state.failed_at = "", 0.0
            self._begin_trials()
            return None
        faults = {other: reason for other, reason in self._generation.faults.items() if other != name}
        candidates = {other: each for other, each in self._candidates.items() if other != name}
        if candidate is not None:
            candidates[name] = Candidate(candidate, placement.weight)
        generation = await self._builder.build(self.config, self.offers | {name: serving}, faults, candidates)
        if reason := generation.faults.get(name) or generation.refused.get(name):
            await self._builder.free(generation)
            self.failed(name, reason)
            return reason
        self.offers[name] = serving
        self._candidates = candidates
        if not _runs(current, serving):
            # A canary's probation says nothing of all requests: another one begins.
            generation.guests[name].health.probation = None
        self._take_over(generation)
        if candidate is not None or not _runs(current, serving):
            self._tell(logging.INFO, "%s", placement.told(current.sha256 if current is not None else None))
        return None

    def _begin_trials(self) -> None:
        """Watch the versions that are to be watched, and no others."""
        generation = self._generation
        for guest in (*generation.guests.values(), *generation.candidates.values()):
            if self._on_trial.get(guest.name) != guest.sha256:
                guest.health.probation = None
            elif guest.health.probation is None:
                guest.health.probation = self._trial(guest)

    def _trial(self, guest: LoadedGuest) -> Probation:
        name, sha256, health = guest.name, guest.sha256, guest.health
        revert = self.settings(name).revert
        terms = revert if isinstance(revert, RevertConfig) else RevertConfig()
        before = health.calls
        return Probation(
            # More than all calls can never fail.
            RollbackPolicy(terms.share if revert else 1.0, terms.calls, terms.time),
            lambda: health.calls - before,
            lambda: self.watcher.faltered(name, sha256),
            lambda reason: self.watcher.tripped(name, sha256, reason),
        )

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
        self._begin_trials()
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
        state.error, state.failed_at = reason, time.time()
        state.failed_loads += 1

    def _note_service(self, guest: LoadedGuest, *, is_first: bool) -> None:
        state = self._state(guest.name)
        tried = self._generation.candidates.get(guest.name)
        state.canary = tried.sha256 if tried is not None else ""
        state.canary_weight = self._candidates[guest.name].weight if tried is not None else 0
        state.grants = tuple(self.settings(guest.name).grants)
        if state.state == "serving" and state.sha256 == guest.sha256:
            return
        if not is_first:
            state.swaps += 1
        state.state, state.error, state.since = "serving", "", time.time()
        # What calls failed of before was another version's doing.
        state.failed_at = state.since
        state.path, state.sha256, state.size = guest.path, guest.sha256, guest.size
        state.language, state.sdk, state.abi_version = guest.language, guest.sdk, guest.abi_version
        state.hooks, state.imports = guest.hooks, guest.imports
        state.version = self.offers[guest.name].version


def _digests(offers: Mapping[str, Offer]) -> dict[str, str]:
    return {name: offer.guest.sha256 for name, offer in offers.items()}


def _is_same(offer: Offer | None, other: Offer) -> bool:
    return offer is not None and offer.guest.sha256 == other.guest.sha256


def _runs(guest: LoadedGuest | None, offer: Offer | None) -> bool:
    """Whether the guest is that version, or there is neither."""
    if guest is None or offer is None:
        return guest is None and offer is None
    return guest.sha256 == offer.guest.sha256
