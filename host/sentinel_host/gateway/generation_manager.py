"""The active generation of one process, and how the next one replaces it.

Rule 1: a change is built beside the active generation and published by one assignment, or not at
        all.
Rule 2: changes are made one after the other. A failed change leaves everything as it was and says
        why.
Rule 3: a replaced generation is freed when its last request has ended.
Rule 4: a configuration that waits for a guest is tried again when a new version of that guest
        arrives (`sentinel_host.hotload.rollout`, rule 4).
Rule 5: new content of the files that a configuration names is used once all files are valid, even
        if guests refuse the rest: a renewed certificate does not wait for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from sentinel_host.config import Config, GuestConfig, fixed_changes, read_files, with_fixed
from sentinel_host.errors import GuestsRefuse, SentinelError
from sentinel_host.gateway.build import Builder, Candidate
from sentinel_host.gateway.generation import Generation
from sentinel_host.gateway.guest_states import GuestStates
from sentinel_host.gateway.probations import Probations
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.deployment import Deployment
from sentinel_host.hotload.executor import ProbationObserver
from sentinel_host.hotload.guest_source import GuestSource, Renewal
from sentinel_host.hotload.guest_version import GuestVersion, digests, shorten
from sentinel_host.hotload.state import GuestState
from sentinel_host.sandbox import LoadedGuest

_log = logging.getLogger("sentinel.gateway")


class GenerationManager:
    """A `sentinel_host.hotload.executor.RolloutExecutor` for this process.

    ``publish`` is called with each generation that becomes active. ``prepare`` makes what a
    configuration needs. ``source`` has the guests. ``renewals`` are those of the process. ``read``
    reads the configuration file, without the files that it names; a worker has none, and its
    supervisor reads and logs for it.
    """

    def __init__(
        self,
        config: Config,
        builder: Builder,
        source: GuestSource,
        *,
        publish: Callable[[Generation], None],
        prepare: Callable[[Config], None],
        read: Callable[[], Config] | None = None,
        renewals: Sequence[Renewal] = (),
    ) -> None:
        self._config = config
        self._builder = builder
        self._source = source
        self._publish = publish
        self._prepare = prepare
        self._read = read
        self._renewals = [*renewals, source.renew]
        self._lock = asyncio.Lock()
        self._states = GuestStates()
        self._probations = Probations(self.settings)
        self._versions: dict[str, GuestVersion] = {}
        self._candidates: dict[str, Candidate] = {}
        self._active: Generation | None = None
        self._replaced: set[Generation] = set()
        self._frees: set[asyncio.Task[None]] = set()
        # Why the configuration file is not served, if it is not.
        self.refusal = ""
        # The guests that a configuration waits for.
        self._waiting_for: Collection[str] = ()

    @property
    def config(self) -> Config:
        """The configuration that is served."""
        return self._config

    @property
    def requests(self) -> int:
        """Requests being served, by whichever generation."""
        active = self._active.active if self._active is not None else 0
        return active + sum(generation.active for generation in self._replaced)

    @property
    def states(self) -> Mapping[str, GuestState]:
        """The state of each guest."""
        return self._states.all

    async def start(self) -> None:
        """Serve for the first time; guests that are missing are logged. Raises `ConfigError`."""
        await self._source.follow(self._config)
        versions, faults = await self._source.obtain(self._config.named_guests())
        generation = await self._builder.build(self._config, versions, faults)
        for name, reason in generation.faults.items():
            self._states.note_failure(name, reason)
            _log.error("guest %s is not in service: %s", name, reason)
        self._versions = dict(versions)
        self._activate(generation)

    async def stop(self) -> None:
        """Free everything; no request may be served any more."""
        await asyncio.gather(*self._frees)
        for generation in (self._generation, *self._replaced):
            await self._builder.free(generation)

    def wants(self, name: str) -> bool:
        """Part of `RolloutExecutor`."""
        return name in self._config.named_guests() or name in self._waiting_for

    def serving(self) -> dict[str, GuestVersion]:
        """Part of `RolloutExecutor`."""
        return {name: version for name, version in self._versions.items() if name in self._generation.guests}

    def known(self, name: str) -> list[GuestVersion]:
        """The versions of a guest whose code is in this process."""
        versions = [self._versions[name]] if name in self._versions else []
        return [*versions, self._candidates[name].version] if name in self._candidates else versions

    def settings(self, name: str) -> GuestConfig:
        """Part of `RolloutExecutor`."""
        return self._config.guest.get(name, GuestConfig())

    async def deploy(self, deployment: Deployment, observer: ProbationObserver) -> str | None:
        """Part of `RolloutExecutor`."""
        name = deployment.serving.name
        async with self._lock:
            return await self._deploy(name, deployment, observer) if name in self._config.named_guests() else None

    def load_failed(self, name: str, reason: str) -> None:
        """Part of `RolloutExecutor`."""
        if name not in self._config.named_guests():
            return
        self._states.note_failure(name, reason)
        current = self._generation.guests.get(name)
        if current is None:
            self._generation.faults[name] = reason
            self._say(logging.ERROR, "guest %s is not in service: %s", name, reason)
        else:
            serves = shorten(current.sha256)
            self._say(logging.ERROR, "guest %s was not replaced, and %s serves on: %s", name, serves, reason)

    def waits_for(self, name: str) -> bool:
        """Part of `RolloutExecutor`."""
        return name in self._waiting_for

    async def reconfigure(self, refused: Mapping[str, GuestVersion]) -> dict[str, GuestVersion] | None:
        """Part of `RolloutExecutor`."""
        assert self._read is not None
        try:
            config = await aside(self._read)
            for key in fixed_changes(self._config, config):
                _log.warning("%s: %s has changed, which takes effect with a restart", config.file, key)
            await self._source.follow(config)
            config = with_fixed(self._config, await aside(lambda: read_files(config)))
            await self.renew(config)
            known = {name: each for name, each in self._versions.items() if name not in self._generation.faults}
            found, faults = await self._source.obtain(name for name in config.named_guests() if name not in known)
            replaced = await self._configure_with(config, known | found, faults, refused)
            self.refusal = ""
            return replaced
        except SentinelError as error:
            self.refusal = str(error)
            _log.error("the configuration was not reloaded; the active one stays: %s", error)
            return None

    async def renew(self, config: Config) -> None:
        """Use the new content of the files that a configuration names.

        Raises `ConfigError` that names file and key, and then everything stays as it was.
        """
        config = with_fixed(self._config, config)
        done = await aside(lambda: [renewal(config) for renewal in self._renewals])
        for count in done:
            count()

    async def configure(
        self, config: Config, versions: Mapping[str, GuestVersion], faults: Mapping[str, str]
    ) -> dict[str, GuestVersion] | None:
        """Serve another configuration, whose guests are in ``versions`` or in ``faults``.

        Returns the versions that are replaced; ``None`` when nothing changed. Raises `GuestsRefuse`
        when a guest is missing that is not missing now, or does not start with the new
        configuration; and `ConfigError` when the configuration cannot be served at all.
        """
        async with self._lock:
            config = with_fixed(self._config, config)
            if config == self._config and digests(versions) == digests(self._versions):
                self._waiting_for = ()
                self._say(logging.INFO, "%s says what it said before", config.file)
                return None
            self._prepare(config)
            replaced = {name: each for name, each in self.serving().items() if not each.is_same(versions.get(name))}
            candidates = {
                name: each for name, each in self._candidates.items() if name in versions and name not in replaced
            }
            generation = await self._builder.build(config, versions, faults, candidates)
            worse = {name: why for name, why in generation.faults.items() if name not in self._generation.faults}
            if worse:
                await self._builder.free(generation)
                self._waiting_for = worse
                raise GuestsRefuse(worse)
            self._waiting_for = ()
            self._config = config
            self._versions, self._candidates = dict(versions), candidates
            self._activate(generation)
            for name, reason in generation.refused.items():
                self._probations.failed(name, self._candidates.pop(name).version.sha256, reason)
            for name in replaced.keys() & self.serving().keys():
                message = Deployment(self._versions[name]).log_message(replaced[name].sha256)
                self._say(logging.INFO, "%s", message)
            self._say(logging.INFO, "%s was reloaded, and serves", config.file)
            return replaced

    async def _configure_with(
        self,
        config: Config,
        versions: Mapping[str, GuestVersion],
        faults: Mapping[str, str],
        refused: Mapping[str, GuestVersion],
    ) -> dict[str, GuestVersion] | None:
        try:
            return await self.configure(config, versions, faults)
        except GuestsRefuse as error:
            newest = {name: refused[name] for name in error.guests if name in refused}
            if not newest:
                raise
            waiting = self._waiting_for
            left = {name: reason for name, reason in faults.items() if name not in newest}
            try:
                return await self.configure(config, {**versions, **newest}, left)
            except GuestsRefuse:
                self._waiting_for = {*waiting, *self._waiting_for}
                raise

    async def _deploy(self, name: str, deployment: Deployment, observer: ProbationObserver) -> str | None:
        current, canary = self._generation.guests.get(name), self._generation.candidates.get(name)
        serving, candidate = deployment.serving, deployment.candidate
        is_other_probation = self._probations.note(deployment, observer)
        if _runs(current, serving) and _runs(canary, candidate):
            if not is_other_probation:
                self._states.clear_failure(name)
            self._probations.apply(self._generation)
            return None
        faults = {other: reason for other, reason in self._generation.faults.items() if other != name}
        candidates = {other: each for other, each in self._candidates.items() if other != name}
        if candidate is not None:
            candidates[name] = Candidate(candidate, deployment.weight)
        generation = await self._builder.build(self._config, self._versions | {name: serving}, faults, candidates)
        if reason := generation.faults.get(name) or generation.refused.get(name):
            await self._builder.free(generation)
            self.load_failed(name, reason)
            return reason
        self._versions[name] = serving
        self._candidates = candidates
        if not _runs(current, serving):
            # A canary saw a part of the requests; its probation does not cover all of them.
            generation.guests[name].health.probation = None
        self._activate(generation)
        if candidate is not None or not _runs(current, serving):
            message = deployment.log_message(current.sha256 if current is not None else None)
            self._say(logging.INFO, "%s", message)
        return None

    @property
    def _generation(self) -> Generation:
        assert self._active is not None, "nothing serves before `start`"
        return self._active

    def _activate(self, generation: Generation) -> None:
        before, self._active = self._active, generation
        self._publish(generation)
        self._states.keep_only(generation)
        for name, guest in generation.guests.items():
            canary, weight = "", 0
            if name in generation.candidates:
                canary, weight = generation.candidates[name].sha256, self._candidates[name].weight
            self._states.note_service(
                guest, self._versions[name], self.settings(name), (canary, weight), is_swap=before is not None
            )
        self._probations.apply(generation)
        if before is not None:
            self._replaced.add(before)
            before.retire(lambda: self._free(before))

    def _say(self, level: int, message: str, *arguments: str) -> None:
        """Log a message, unless a supervisor logs for all workers."""
        _log.log(level if self._read is not None else logging.DEBUG, message, *arguments)

    def _free(self, generation: Generation) -> None:
        self._replaced.discard(generation)
        task = asyncio.get_running_loop().create_task(self._builder.free(generation))
        self._frees.add(task)
        task.add_done_callback(self._frees.discard)


def _runs(guest: LoadedGuest | None, version: GuestVersion | None) -> bool:
    """Whether the guest is that version, or there is neither."""
    if guest is None or version is None:
        return guest is None and version is None
    return guest.sha256 == version.sha256
