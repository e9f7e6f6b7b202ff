"""The Quart application: an ordinary one, whose HTTP scopes go to the data plane unless they came by the admin side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
from quart import Quart

from sentinel_host.config import Config, ServerConfig, load_config, read_files
from sentinel_host.errors import SentinelError
from sentinel_host.gateway.build import Builder
from sentinel_host.gateway.dataplane import DataPlane
from sentinel_host.gateway.generation import Generation
from sentinel_host.gateway.limits import Counters, open_store, share
from sentinel_host.gateway.live import Live, Obtain
from sentinel_host.gateway.logpump import LogPump
from sentinel_host.gateway.stats import Stats
from sentinel_host.gateway.websocket import WebSocketPlane
from sentinel_host.hotload.hot import Hot
from sentinel_host.hotload.release import Releases
from sentinel_host.hotload.state import GuestState
from sentinel_host.kv import SharedStore
from sentinel_host.limiter import SharedTable
from sentinel_host.sandbox import Series, Sink


class Supply(Protocol):
    """Where guests come from, at the start and while the gateway serves."""

    @property
    def obtain(self) -> Obtain:
        """Finds guests by name."""

    def start(self) -> None:
        """Bring what changes from now on."""

    def reload(self) -> None:
        """Look for changes now."""

    async def follow(self, config: Config) -> None:
        """This configuration is to be served, and may have to wait for files that it names."""

    def renew(self, config: Config) -> Callable[[], None]:
        """Which guests may be brought: see `sentinel_host.gateway.live.Live`."""

    async def close(self) -> None:
        """Bring nothing more."""


class Gateway(Quart):
    """A gateway for one configuration.

    Under any ASGI server it serves the data plane alone; `sentinel_host.server` also gives it an admin listener. The
    guests are loaded when the server starts it, in the process that serves.
    """

    asgi_http_class = DataPlane
    asgi_websocket_class = WebSocketPlane

    generation: Generation

    def __init__(
        self,
        config: Config,
        guest_log: Sink | None = None,
        limit_table: SharedTable | None = None,
        *,
        kv_store: SharedStore | None = None,
        read_config: Callable[[], Config] | None = None,
        supply: Callable[[Live], Supply] | None = None,
    ) -> None:
        super().__init__("sentinel_host", static_folder=None)
        self.stats = Stats(stage_times=config.server.stage_times)
        self._limit_table = limit_table
        self._sharing: asyncio.Task[None] | None = None
        self._builder = Builder(kv=kv_store)
        self._log_pump = LogPump(self._builder.engine.log, guest_log)
        self.live = Live(
            config,
            self._builder,
            self._publish,
            read_config or (lambda: _load(config.file)) if supply is None else None,
            self._prepare,
        )
        # Without somebody else who decides, this process does.
        self.releases = Releases() if supply is None else None
        self._make_supply = supply or self._own_supply
        self._supply: Supply
        self.before_serving(self._start)
        self.after_serving(self._stop)

    def guest_counts(self) -> dict[str, dict[str, int]]:
        """What each guest did in this process, by name; see `sentinel_host.sandbox.GuestEngine.snapshot`."""
        return self._builder.engine.snapshot()

    def guest_states(self) -> list[GuestState]:
        """The guests that routes name, by name."""
        states = []
        for name, state in sorted(self.live.states.items()):
            failed_at, error = self._builder.engine.last_failure(name)
            is_later = failed_at > state.failed_at
            states.append(msgspec.structs.replace(state, error=error, failed_at=failed_at) if is_later else state)
        return states

    def reload(self) -> None:
        """Look for another configuration and other guests now."""
        self._supply.reload()

    def _own_supply(self, live: Live) -> Supply:
        assert self.releases is not None
        live.watcher, self.releases.crew = self.releases, live
        hot = Hot(live.config, self.releases)
        self.releases.versions, self.releases.held = hot.versions, hot.held
        return hot

    def _publish(self, generation: Generation) -> None:
        self.generation = generation
        self._builder.learn(generation)

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

    async def _start(self) -> None:
        self._log_pump.start()
        live = self.live
        self._builder.names.open()
        self._prepare(live.config)
        self._supply = self._make_supply(live)
        live.obtain, live.follow = self._supply.obtain, self._supply.follow
        live.renewals.append(self._supply.renew)
        try:
            await self._supply.follow(live.config)
            await live.start(*await self._supply.obtain(live.config.named_guests()))
            if self.releases is not None:
                await self.releases.started()
            self._supply.start()
        except BaseException:
            # What compiles would outlive this, and threads that wait for it would hold up the process's end.
            await self._supply.close()
            self._log_pump.stop()
            raise

    def log_exception(self, exception_info: Any) -> None:
        """Part of Quart. Who began a start that fails says why, in one line, if the reason names the culprit."""
        if not isinstance(exception_info[1], SentinelError):
            super().log_exception(exception_info)

    async def _stop(self) -> None:
        await self._supply.close()
        if self.releases is not None:
            await self.releases.close()
        await self.live.stop()
        if self._sharing is not None:
            self._sharing.cancel()
            await asyncio.wait([self._sharing])
        self._builder.names.close()
        self._log_pump.stop()


def create_app(
    config: Config | str | Path,
    guest_log: Sink | None = None,
    limit_table: SharedTable | None = None,
    *,
    kv_store: SharedStore | None = None,
    read_config: Callable[[], Config] | None = None,
    supply: Callable[[Live], Supply] | None = None,
) -> Gateway:
    """The application for a configuration, or for the file that holds one: ``hypercorn module:app`` serves it.

    ``guest_log`` takes what guests log; by default that goes to ``logging``. ``limit_table`` holds the counters of
    limits and ``kv_store`` the guests' keys; each is shared by the workers that are given the same, and by default this
    application has one of its own.
    ``read_config`` reads the configuration anew when its file has changed; ``supply`` makes where guests come from, by
    default the folder that the configuration names, which is watched. Raises `ConfigError`.
    """
    loaded = config if isinstance(config, Config) else _load(config)
    if not loaded.files:
        loaded = read_files(loaded)
    return Gateway(loaded, guest_log, limit_table, kv_store=kv_store, read_config=read_config, supply=supply)


def _load(file: str | Path) -> Config:
    """A configuration without its listeners, which are another server's: files that only they need may be missing."""
    config = load_config(file)
    server = msgspec.structs.replace(
        config.server, bind=[ServerConfig().bind[0]], quic_bind=None, tls=None, admin_token_file=None
    )
    return msgspec.structs.replace(config, server=server)
