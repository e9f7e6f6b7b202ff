"""Active checks for all workers: the supervisor asks, and tells them through the table of
endpoints.
"""

from __future__ import annotations

import ssl

from sentinel_host.config import Config
from sentinel_host.config.files import is_secure
from sentinel_host.config.upstreams import UpstreamConfig
from sentinel_host.hotload.aside import aside
from sentinel_host.http.client import client_context
from sentinel_host.net import Names
from sentinel_host.supervisor.cells import SUPERVISOR
from sentinel_host.upstream import EndpointTable
from sentinel_host.upstream.checkers import CheckedUpstream, Checkers


class FleetChecks:
    """The checks of the configuration that workers serve."""

    def __init__(self, table: EndpointTable) -> None:
        self._names = Names()
        self._checkers = Checkers(table, SUPERVISOR, self._names)
        # By path and content of the authorities, so that an upstream keeps its context, and with it
        # its checker.
        self._contexts: dict[tuple[str | None, bytes | None], ssl.SSLContext] = {}

    async def follow(self, config: Config) -> None:
        """Check this configuration's upstreams from now on. Raises `ConfigError`."""
        before, self._contexts = self._contexts, {}
        checked = [each for each in config.upstream if each.check is not None]
        self._checkers.follow([CheckedUpstream(each, await self._context(config, each, before)) for each in checked])

    def changes(self) -> dict[tuple[str, ...], float]:
        """As `Checkers.changes`."""
        return self._checkers.changes()

    async def close(self) -> None:
        """Stop checking."""
        await self._checkers.close()
        self._names.close()

    async def _context(
        self,
        config: Config,
        upstream: UpstreamConfig,
        before: dict[tuple[str | None, bytes | None], ssl.SSLContext],
    ) -> ssl.SSLContext | None:
        if not is_secure(upstream.urls()):
            return None
        key = (config.locate(upstream.ca), config.content(upstream.ca)) if upstream.ca is not None else (None, None)
        context = self._contexts.get(key) or before.get(key)
        if context is None:
            context = await aside(lambda: client_context(*key))
        self._contexts[key] = context
        return context
