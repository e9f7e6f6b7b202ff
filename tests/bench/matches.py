"""How long the match of a route takes, by itself, in this process.

The match is a small part of a request, too small to be seen there. Routes differ by path, by host or
by pattern of hosts. Small and large tables take turns, and the fastest round of each counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sentinel_host.gateway.routes import Route, RouteTable
from sentinel_host.messages import RequestHead, Response
from sentinel_host.pipeline import Chain
from tests.bench.processes import BenchError
from tests.bench.report import Report, table

TABLES = (50, 5_000)
# The time of one match, over the other.
_MAY_GROW = 1.5


def _route(number: int, path: str, hosts: tuple[str, ...]) -> Route:
    chain = Chain([], lambda error: Response(error.status, []))
    return Route(number, str(number), path, hosts, frozenset(), (), "origin", chain, False, frozenset())


def _head(path: str, host: str) -> RequestHead:
    return RequestHead("GET", path, None, [], "http", host, "127.0.0.1", "id", "", "1.1")


def _by_path(number: int) -> tuple[Route, RequestHead]:
    return _route(number, f"/tenant{number}/api", ()), _head(f"/tenant{number}/api/items", "a.test")


def _by_host(number: int) -> tuple[Route, RequestHead]:
    return _route(number, "/", (f"tenant{number}.test",)), _head("/items", f"tenant{number}.test")


def _by_pattern(number: int) -> tuple[Route, RequestHead]:
    return _route(number, "/", (f"*.tenant{number}.test",)), _head("/items", f"www.tenant{number}.test")


KINDS: dict[str, Callable[[int], tuple[Route, RequestHead]]] = {
    "paths": _by_path,
    "hosts": _by_host,
    "patterns": _by_pattern,
}


def match_times(kind: Callable[[int], tuple[Route, RequestHead]], rounds: int) -> dict[int, float]:
    """Nanoseconds of a match, by the size of the table."""
    prepared = {}
    for size in TABLES:
        made = [kind(number) for number in range(size)]
        # As many requests of either table, from its end, its middle and its beginning: memory that
        # only a large table has is not what is asked for.
        heads = [made[size * part // TABLES[0]][1] for part in range(TABLES[0])]
        prepared[size] = RouteTable([route for route, _ in made]), heads
    best = dict.fromkeys(TABLES, float("inf"))
    for _ in range(rounds):
        for size, (routes, heads) in prepared.items():
            match, begun = routes.match, time.perf_counter_ns()
            for head in heads:
                if match(head) is None:
                    raise BenchError(f"no route for {head.authority}{head.path}")
            best[size] = min(best[size], (time.perf_counter_ns() - begun) / len(heads))
    return best


def measure_matches(report: Report, rounds: int) -> None:
    """Time the match of a route alone."""
    rows = []
    for name, kind in KINDS.items():
        best = match_times(kind, rounds)
        rows.append((name, *best.values()))
        for size, nanoseconds in best.items():
            report.add(f"scale.match_ns.{name}.{size}", nanoseconds)
    table(("ns to match by", *[f"{size:,} routes" for size in TABLES]), rows)
    for name, few, many in rows:
        report.bar(f"match by {name}, {TABLES[1]:,} routes over {TABLES[0]}", many / few, at_most=_MAY_GROW)
    print()
