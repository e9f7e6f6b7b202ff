"""What a request costs as a gateway grows: which curves are flat, and which are linear.

``python -m tests.bench.scale [--json FILE] [--quick]``. One axis at a time: workers, connections
(all but `ACTIVE` of them idle), guests, routes and upstreams. Requests go to all routes in turn,
and so to all upstreams. CPU is the kernel's accounting of the whole process tree, divided by the
requests that wrk counted; the middle one of several rounds. A quick run takes two minutes.

The match of a route is a small part of a request. So it is also timed by itself, in this process,
with routes that differ by path, by host and by pattern of hosts. Small and large tables take turns,
and the fastest round of each counts.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sentinel_host.gateway.routes import Route, RouteTable
from sentinel_host.messages import RequestHead, Response
from sentinel_host.pipeline import Chain
from tests.bench import contestants
from tests.bench.load import saturate
from tests.bench.processes import BenchError, Server, cores, scratch, server, tool, version_of
from tests.bench.report import Report, median, parse_options, table

ACTIVE = 32
"""Connections that ask; the others of a point wait."""
FLAT = 0.25
"""A curve is flat that grows by less than this share from its first point to its last."""

_REQUEST = b"GET /r1 HTTP/1.1\r\nHost: bench.test\r\n\r\n"
# Beside the sockets of clients: upstreams' connections, files, listeners.
_OTHER_DESCRIPTORS = 1000
_TABLES = """\
[server.limits]
connections = 20000
connections_per_client = 20000
keep_alive_idle = "1h"

{upstreams}

{routes}
"""
_UPSTREAM = """\
[[upstream]]
name = "u{number}"
targets = ["http://127.0.0.1:{port}"]
"""
_ROUTE = """\
[[route]]
path = "/r{number}"
upstream = "{upstream}"
chain = [{chain}]
"""
_HEADER = '{{ guest = "header-injection", config = {{ request = {{ set = {{ "x-{number}" = "1" }} }} }} }}'
_SCHEMA = {
    "scale.cpu_us.AXIS.N": "CPU per request with N of them, in microseconds",
    "scale.mib.AXIS.N": "resident memory of all processes then, in MiB",
    "scale.growth.AXIS": "CPU per request at the last point of the axis over that at the first",
    "scale.each_us.AXIS": "what each one more adds to a request's CPU, in microseconds; linear axes only",
    "scale.match_ns.KIND.N": "time to find the route of a request among N routes, in nanoseconds",
}


@dataclass(frozen=True, slots=True)
class Size:
    """A gateway, and the connections that it has."""

    workers: int = 1
    connections: int = ACTIVE
    guests: int = 0
    routes: int = 1
    upstreams: int = 1


AXES: dict[str, tuple[Size, ...]] = {
    "workers": tuple(Size(workers=count) for count in (1, 2)),
    "connections": tuple(Size(connections=count) for count in (100, 1_000, 10_000)),
    "guests": tuple(Size(guests=count) for count in (1, 2, 4, 8, 16, 32, 64)),
    "routes": tuple(Size(routes=count) for count in (1, 50, 500, 5_000)),
    "upstreams": tuple(Size(routes=count, upstreams=count) for count in (1, 50, 500)),
}
# What must be flat, and by how much it may grow: these have nothing to do with one request.
_MAY_GROW = {"connections": 1.25, "routes": 1.25, "upstreams": 1.5}

TABLES = (50, 5_000)
# The time of one match, over the other.
_MATCH_MAY_GROW = 1.5


@contextlib.contextmanager
def gateway_of(size: Size, folder: Path, core: int, behind: int) -> Iterator[Server]:
    """The gateway of one point."""
    chain = ", ".join(_HEADER.format(number=number) for number in range(size.guests))
    upstreams = "\n".join(_UPSTREAM.format(number=number, port=behind) for number in range(size.upstreams))
    routes = "\n".join(
        _ROUTE.format(number=number + 1, upstream=f"u{number % size.upstreams}", chain=chain)
        for number in range(size.routes)
    )
    tables = _TABLES.format(upstreams=upstreams, routes=routes)
    config, port = contestants.write_gateway(folder / "gateway", behind, tables, workers=size.workers)
    command = [sys.executable, "-m", "sentinel_host", "run", "--config", str(config)]
    with server("gateway", command, port, folder, core, patience=120) as running:
        yield running


@contextlib.contextmanager
def idle_connections(port: int, count: int) -> Iterator[None]:
    """So many connections, each of which was answered once and asks nothing more."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), 30))
            connection.sendall(_REQUEST)
            if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
                raise BenchError("an idle connection was not answered")
        yield


def has_descriptors(size: Size) -> bool:
    """Whether processes may have as many descriptors; this one takes what it may."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most == resource.RLIM_INFINITY or most >= size.connections + size.upstreams + _OTHER_DESCRIPTORS


def measure(size: Size, rounds: int, seconds: int) -> tuple[float, float]:
    """CPU of a request in microseconds, and MiB."""
    tested, loading = cores()
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        behind = stack.enter_context(contestants.upstream(folder, loading)).port
        gateway = stack.enter_context(gateway_of(size, folder, tested, behind))
        stack.enter_context(idle_connections(gateway.port, size.connections - ACTIVE))
        # The first one warms up: it meets each route, and opens connections to each upstream.
        found = [
            saturate(gateway, loading, connections=ACTIVE, seconds=seconds, path="/r1", turns=size.routes).cpu_us
            for _ in range(rounds + 1)
        ]
        return median(found[1:]), gateway.memory() / (1 << 20)


def show(report: Report, axis: str, points: Sequence[tuple[int, float, float]]) -> None:
    """Print a curve and say what it is; ``points`` are a number, microseconds and MiB each."""
    most = max(cost for _, cost, _ in points)
    table(
        (axis, "CPU µs", "MiB", ""), [(f"{n:,}", cost, mib, "#" * round(40 * cost / most)) for n, cost, mib in points]
    )
    for number, cost, mib in points:
        report.add(f"scale.cpu_us.{axis}.{number}", cost)
        report.add(f"scale.mib.{axis}.{number}", mib)
    (first, least, _), (last, cost, _) = points[0], points[-1]
    growth = cost / least
    report.add(f"scale.growth.{axis}", growth)
    if abs(growth - 1) < FLAT:
        print(f"{axis}: flat ({growth:.2f} times at {last:,})\n")
    else:
        each = (cost - least) / (last - first)
        report.add(f"scale.each_us.{axis}", each)
        print(f"{axis}: LINEAR, {each:.3g} µs for each ({growth:.2f} times at {last:,})\n")
    if axis in _MAY_GROW:
        report.bar(f"CPU of a request with {last:,} {axis}, over {first:,}", growth, at_most=_MAY_GROW[axis])


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
        report.bar(f"match by {name}, {TABLES[1]:,} routes over {TABLES[0]}", many / few, at_most=_MATCH_MAY_GROW)
    print()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What a request costs as a gateway grows.", arguments)
    rounds, seconds = (1, 1) if options.quick else (3, 2)
    report = Report(schema=dict(_SCHEMA))
    measure_matches(report, 200 if options.quick else 2000)
    for axis, sizes in AXES.items():
        points = []
        for size in sizes:
            if has_descriptors(size):
                points.append((getattr(size, axis), *measure(size, rounds, seconds)))
            else:
                print(f"left out: {getattr(size, axis):,} {axis}, for the limit of descriptors (ulimit -Hn)")
        show(report, axis, points)
    report.versions["wrk"] = version_of(tool("wrk"), "-v")
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
