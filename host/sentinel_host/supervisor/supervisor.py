"""The process that holds the sockets, keeps the workers running and answers for them; it serves no
request itself.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping, Sequence

import msgspec
from quart import Quart

from sentinel_host.config import Config, read_files
from sentinel_host.control import ConfigSource, ListenerFd, QuicFds, Snapshot, merge
from sentinel_host.control.admin import install_admin
from sentinel_host.control.process import process_numbers
from sentinel_host.errors import ConfigError, SentinelError
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.folder_source import FolderSource
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.hotload.reloader import HotReloader
from sentinel_host.hotload.rollout import RolloutController
from sentinel_host.hotload.store import RolloutStore
from sentinel_host.http.server import Connections, ServerLimits
from sentinel_host.server.serve import run, serve
from sentinel_host.supervisor.cells import Cells
from sentinel_host.supervisor.checking import FleetChecks
from sentinel_host.supervisor.exporting import exporter_of
from sentinel_host.supervisor.fleet_rollout import FleetRollout
from sentinel_host.supervisor.listeners import Listeners, Listening, print_listeners
from sentinel_host.supervisor.log import Log, log_counts
from sentinel_host.supervisor.notify import Notifier
from sentinel_host.supervisor.overview import FleetOverview
from sentinel_host.supervisor.plan import FleetPlan, GuestSet
from sentinel_host.supervisor.prepared import Prepared
from sentinel_host.supervisor.renewal import renew
from sentinel_host.supervisor.signals import end_by
from sentinel_host.supervisor.source import parse_source, read_source
from sentinel_host.upstream.table import keep_swept

_log = logging.getLogger("sentinel.supervisor")

# Seconds for a scrape that is in flight when the last worker has gone: what is left of grace + 1 s.
_ADMIN_GRACE = 0.1


class Supervisor:
    """Runs what was ``prepared``; ``shared`` holds the descriptors of shared memory by name.

    ``log`` is this process's own.
    """

    def __init__(
        self, prepared: Prepared, listeners: Listeners, notifier: Notifier, shared: dict[str, int], log: Log
    ) -> None:
        self._prepared = prepared
        self._listeners = listeners
        self._notifier = notifier
        self._shared = shared
        self._log = log

    def run(self) -> None:
        """Until SIGTERM or SIGINT, and the workers' end; a second one ends everything at once.
        SIGHUP reloads.

        Raises `SentinelError` when the workers cannot start.
        """
        run(self._run())

    async def _run(self) -> None:
        await _Supervision(self._prepared, self._listeners, self._notifier, self._shared, self._log).run()


class _Supervision:
    """A supervisor while its event loop runs; made on the loop."""

    def __init__(
        self, prepared: Prepared, listeners: Listeners, notifier: Notifier, shared: dict[str, int], log: Log
    ) -> None:
        self._source = prepared.source
        self._config = prepared.config
        self._access = prepared.access
        self._listeners = listeners
        self._notifier = notifier
        self._shared = shared
        self._public = prepared.public
        self._admin = prepared.admin
        self._quic = prepared.quic
        self._certificates = prepared.certificates
        self._serves = False
        self._is_ending = False
        self._stop, self._reload = asyncio.Event(), asyncio.Event()
        self._store = RolloutStore()
        folder = FolderSource(self._config, self._store)
        self._store.use(folder.records, folder.versions)
        assert prepared.endpoints is not None, "several workers share a table of endpoints"
        self._endpoints = prepared.endpoints
        self._cells = Cells(prepared.endpoints)
        self._checks = FleetChecks(prepared.endpoints)
        self._rollout = FleetRollout(
            self._source, self._config, folder, self._cells, self._checks, [self._access.renew], self._steer
        )
        self._fleet = self._rollout.fleet
        self._controller = RolloutController(self._rollout, self._store)
        self._reloader = HotReloader(folder, self._controller)
        self._overview = FleetOverview(
            self._fleet,
            self._controller,
            self._endpoints,
            self._checks,
            self._counted,
            lambda: self._is_ending,
            lambda: (self._rollout.config, self._rollout.refusal),
            log.take_lines,
        )
        self._log = log
        self._exporter = exporter_of(self._config, self._overview)

    def _steer(self, accepting: Sequence[int], alive: Sequence[int]) -> None:
        if self._quic is None:
            return
        try:
            self._quic.steer(accepting, alive)
        except OSError as error:
            _log.error("HTTP/3: new connections go where they went before: %s", error)

    def _counted(self) -> Snapshot:
        exported = [self._exporter.snapshot()] if self._exporter is not None else []
        return merge([log_counts(self._log), process_numbers("supervisor"), *exported])

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_end, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        loop.add_signal_handler(signal.SIGUSR1, self._reopen_logs)
        stopped = asyncio.Event()
        admin = loop.create_task(self._serve_admin(stopped))
        life = loop.create_task(self._live())
        stop = loop.create_task(self._stop.wait())
        sweeping = loop.create_task(keep_swept(self._endpoints))
        try:
            await asyncio.wait([life, stop, admin], return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            life.cancel()
            await asyncio.wait([life])
            if not life.cancelled():
                life.result()
        finally:
            if not self._is_ending:
                self._is_ending = True
                self._notifier.stopping()
            # Workers that have these too take what still waits in their queues; then connections
            # are refused.
            self._listeners.keep([])
            sweeping.cancel()
            await self._controller.close()
            await self._reloader.close()
            await self._fleet.drain()
            if self._exporter is not None:
                await self._exporter.close()
            await self._checks.close()
            stopped.set()
            await admin
            self._notifier.close()

    async def _live(self) -> None:
        await self._rollout.start(lambda guests: self._plan(self._source, self._config, self._public, guests))
        await self._controller.started()
        self._reloader.start()
        self._serves = True
        if self._exporter is not None:
            self._exporter.start()
        admin = [self._admin] if self._admin is not None else []
        print_listeners([*self._public, *admin, *([self._quic] if self._quic is not None else [])])
        self._notifier.ready(self._status())
        while True:
            await self._reload.wait()
            self._reload.clear()
            if self._is_ending:
                continue
            self._notifier.reloading()
            try:
                await self._roll()
                _log.info("reloaded: every worker serves the new configuration")
                self._notifier.ready(self._status())
            except Exception as error:
                # An unexpected error is a fault of ours, and no reason to stop serving.
                unexpected = None if isinstance(error, SentinelError) else error
                self._rollout.refusal = str(error)
                _log.error("the reload failed, and the old configuration stays: %s", error, exc_info=unexpected)
                self._notifier.ready(f"the last reload failed: {error}")

    async def _roll(self) -> None:
        """Read everything anew and replace every worker."""
        known = self._source
        source = await aside(lambda: read_source(known.file, known.upstream, known.bind))
        config = await aside(lambda: read_files(parse_source(source)))
        if config.server.workers > self._cells.most_workers:
            raise ConfigError(f"{config.file}: server.workers: more than {self._cells.most_workers} need a restart")
        source = msgspec.structs.replace(source, files=config.files)
        await renew(config, [self._access.renew])
        if config.server.admin != self._config.server.admin:
            _log.warning("server.admin is read at the start only")
        if config.server.quic_bind not in (None, self._config.server.quic_bind):
            _log.warning("server.quic_bind is read at the start only")
        folder = FolderSource(config, self._store)

        async def replace() -> Mapping[str, GuestVersion]:
            public = self._listeners.open_public(config)
            before = await self._rollout.roll(
                source,
                config,
                folder,
                self._controller.keep_decisions,
                lambda guests: self._plan(source, config, public, guests),
            )
            # What the old folder has brought must not be decided any more.
            await self._reloader.close()
            self._store.use(folder.records, folder.versions)
            self._reloader = HotReloader(folder, self._controller)
            self._reloader.start()
            self._source, self._config, self._public = source, config, public
            return before

        try:
            await self._controller.replace_all(replace)
        except BaseException:
            if self._config is not config:
                await folder.close()
            raise
        finally:
            self._listeners.keep(self._public)

    async def _serve_admin(self, stopped: asyncio.Event) -> None:
        if self._admin is None:
            await stopped.wait()
            return
        app = Quart("sentinel_host", static_folder=None)
        install_admin(app, self._overview, self._access)
        await serve(
            app,
            [self._admin.endpoint(self._certificates)],
            Connections(ServerLimits()),
            shutdown=stopped.wait,
            grace=_ADMIN_GRACE,
        )

    def _plan(self, source: ConfigSource, config: Config, public: list[Listening], guests: GuestSet) -> FleetPlan:
        fds = [ListenerFd(each.name, each.socket.fileno(), each.tls, each.proxy_protocol) for each in public]
        return FleetPlan(
            source, guests, fds, self._shared, config.server.workers, config.server.grace, self._quic_fds(config)
        )

    def _quic_fds(self, config: Config) -> QuicFds | None:
        group, tls = self._quic, config.server.tls
        if group is None or tls is None or config.server.quic_bind is None:
            return None
        return QuicFds([sock.fileno() for sock in group.sockets], group.key, group.secret, tls)

    def _reopen_logs(self) -> None:
        self._log.reopen()
        self._fleet.reopen_logs()

    def _status(self) -> str:
        return f"serving with {len(self._fleet.places)} workers"

    def _on_end(self, number: signal.Signals) -> None:
        if self._is_ending:
            self._fleet.kill()
            end_by(number)
        self._is_ending = True
        self._notifier.stopping()
        if self._serves and self._config.server.lame_duck:
            asyncio.get_running_loop().call_later(self._config.server.lame_duck, self._stop.set)
        else:
            self._stop.set()
