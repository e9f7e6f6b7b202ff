"""Choosing the route of a request.

Rule 1: the number of routes does not matter: paths and hosts are looked up. Only the routes of one
        path and one host are tried one after the other, for their headers and methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sentinel_host.gateway.limits import RouteLimits
from sentinel_host.gateway.mirror import Mirror
from sentinel_host.gateway.own_responses import OwnResponse
from sentinel_host.gateway.split import Split
from sentinel_host.grammar import host_of
from sentinel_host.messages import RequestHead
from sentinel_host.pipeline import Chain

IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
"""Methods whose requests may be sent again (RFC 9110 section 9.2.2)."""


# As `Route.specificity` has it.
_UNCONDITIONAL: Final = (0, 0, False)


@dataclass(frozen=True, slots=True)
class RouteTimes:
    """How long a route waits for its upstream, in seconds; None leaves it to the upstream, or
    bounds nothing.
    """

    timeout: float | None = None
    per_try: float | None = None
    idle: float | None = None
    total: float | None = None
    hedge_after: float | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One route: what it matches, and where a match goes. ``index`` numbers it within its table,
    for metrics.

    ``upstream`` is a name, and empty where there is an ``own`` response or a ``split``.
    """

    index: int
    name: str
    path: str
    hosts: tuple[str, ...]
    methods: frozenset[str]
    headers: tuple[tuple[bytes, bytes], ...]
    upstream: str
    chain: Chain
    preserve_host: bool
    trailers: frozenset[bytes]
    limits: RouteLimits | None = None
    upgrades: frozenset[bytes] = frozenset()
    repeatable: frozenset[str] = IDEMPOTENT
    times: RouteTimes | None = None
    body_bytes: int | None = None
    own: OwnResponse | None = None
    split: Split | None = None
    mirror: Mirror | None = None
    scheme: str = ""
    grpc_web: bool = False

    def fits(self, head: RequestHead) -> bool:
        """Whether method and headers fit, which no table looks up."""
        if self.methods and head.method not in self.methods:
            return False
        return not self.headers or all(condition in head.headers for condition in self.headers)

    def specificity(self) -> tuple[int, int, int]:
        """Sorts routes of one path: exact hosts before wildcards before none, then by the number of
        conditions.
        """
        host = 0 if not self.hosts else 1 if any(_is_pattern(host) for host in self.hosts) else 2
        return (host, len(self.headers), bool(self.methods))


class RouteTable:
    """Finds a request's route: among those of its scheme, and then among those that have none."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._any_scheme = _Paths([route for route in routes if not route.scheme])
        self._by_scheme = {
            scheme: _Paths([route for route in routes if route.scheme == scheme])
            for scheme in {route.scheme for route in routes if route.scheme}
        }

    def match(self, head: RequestHead) -> Route | None:
        """The most specific route, or ``None``."""
        if self._by_scheme:
            paths = self._by_scheme.get(head.scheme)
            route = paths.match(head) if paths is not None else None
            if route is not None:
                return route
        return self._any_scheme.match(head)


class _Paths:
    """Routes by longest path prefix, at segment borders: ``/api`` matches ``/api`` and ``/api/x``,
    not ``/apix``.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        by_path: dict[str, list[Route]] = {}
        for route in sorted(routes, key=Route.specificity, reverse=True):
            by_path.setdefault(route.path, []).append(route)
        self._by_path = {path: _Hosts(those) for path, those in by_path.items() if path != "/"}
        self._root = _Hosts(by_path.get("/", []))
        self._longest = max((len(path) for path in self._by_path), default=0)
        self._by_host = any(route.hosts for route in routes)

    def match(self, head: RequestHead) -> Route | None:
        """The most specific route, or ``None``."""
        host = host_of(head.authority) if self._by_host else ""
        if self._by_path:
            route = self._below_root(head, host)
            if route is not None:
                return route
        return self._root.match(head, host)

    def _below_root(self, head: RequestHead, host: str) -> Route | None:
        """As `match`, of the routes whose path is not ``/``."""
        path = head.path
        length, longest = len(path), self._longest
        if length <= longest:
            route = self._at(path, head, host)
            if route is not None:
                return route
        # No generator of prefixes: it would cost as much as looking one up.
        end = path.rfind("/", 0, longest + 1)
        while end > 0:
            route = self._at(path[: end + 1], head, host) if end != length - 1 else None
            if route is None:
                route = self._at(path[:end], head, host)
            if route is not None:
                return route
            end = path.rfind("/", 0, end)
        return None

    def _at(self, path: str, head: RequestHead, host: str) -> Route | None:
        hosts = self._by_path.get(path)
        return None if hosts is None else hosts.match(head, host)


class _Hosts:
    """Routes of one path by host, so that a host's routes are found among those of thousands.

    ``_exact`` has the routes that name no pattern. ``_patterns`` has the others by each pattern and
    host that they name, with their place in the order of specificity: a host may fit several.
    ``_only`` is the route that takes every request, if it is the only one that can be found.
    """

    __slots__ = ("_any", "_exact", "_longest", "_only", "_patterns")

    def __init__(self, routes: Sequence[Route]) -> None:
        """``routes`` are in the order of specificity."""
        # Without it, as much memory is read of empty tables as of the route.
        self._only = routes[0] if routes and routes[0].specificity() == _UNCONDITIONAL else None
        self._any = tuple(route for route in routes if not route.hosts)
        self._exact: dict[str, list[Route]] = {}
        self._patterns: dict[str, list[tuple[int, Route]]] = {}
        for place, route in enumerate(routes):
            has_pattern = any(_is_pattern(host) for host in route.hosts)
            for host in route.hosts:
                if has_pattern:
                    self._patterns.setdefault(host, []).append((place, route))
                else:
                    self._exact.setdefault(host, []).append(route)
        self._longest = max((len(key) for key in self._patterns), default=0)

    def match(self, head: RequestHead, host: str) -> Route | None:
        """The most specific route, or ``None``; ``host`` is the authority's, in lower case and
        without port.
        """
        if self._only is not None:
            return self._only
        if self._exact:
            for route in self._exact.get(host, ()):
                if route.fits(head):
                    return route
        if self._patterns:
            for _, route in self._with_patterns(host):
                if route.fits(head):
                    return route
        for route in self._any:
            if route.fits(head):
                return route
        return None

    def _with_patterns(self, host: str) -> list[tuple[int, Route]]:
        patterns = self._patterns
        found = list(patterns.get(host, ()))
        dot = host.rfind(".")
        # A host longer than any pattern has many dots for nothing.
        while dot > 0 and len(host) - dot < self._longest:
            found += patterns.get("*" + host[dot:], ())
            dot = host.rfind(".", 0, dot)
        if len(found) > 1:
            found.sort(key=_place)
        return found


def _place(found: tuple[int, Route]) -> int:
    return found[0]


def _is_pattern(host: str) -> bool:
    return host.startswith("*.")


def host_fits(pattern: str, host: str) -> bool:
    """Whether a host is the pattern, or a name below ``*.`` of it."""
    return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1 if _is_pattern(pattern) else host == pattern
