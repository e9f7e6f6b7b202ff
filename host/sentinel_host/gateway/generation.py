"""A generation: routes with their chains, and upstreams. Immutable; a request keeps the one it began with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sentinel_host.gateway.routes import RouteTable
from sentinel_host.gateway.upstreams import Upstream


@dataclass(frozen=True, slots=True)
class Generation:
    """What requests are served by. ``faults`` names the guests that could not be loaded, with the reason."""

    routes: RouteTable
    upstreams: dict[str, Upstream]
    faults: dict[str, str]

    async def close(self) -> None:
        """Let the completions that go on end, and close the upstreams' connections."""
        unfinished = {task for route in self.routes.routes for task in route.chain.unfinished}
        if unfinished:
            await asyncio.wait(unfinished)
        for upstream in self.upstreams.values():
            await upstream.close()
