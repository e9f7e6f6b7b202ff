"""The upstreams by name: equivalent targets, asked in turn."""

from __future__ import annotations

import ssl
from itertools import cycle

from sentinel_host.config import UpstreamConfig
from sentinel_host.http.client import Target, Timeouts, UpstreamPool
from sentinel_host.net import Names


class Upstream:
    """One configured upstream with a pool for each of its targets; those with TLS need a context."""

    __slots__ = ("_turn", "name", "pools")

    def __init__(self, config: UpstreamConfig, names: Names, context: ssl.SSLContext | None) -> None:
        timeouts = Timeouts(connect=config.connect_timeout, response=config.response_timeout, idle=config.idle_timeout)
        self.name = config.name
        self.pools = tuple(
            UpstreamPool(
                Target.parse(target.rstrip("/")),
                timeouts=timeouts,
                max_connections=config.connections,
                ssl_context=context,
                names=names,
            )
            for target in config.targets
        )
        self._turn = cycle(self.pools)

    def pick(self) -> UpstreamPool:
        """The next target's pool, round robin."""
        return next(self._turn)

    def learn(self) -> None:
        """Look up the targets' names that have not been."""
        for pool in self.pools:
            pool.learn()

    async def close(self) -> None:
        """Close every connection."""
        for pool in self.pools:
            await pool.close()
