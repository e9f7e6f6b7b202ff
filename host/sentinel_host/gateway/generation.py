"""A generation: everything that one request is served by. Immutable; a request keeps the one it
began with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sentinel_host.gateway.routes import RouteTable
from sentinel_host.http.rules import Admission
from sentinel_host.observe.recorder import Tracing
from sentinel_host.sandbox import LoadedGuest
from sentinel_host.upstream import Upstream

Key = tuple[str | bytes, ...]
"""What two generations must have in common to share a part: everything that it was made from."""


class Generation:
    """What requests are served by, and how many of them are ``active``.

    ``guests`` are in service, ``candidates`` beside some of them; ``faults`` names those that are
    not, with the reason, and ``refused`` candidates that could not start. ``tracing`` says how
    requests take part in traces. ``on_idle`` is set once another generation has taken over: it is
    called when the last request has ended, by the one that ends.
    """

    __slots__ = (
        "active",
        "admission",
        "candidates",
        "faults",
        "guests",
        "on_idle",
        "refused",
        "routes",
        "tracing",
        "units",
        "upstreams",
    )

    def __init__(
        self,
        admission: Admission,
        routes: RouteTable,
        upstreams: dict[str, Upstream],
        guests: dict[str, LoadedGuest],
        candidates: dict[str, LoadedGuest],
        faults: dict[str, str],
        refused: dict[str, str],
        units: frozenset[Key],
        tracing: Tracing | None = None,
    ) -> None:
        self.active = 0
        self.admission = admission
        self.candidates = candidates
        self.faults = faults
        self.guests = guests
        self.refused = refused
        self.on_idle: Callable[[], None] | None = None
        self.routes = routes
        self.tracing = tracing
        self.upstreams = upstreams
        # The keys, with the builder, of what it shares with other generations.
        self.units = units

    def retire(self, then: Callable[[], None]) -> None:
        """Have ``then`` called once no request is served by it any more, which may be now."""
        if self.active:
            self.on_idle = then
        else:
            then()

    async def finish(self) -> None:
        """Let the completions end that go on without their requests; some of them may be a
        successor's.
        """
        unfinished = {task for route in self.routes.routes for task in route.chain.unfinished}
        if unfinished:
            await asyncio.wait(unfinished)
