"""Applies decisions about guests, and changes of the configuration file, to all workers.

Rule 1: one worker tries first. What it refuses no other worker is asked to serve, and everything
        stays as it was.
Rule 2: what was applied becomes part of the plan, so that a worker that starts later serves the
        same.
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
from sentinel_host.hotload.deployment import Deployment
from sentinel_host.hotload.executor import ProbationObserver
from sentinel_host.hotload.folder_source import FolderSource
from sentinel_host.hotload.guest_source import Renewal
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.net import Remembered
from sentinel_host.supervisor.cells import Cells
from sentinel_host.supervisor.checking import FleetChecks
from sentinel_host.supervisor.fleet import Fleet, Steer
from sentinel_host.supervisor.offered import deployment_without_code
from sentinel_host.supervisor.plan import FleetPlan, GuestSet
from sentinel_host.supervisor.renewal import renew
from sentinel_host.supervisor.source import parse_source, read_source

_log = logging.getLogger("sentinel.supervisor")

# Keys that new workers do not change either.
_NEEDS_RESTART: Final = (
    "server.admin",
    "server.admin_token",
    "server.admin_token_file",
    "server.limit_slots",
    "server.quic_bind",
)

MakePlan = Callable[[GuestSet], FleetPlan]
Decide = Callable[[Mapping[str, GuestVersion]], dict[str, GuestVersion]]


class FleetRollout:
    """A `sentinel_host.hotload.executor.RolloutExecutor` for the workers of ``fleet``, which it
    owns.

    They serve ``config``, read from ``source``, with the guests of ``folder``; all three are
    replaced by `roll`. Each has one of the ``cells``. ``checks`` are those of what they serve.
    ``renewals`` are those of this process. ``steer`` is as in `Fleet`.
    """

    def __init__(
        self,
        source: ConfigSource,
        config: Config,
        folder: FolderSource,
        cells: Cells,
        checks: FleetChecks,
        renewals: Sequence[Renewal],
        steer: Steer,
    ) -> None:
        self.fleet = Fleet(self, cells, steer)
        self._source = source
        self._config = config
        self._folder = folder
        self._renewals = renewals
        self._checks = checks
        self._lock = asyncio.Lock()
        self._plan: FleetPlan | None = None
        # Why the configuration file is not served, if it is not.
        self.refusal = ""
        # The guests that a configuration waits for.
        self._waiting_for: Collection[str] = ()
        # By guest, of its latest deployment.
        self._observers: dict[str, ProbationObserver] = {}

    @property
    def config(self) -> Config:
        """The configuration that is served."""
        return self._config

    async def start(self, make_plan: MakePlan) -> None:
        """Start the workers with what is in the folder; returns once all are ready. Raises
        `SentinelError`.
        """
        await self._folder.follow(self._config)
        plan = make_plan(GuestSet(*await self._folder.obtain(self._config.named_guests())))
        await self._checks.follow(self._config)
        await self.fleet.start(plan)
        self._plan = plan

    async def roll(
        self, source: ConfigSource, config: Config, folder: FolderSource, decide: Decide, make_plan: MakePlan
    ) -> Mapping[str, GuestVersion]:
        """Replace every worker; ``decide`` is told what is in the folder. Returns what served
        before.

        Raises `SentinelError`, and then the workers that were there serve on.
        """
        async with self._lock:
            await folder.follow(config)
            before = self._guests
            found = GuestSet(*await folder.obtain(config.named_guests(), before.versions))
            plan = make_plan(found.keeping(decide, before))
            await self.fleet.roll(plan)
            self._source, self._config, self._folder, self._plan = source, config, folder, plan
            self._waiting_for, self.refusal = (), ""
            await self._checks.follow(config)
            return before.versions

    def wants(self, name: str) -> bool:
        """Part of `RolloutExecutor`."""
        return name in self._config.named_guests() or name in self._waiting_for

    def serving(self) -> Mapping[str, GuestVersion]:
        """Part of `RolloutExecutor`."""
        return self._guests.versions

    def settings(self, name: str) -> GuestConfig:
        """Part of `RolloutExecutor`."""
        return self._config.guest.get(name, GuestConfig())

    async def deploy(self, deployment: Deployment, observer: ProbationObserver) -> str | None:
        """Part of `RolloutExecutor`."""
        name = deployment.serving.name
        if name not in self._config.named_guests():
            return None
        async with self._lock:
            self._observers[name] = observer
            return await self._deploy(name, deployment)

    def waits_for(self, name: str) -> bool:
        """Part of `RolloutExecutor`."""
        return name in self._waiting_for

    def load_failed(self, name: str, reason: str) -> None:
        """Part of `RolloutExecutor`."""
        if name not in self._config.named_guests():
            return
        self.fleet.tell_load_failed(name, reason)
        if (current := self._guests.versions.get(name)) is None:
            self._guests.faults[name] = reason
            _log.error("guest %s is not in service: %s", name, reason)
        else:
            _log.error("guest %s was not replaced, and %s serves on: %s", name, current.short, reason)

    async def reconfigure(self, refused: Mapping[str, GuestVersion]) -> dict[str, GuestVersion] | None:
        """Part of `RolloutExecutor`."""
        folder = self._folder
        try:
            source, config = await self._read(folder)
            async with self._lock:
                # All workers may have been replaced meanwhile, with a newer file.
                if self._folder is not folder:
                    return None
                replaced = await self._reconfigure(source, config, refused)
                self.refusal = ""
                return replaced
        except SentinelError as error:
            self.refusal = str(error)
            _log.error("the configuration was not reloaded; the active one stays: %s", error)
            return None

    def learned(self, names: Remembered) -> None:
        """Part of `WorkerObserver`."""
        self.fleet.learned(names)

    def degraded(self, name: str, sha256: str) -> None:
        """Part of `ProbationObserver`: a worker reports a version of the latest deployment."""
        if (observer := self._observers.get(name)) is not None:
            observer.degraded(name, sha256)

    def failed(self, name: str, sha256: str, reason: str) -> None:
        """Part of `ProbationObserver`: a worker reports a version of the latest deployment."""
        if (observer := self._observers.get(name)) is not None:
            observer.failed(name, sha256, reason)

    @property
    def _guests(self) -> GuestSet:
        return self._plan.guests if self._plan is not None else GuestSet({}, {})

    async def _deploy(self, name: str, deployment: Deployment) -> str | None:
        guests, current = self._guests, self._guests.versions.get(name)
        codes = {version.sha256: version.guest.code for version in deployment.versions()}
        # Sent even if nothing changes: workers then forget that another version could not be
        # loaded.
        if refusal := await self.fleet.apply(Load(deployment_without_code(deployment)), codes):
            self.load_failed(name, refusal.reason)
            return refusal.reason
        guests.versions[name] = deployment.serving
        guests.faults.pop(name, None)
        guests.deployments.pop(name, None)
        if not deployment.is_plain:
            guests.deployments[name] = deployment
        await self.fleet.catch_up()
        if deployment.candidate is not None or not deployment.serving.is_same(current):
            _log.info("%s", deployment.log_message(current.sha256 if current is not None else None))
        return None

    async def _read(self, folder: FolderSource) -> tuple[ConfigSource, Config]:
        """The file and those that it names, whose content counts from now on. Raises
        `ConfigError`.
        """
        known = self._source
        source = await aside(lambda: read_source(known.file, known.upstream, known.bind))
        config = parse_source(source)
        for key in fixed_changes(self._config, config):
            when = "a restart" if key in _NEEDS_RESTART else "SIGHUP"
            _log.warning("%s: %s has changed, which takes effect with %s", config.file, key, when)
        await folder.follow(config)
        complete = await aside(lambda: read_files(config))
        fixed = with_fixed(self._config, complete)
        await renew(fixed, [*self._renewals, folder.renew])
        # A worker that starts later has the listeners of its siblings.
        return msgspec.structs.replace(source, files={**complete.files, **fixed.files}), fixed

    async def _reconfigure(
        self, source: ConfigSource, config: Config, refused: Mapping[str, GuestVersion]
    ) -> dict[str, GuestVersion] | None:
        kept = with_known_files(self._config, config.files, self._config.files)
        if kept != self._config:
            # The content of files does not wait for guests that refuse the rest.
            await self._serve(msgspec.structs.replace(self._source, files=kept.files), kept, self._guests)
        if config == self._config:
            self._waiting_for = ()
            _log.info("%s says what it said before", config.file)
            return None
        before, names = self._guests, config.named_guests()
        versions = {name: before.versions[name] for name in names if name in before.versions}
        found, faults = await self._folder.obtain(name for name in names if name not in versions)
        deployments = {name: each for name, each in before.deployments.items() if name in versions}
        guests = GuestSet(versions | found, faults, deployments)
        newest = await self._serve_with_newest(source, config, guests, refused)
        self._waiting_for = ()
        replaced = {name: versions[name] for name in newest if name in versions}
        for name, version in replaced.items():
            _log.info("%s", Deployment(newest[name]).log_message(version.sha256))
        _log.info("%s was reloaded, and serves", config.file)
        return replaced

    async def _serve_with_newest(
        self, source: ConfigSource, config: Config, guests: GuestSet, refused: Mapping[str, GuestVersion]
    ) -> dict[str, GuestVersion]:
        """Serve it; where guests refuse it, with their newest versions, which are returned. Raises
        `ConfigError`.
        """
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
            return newest
        return {}

    async def _serve(self, source: ConfigSource, config: Config, guests: GuestSet) -> None:
        """Have every worker serve it. Raises `ConfigError`, and then none does."""
        plan = self._plan
        assert plan is not None, "nothing is reconfigured before `start`"
        refusal = await self.fleet.apply(Reconfigure(source, guests.message()), guests.codes())
        if refusal is not None:
            raise GuestsRefuse(refusal.refusing) if refusal.refusing else ConfigError(refusal.reason)
        plan.source, plan.guests = source, guests
        self._source, self._config = source, config
        await self.fleet.catch_up()
        await self._checks.follow(config)
