"""The Quart application: an ordinary one, whose HTTP scopes go to the data plane unless they came
by the admin side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from quart import Quart

from sentinel_host.config import Config, ServerConfig, load_config, read_files
from sentinel_host.errors import SentinelError
from sentinel_host.gateway.build import Builder, Observe
from sentinel_host.gateway.dataplane import DataPlane, HttpConnection
from sentinel_host.gateway.generation import Generation
from sentinel_host.gateway.generation_manager import GenerationManager
from sentinel_host.gateway.limits import Counters, open_store, share
from sentinel_host.gateway.logpump import LogPump
from sentinel_host.gateway.stats import LATENCY_BUCKETS, Stats
from sentinel_host.gateway.websocket import WebSocketPlane
from sentinel_host.hotload.folder_source import FolderSource
from sentinel_host.hotload.guest_source import GuestSource, Renewal
from sentinel_host.hotload.reloader import HotReloader
from sentinel_host.hotload.rollout import RolloutController
from sentinel_host.hotload.state import GuestState
from sentinel_host.hotload.store import RolloutStore
from sentinel_host.kv import SharedStore
from sentinel_host.limiter import SharedTable
from sentinel_host.net import Names
from sentinel_host.observe.recorder import Recorder
from sentinel_host.sandbox import Description, Series, Sink
from sentinel_host.upstream import EndpointTable
from sentinel_host.upstream.checkers import Checkers
from sentinel_host.upstream.table import keep_swept


class Gateway(Quart):
    """A gateway for one configuration.

    Under any ASGI server it serves the data plane alone; `sentinel_host.server` also gives it an
    admin listener. The guests are loaded when the server starts it, in the process that serves.
    """

    asgi_http_class = HttpConnection
    asgi_websocket_class = WebSocketPlane

    def __init__(
        self,
        config: Config,
        guest_log: Sink | None = None,
        limit_table: SharedTable | None = None,
        *,
        kv_store: SharedStore | None = None,
        read_config: Callable[[], Config] | None = None,
        source: GuestSource | None = None,
        renewals: Sequence[Renewal] = (),
        endpoints: EndpointTable | None = None,
        cell: int = 0,
        number: int = 0,
        observe: Observe | None = None,
        names: Names | None = None,
    ) -> None:
        super().__init__("sentinel_host", static_folder=None)
        self.stats = Stats(stage_times=config.server.stage_times)
        self._limit_table = limit_table
        self._sharing: asyncio.Task[None] | None = None
        self._builder = Builder(kv=kv_store, endpoints=endpoints, worker=cell, names=names, observe=observe)
        # Where a supervisor shares the table out, it checks and sweeps for all.
        self._owns_endpoints = endpoints is None
        self._checkers = Checkers(self.endpoints, cell, self._builder.names)
        self._sweeping: asyncio.Task[None] | None = None
        self.recorder = Recorder(self._builder.engine.trail, number, LATENCY_BUCKETS)
        self.data_plane = DataPlane(self, self.stats, self.recorder)
        self._log_pump = LogPump(self._builder.engine.log, guest_log, self.recorder, self.stats.loop_lag.observe)
        self._config = config
        self._read_config = read_config or (lambda: _load(config.file))
        self._source = source
        self._renewals = renewals
        self._manager: GenerationManager | None = None
        self._rollouts: RolloutController | None = None
        self._reloader: HotReloader | None = None
        self.before_serving(self._start)
        self.after_serving(self._stop)

    @property
    def manager(self) -> GenerationManager:
        """The generations of this gateway, once it has been started."""
        assert self._manager is not None, "the gateway was not started"
        return self._manager

    @property
    def rollouts(self) -> RolloutController:
        """Decides which versions serve, once the gateway has been started without a ``source`` of
        its own.
        """
        assert self._rollouts is not None, "another process decides, or the gateway was not started"
        return self._rollouts

    @property
    def endpoints(self) -> EndpointTable:
        """What is known of every upstream's endpoints."""
        return self._builder.surroundings.table

    @property
    def generation(self) -> Generation:
        """What new requests are served by, once the gateway has been started."""
        return self.data_plane.generation

    @property
    def http_application(self) -> Callable[..., Any]:
        """`asgi_app` for HTTP scopes, without the two coroutines of interpreted Python on the way
        to the data plane. Where `asgi_app` was wrapped, as Quart has it for middleware, that is the
        only way.
        """
        return self if "asgi_app" in vars(self) else self.data_plane

    def check_changes(self) -> dict[tuple[str, ...], float]:
        """As `sentinel_host.upstream.checkers.Checkers.changes`, where this process checks."""
        return self._checkers.changes()

    def guest_counts(self) -> dict[str, dict[str, int]]:
        """What each guest did in this process, by name; see
        `sentinel_host.sandbox.GuestEngine.snapshot`.
        """
        return self._builder.engine.snapshot()

    def guest_states(self) -> list[GuestState]:
        """The guests that routes name, by name."""
        states = []
        for name, state in sorted(self.manager.states.items()):
            failed_at, error = self._builder.engine.last_failure(name)
            is_later = failed_at > state.failed_at
            states.append(msgspec.structs.replace(state, error=error, failed_at=failed_at) if is_later else state)
        return states

    def reload(self) -> None:
        """Look for another configuration and other guests now."""
        if self._reloader is not None:
            self._reloader.reload()

    def _publish(self, generation: Generation) -> None:
        self.data_plane.generation = generation
        self.recorder.trace(generation.tracing)
        self._builder.learn(generation)
        if self._owns_endpoints:
            self._checkers.follow(upstream.checked for upstream in generation.upstreams.values())

    def _prepare(self, config: Config) -> None:
        """Have a table before the first limit, and a store before the first key.

        One that has been made stays, whatever is configured later.
        """
        engine = self._builder.engine
        if engine.kv is None and any("kv" in guest.grants for guest in config.guest.values()):
            engine.kv = SharedStore.create(config.server.kv_memory)
        if self._builder.counters is None:
            table = self._limit_table
            if table is None and any(route.all_limits() for route in config.route):
                table = SharedTable.create(config.server.limit_slots)
            if table is not None:
                self._builder.counters = Counters(table, self.stats.limits)
        counters = self._builder.counters
        if self._sharing is None and config.server.limit_store is not None and counters is not None:
            store = open_store(counters, config, self._builder.names)
            self._sharing = asyncio.create_task(share(counters, store))

    def guest_metrics(self) -> dict[str, list[Series]]:
        """What each guest counted by itself in this process, by name."""
        return self._builder.engine.metrics()

    def guest_descriptions(self) -> dict[str, list[Description]]:
        """What each guest says of its metrics in this process, by name."""
        return self._builder.engine.descriptions()

    async def _start(self) -> None:
        self._log_pump.start()
        self._builder.names.open()
        self._prepare(self._config)
        try:
            if self._source is not None:
                self._manager = self._new_manager(self._source, None)
                await self._manager.start()
            else:
                await self._start_with_folder()
        except BaseException:
            self._log_pump.stop()
            raise
        if self._owns_endpoints:
            self._sweeping = asyncio.create_task(keep_swept(self.endpoints))

    async def _start_with_folder(self) -> None:
        """This process reads the guests' folder and decides which versions serve."""
        store = RolloutStore()
        source = FolderSource(self._config, store)
        try:
            store.use(source.records, source.versions)
            self._manager = manager = self._new_manager(source, self._read_config)
            self._rollouts = RolloutController(manager, store)
            await manager.start()
            await self._rollouts.started()
            self._reloader = HotReloader(source, self._rollouts)
            self._reloader.start()
        except BaseException:
            # What compiles would outlive this, and threads that wait for it would delay the
            # process's end.
            await source.close()
            raise

    def _new_manager(self, source: GuestSource, read: Callable[[], Config] | None) -> GenerationManager:
        return GenerationManager(
            self._config,
            self._builder,
            source,
            publish=self._publish,
            prepare=self._prepare,
            read=read,
            renewals=self._renewals,
        )

    def log_exception(self, exception_info: Any) -> None:
        """Part of Quart. Who began a start that fails says why, in one line, if the reason names
        the culprit.
        """
        if not isinstance(exception_info[1], SentinelError):
            super().log_exception(exception_info)

    async def _stop(self) -> None:
        if self._reloader is not None:
            await self._reloader.close()
        if self._rollouts is not None:
            await self._rollouts.close()
        await self._checkers.close()
        await self.manager.stop()
        tasks = [task for task in (self._sharing, self._sweeping) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._builder.names.close()
        self._log_pump.stop()


def create_app(
    config: Config | str | Path,
    guest_log: Sink | None = None,
    limit_table: SharedTable | None = None,
    *,
    kv_store: SharedStore | None = None,
    read_config: Callable[[], Config] | None = None,
    source: GuestSource | None = None,
    renewals: Sequence[Renewal] = (),
    endpoints: EndpointTable | None = None,
    cell: int = 0,
    number: int = 0,
    names: Names | None = None,
) -> Gateway:
    """The application for a configuration, or for the file that holds one: ``hypercorn module:app``
    serves it.

    ``guest_log`` takes what guests log; by default that goes to ``logging``. ``limit_table`` holds
    the counters of limits, ``kv_store`` the guests' keys, and ``endpoints`` what is known of
    upstreams, where each worker has another ``cell``; ``number`` is the worker's, for records of
    requests. Each is shared by the workers that are given the same; by default this application has
    one of its own. ``read_config`` reads the configuration anew when its file has changed.
    ``source`` has the guests; by default they come from the folder that the configuration names,
    which is watched. ``renewals`` are told of the new content of files. ``names`` looks names up.
    Raises `ConfigError`.
    """
    loaded = config if isinstance(config, Config) else _load(config)
    if not loaded.files:
        loaded = read_files(loaded)
    return Gateway(
        loaded,
        guest_log,
        limit_table,
        kv_store=kv_store,
        read_config=read_config,
        source=source,
        renewals=renewals,
        endpoints=endpoints,
        cell=cell,
        number=number,
        names=names,
    )


def _load(file: str | Path) -> Config:
    """A configuration without its listeners, which are another server's: files that only they need
    may be missing.
    """
    config = load_config(file)
    server = msgspec.structs.replace(
        config.server, bind=[ServerConfig().bind[0]], quic_bind=None, tls=None, admin_token_file=None
    )
    return msgspec.structs.replace(config, server=server)
