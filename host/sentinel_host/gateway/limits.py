"""A route's limits: which are checked before the guests, which after, and what the client is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sentinel_host.config import LimitConfig
from sentinel_host.limiter import (
    Algorithm,
    Checked,
    KeyFunction,
    Limit,
    Overflow,
    SharedTable,
    Style,
    key_function,
    limit_headers,
)
from sentinel_host.messages import Headers, RequestHead

Counts = defaultdict[tuple[str, str, str], int]
"""By route, limit and verdict: ``allowed``, ``refused`` or ``shadowed``."""


class RouteLimit:
    """One configured limit on one route."""

    __slots__ = ("_key", "_limit", "_plan_header", "_plans", "name", "shadow")

    def __init__(self, config: LimitConfig, route: str, ipv6_prefix: int) -> None:
        def limit(requests: int) -> Limit:
            return Limit(
                requests=requests,
                window=config.window,
                algorithm=Algorithm(config.algorithm),
                name=config.name,
                scope=route,
                overflow=Overflow(config.overflow),
            )

        # A header is a header: before the guests it is the client's, after them it is as they left it.
        parts = [f"header:{part[6:]}" if part.startswith("guest:") else part for part in config.parts()]
        self.name = config.name
        self.shadow = config.shadow
        self._key: KeyFunction = key_function(parts, ipv6_prefix)
        self._limit = limit(config.requests)
        self._plan_header = (config.plan_header or "").encode("ascii")
        self._plans = {plan.encode(): limit(requests) for plan, requests in config.plans.items()}

    def check(self, table: SharedTable, head: RequestHead) -> Checked:
        """Count the request; the number is negative when it is refused."""
        limit = self._limit
        if self._plans:
            for name, value in head.headers:
                if name == self._plan_header:
                    limit = self._plans.get(value, limit)
        return limit, table.check(limit, self._key(head))


class RouteLimits:
    """The limits of one route; immutable."""

    __slots__ = ("_counts", "_route", "_style", "_table", "after", "before")

    def __init__(
        self,
        route: str,
        limits: Sequence[LimitConfig],
        table: SharedTable,
        style: Style,
        ipv6_prefix: int,
        counts: Counts,
    ) -> None:
        self._route = route
        self._table = table
        self._style = style
        self._counts = counts
        self.before = tuple(RouteLimit(limit, route, ipv6_prefix) for limit in limits if not limit.needs_guests)
        self.after = tuple(RouteLimit(limit, route, ipv6_prefix) for limit in limits if limit.needs_guests)

    def check(self, limits: tuple[RouteLimit, ...], head: RequestHead, checked: list[Checked]) -> bool:
        """Count the request against each of ``limits`` and add what is found; true when one refuses.

        All are counted even if one refuses: the answer tells the client about each of them.
        """
        refused = False
        for limit in limits:
            result = limit.check(self._table, head)
            over = result[1] < 0
            if limit.shadow:
                verdict = "shadowed" if over else "allowed"
            else:
                checked.append(result)
                refused = refused or over
                verdict = "refused" if over else "allowed"
            self._counts[self._route, limit.name, verdict] += 1
        return refused

    def headers(self, checked: list[Checked]) -> Headers:
        """The fields that tell the client, ``Retry-After`` included when it was refused."""
        return limit_headers(checked, self._style)
