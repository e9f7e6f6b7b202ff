"""The process that holds the sockets, keeps the workers running and answers for them; it serves no request itself."""

from __future__ import annotations

import asyncio
import logging
import signal

import msgspec
from quart import Quart

from sentinel_host.config import Config, read_files
from sentinel_host.control import ConfigSource, ListenerFd, install_admin
from sentinel_host.errors import SentinelError
from sentinel_host.hotload.aside import aside
from sentinel_host.hotload.release import Releases
from sentinel_host.http.server import Connections, ServerLimits
from sentinel_host.server import run, serve
from sentinel_host.supervisor.announce import announce
from sentinel_host.supervisor.fleet import Fleet
from sentinel_host.supervisor.listeners import Listeners, Listening
from sentinel_host.supervisor.log import Log, log_counts
from sentinel_host.supervisor.notify import Notifier
from sentinel_host.supervisor.plan import GuestSet, Plan
from sentinel_host.supervisor.prepared import Prepared
from sentinel_host.supervisor.signals import end_by
from sentinel_host.supervisor.source import parse_source, read_source
from sentinel_host.supervisor.swaps import Swaps, renew

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
        self._source = prepared.source
        self._config = prepared.config
        self._access = prepared.access
        self._listeners = listeners
        self._notifier = notifier
        self._shared = shared
        self._process_log = log
        self._public = prepared.public
        self._admin = prepared.admin
        self._certificates = prepared.certificates
        self._fleet: Fleet
        self._releases: Releases
        self._swaps: Swaps | None = None
        self._serves = False
        self._stop: asyncio.Event
        self._reload: asyncio.Event

    def run(self) -> None:
        """Until SIGTERM or SIGINT, and the workers' end; a second one ends everything at once. SIGHUP reloads.

        Raises `SentinelError` when the workers cannot start.
        """
        run(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        self._releases = Releases()
        self._fleet = Fleet(self._releases, lambda: log_counts(self._process_log))
        self._stop, self._reload = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_end, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        stopped = asyncio.Event()
        admin = loop.create_task(self._serve_admin(stopped))
        life = loop.create_task(self._live())
        stop = loop.create_task(self._stop.wait())
        try:
            await asyncio.wait([life, stop, admin], return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            life.cancel()
            await asyncio.wait([life])
            if not life.cancelled():
                life.result()
        finally:
            if not self._fleet.is_ending:
                self._notifier.stopping()
            # Workers that have these too take what still waits in their queues; then connections are refused.
            self._listeners.keep([])
            await self._releases.close()
            if self._swaps is not None:
                await self._swaps.close()
            await self._fleet.drain()
            stopped.set()
            await admin
            self._notifier.close()

    async def _live(self) -> None:
        self._swaps = swaps = Swaps(self._fleet, self._source, self._config, [self._access.renew])
        plan = self._plan(self._source, self._config, self._public, await swaps.find())
        await self._fleet.start(plan)
        self._take_over(swaps, plan)
        await self._releases.started()
        self._serves = True
        announce([*self._public, *([self._admin] if self._admin is not None else [])])
        self._notifier.ready(self._status())
        while True:
            await self._reload.wait()
            self._reload.clear()
            if self._fleet.is_ending:
                continue
            self._notifier.reloading()
            try:
                await self._roll()
                _log.info("reloaded: every worker serves the new configuration")
                self._notifier.ready(self._status())
            except Exception as error:
                # One that nobody expected is a fault of ours, and no reason to stop serving.
                unexpected = None if isinstance(error, SentinelError) else error
                _log.error("the reload failed, and the old configuration stays: %s", error, exc_info=unexpected)
                self._notifier.ready(f"the last reload failed: {error}")

    async def _roll(self) -> None:
        known = self._source
        source = await aside(lambda: read_source(known.file, known.upstream, known.bind))
        config = await aside(lambda: read_files(parse_source(source)))
        source = msgspec.structs.replace(source, files=config.files)
        await renew(config, [self._access.renew])
        if config.server.admin != self._config.server.admin:
            _log.warning("server.admin is read at the start only")
        before, swaps = self._swaps, Swaps(self._fleet, source, config, [self._access.renew])
        assert before is not None
        try:
            async with self._releases.lock, before.lock:
                public = self._listeners.open_public(config)
                plan = self._plan(source, config, public, self._settled(before, await swaps.find()))
                await self._fleet.roll(plan)
                await before.close()
                served = before.serving()
                self._take_over(swaps, plan)
                await self._releases.replaced(served)
        except BaseException:
            self._listeners.keep(self._public)
            await swaps.close()
            raise
        self._listeners.keep(public)
        self._source, self._config, self._public, self._swaps = source, config, public, swaps

    def _take_over(self, swaps: Swaps, plan: Plan) -> None:
        """The workers serve ``plan``, which ``swaps`` keeps up to date from now on."""
        self._releases.crew, self._releases.versions, self._releases.held = swaps, swaps.versions, swaps.held
        swaps.start(plan)

    def _settled(self, before: Swaps, found: GuestSet) -> GuestSet:
        """What new workers are to serve: what was taken back is still in the folder, and canaries go on."""
        offers = self._releases.settle(found.offers)
        going_on = {
            name: placement
            for name, placement in before.placements.items()
            if name in offers and offers[name] is placement.serving
        }
        return GuestSet(offers, found.faults, going_on)

    async def _serve_admin(self, stopped: asyncio.Event) -> None:
        if self._admin is None:
            await stopped.wait()
            return
        app = Quart("sentinel_host", static_folder=None)
        install_admin(app, self._fleet, self._access)
        await serve(
            app,
            [self._admin.endpoint(self._certificates)],
            Connections(ServerLimits()),
            shutdown=stopped.wait,
            grace=_ADMIN_GRACE,
        )

    def _plan(self, source: ConfigSource, config: Config, public: list[Listening], guests: GuestSet) -> Plan:
        fds = [
            ListenerFd(
                listening.name,
                listening.socket.fileno(),
                (listening.tls.cert, listening.tls.key) if listening.tls is not None else None,
            )
            for listening in public
        ]
        return Plan(source, guests, fds, self._shared, config.server.workers, config.server.grace)

    def _status(self) -> str:
        return f"serving with {self._fleet.workers} workers"

    def _on_end(self, number: signal.Signals) -> None:
        if self._fleet.is_ending:
            self._fleet.kill()
            end_by(number)
        self._fleet.is_ending = True
        self._notifier.stopping()
        if self._serves and self._config.server.lame_duck:
            asyncio.get_running_loop().call_later(self._config.server.lame_duck, self._stop.set)
        else:
            self._stop.set()
