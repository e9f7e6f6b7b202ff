"""The Quart application: an ordinary one, whose HTTP scopes go to the data plane unless they came by the admin side."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from quart import Quart

from sentinel_host.config import Config, load_config
from sentinel_host.gateway.build import Builder
from sentinel_host.gateway.dataplane import DataPlane
from sentinel_host.gateway.generation import Generation
from sentinel_host.gateway.limits import Counters, share
from sentinel_host.gateway.logpump import LogPump
from sentinel_host.gateway.stats import Stats
from sentinel_host.gateway.websocket import WebSocketPlane
from sentinel_host.http.rules import Admission, TrustedPeers
from sentinel_host.limiter import SharedTable
from sentinel_host.paths import PathRule
from sentinel_host.sandbox import Sink

_log = logging.getLogger("sentinel.gateway")


class Gateway(Quart):
    """A gateway for one configuration.

    Under any ASGI server it serves the data plane alone; `sentinel_host.server` also gives it an admin listener. The
    guests are loaded when the server starts it, in the process that serves.
    """

    asgi_http_class = DataPlane
    asgi_websocket_class = WebSocketPlane

    generation: Generation

    def __init__(self, config: Config, guest_log: Sink | None = None, limit_table: SharedTable | None = None) -> None:
        super().__init__("sentinel_host", static_folder=None)
        server = config.server
        paths = PathRule(
            keep_encoded_slash=server.paths.encoded_slash == "keep",
            keep_empty_segments=server.paths.empty_segments == "keep",
        )
        self.settings = config
        self.stats = Stats()
        self.admission = Admission(
            identity_headers=server.identity_headers,
            trusted=TrustedPeers(server.trusted_proxies),
            paths=paths,
            refuse_aliases=server.header_aliases == "refuse",
        )
        if limit_table is None and any(route.all_limits() for route in config.route):
            limit_table = SharedTable.create(server.limit_slots)
        self._counters = Counters(limit_table, self.stats.limits) if limit_table is not None else None
        self._sharing: asyncio.Task[None] | None = None
        self._builder = Builder(config, paths, self._counters)
        self._log_pump = LogPump(self._builder.engine.log, guest_log)
        self.before_serving(self._start)
        self.after_serving(self._stop)

    def guest_counts(self) -> dict[str, dict[str, int]]:
        """What each guest did in this process, by name; see `sentinel_host.sandbox.GuestEngine.snapshot`."""
        return self._builder.engine.snapshot()

    async def _start(self) -> None:
        self._log_pump.start()
        if self.settings.server.limit_store is not None and self._counters is not None:
            self._sharing = asyncio.create_task(share(self._counters, self.settings.server.limit_store))
        self.generation = self._builder.build()
        for name, reason in self.generation.faults.items():
            _log.error("guest %s is not in service: %s", name, reason)

    async def _stop(self) -> None:
        await self.generation.close()
        if self._sharing is not None:
            self._sharing.cancel()
            await asyncio.wait([self._sharing])
        self._log_pump.stop()


def create_app(
    config: Config | str | Path, guest_log: Sink | None = None, limit_table: SharedTable | None = None
) -> Gateway:
    """The application for a configuration, or for the file that holds one: ``hypercorn module:app`` serves it.

    ``guest_log`` takes what guests log; by default that goes to ``logging``. ``limit_table`` holds the counters of
    limits and is shared by the workers that are given the same; by default this application has one of its own.
    Raises `ConfigError`.
    """
    return Gateway(config if isinstance(config, Config) else load_config(config), guest_log, limit_table)
