"""Active checks for all workers: the supervisor asks, and tells them through the table of
endpoints.
"""

from __future__ import annotations

import ssl

from sentinel_host.config import Config
from sentinel_host.config.files import upstream_tls
from sentinel_host.hotload.aside import aside
from sentinel_host.http.client import configured_content, configured_context
from sentinel_host.net import Names
from sentinel_host.supervisor.cells import SUPERVISOR
from sentinel_host.upstream import EndpointTable
from sentinel_host.upstream.checkers import CheckedUpstream, Checkers

_Content = tuple[tuple[str, bytes], ...]


class FleetChecks:
    """The checks of the configuration that workers serve."""

    def __init__(self, table: EndpointTable) -> None:
        self._names = Names()
        self._checkers = Checkers(table, SUPERVISOR, self._names)
        # By what they are made of, so that an upstream keeps its context, and with it its checker.
        self._contexts: dict[_Content, ssl.SSLContext] = {}

    async def follow(self, config: Config) -> None:
        """Check this configuration's upstreams from now on. Raises `ConfigError`."""
        before, self._contexts = self._contexts, {}
        checked = [(index, each) for index, each in enumerate(config.upstream) if each.check is not None]
        self._checkers.follow(
            [CheckedUpstream(each, await self._context(config, index, before)) for index, each in checked]
        )

    def changes(self) -> dict[tuple[str, ...], float]:
        """As `Checkers.changes`."""
        return self._checkers.changes()

    async def close(self) -> None:
        """Stop checking."""
        await self._checkers.close()
        self._names.close()

    async def _context(
        self, config: Config, index: int, before: dict[_Content, ssl.SSLContext]
    ) -> ssl.SSLContext | None:
        tls = upstream_tls(index, config.upstream[index])
        if tls is None:
            return None
        content = configured_content(config, tls)
        context = self._contexts.get(content) or before.get(content)
        if context is None:
            context = await aside(lambda: configured_context(config, tls))
        self._contexts[content] = context
        return context
