"""What a request costs as a gateway grows: which curves are flat, and which are linear.

``python -m tests.bench.scale [--json FILE] [--quick]``. One axis at a time: workers, connections
(all but `ACTIVE` of them idle), guests, routes and upstreams. Requests go to all routes in turn,
and so to all upstreams. CPU is the kernel's accounting of the whole process tree, divided by the
requests that wrk counted; the middle one of several rounds. A quick run takes two minutes.

Each upstream has connections of its own. Asked in turn, they are met rarely, in the kernel and here,
and the processor fetches all of it from memory anew. So that axis is measured beside nginx with as
many upstreams: all sizes of both take turns, and the bar is the growth over nginx's.

With idle connections, it is also counted how often a worker at rest wakes.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import contestants
from tests.bench.load import saturate
from tests.bench.matches import measure_matches
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
    "scale.wake_ups.N": "how often threads of a worker at rest wake each second, with N idle connections",
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
}
# What must be flat, and by how much it may grow: these have nothing to do with one request.
_MAY_GROW = {"connections": 1.25, "routes": 1.25}
UPSTREAMS = tuple(Size(routes=count, upstreams=count) for count in (1, 50, 500))
# Growth with upstreams, over nginx's: by as much, two runs differ.
_GROWTH_OVER_NGINX = 1.15
# Of a worker at rest, each second; how long they are counted, and how often at most until there are
# no more.
_WAKE_UPS = 10
_LOOK = 3.0
_LOOKS = 5

Serve = Callable[[Size, Path, int, int], AbstractContextManager[Server]]
"""Starts a server of a size in a folder, on a core, in front of a port."""


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU of a request in microseconds, and memory in MiB."""

    cpu_us: float
    mib: float


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


def nginx_of(size: Size, folder: Path, core: int, behind: int) -> AbstractContextManager[Server]:
    """nginx with as many upstreams, and a location for each."""
    return contestants.nginx_upstreams(folder, core, behind, size.upstreams)


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


def measure(points: Sequence[tuple[Serve, Size]], rounds: int, seconds: int) -> list[Measured]:
    """Measure servers that take turns."""
    tested, loading = cores()
    with scratch() as name, contextlib.ExitStack() as stack:
        behind = stack.enter_context(contestants.upstream(Path(name), loading)).port
        servers = []
        for number, (serve, size) in enumerate(points):
            folder = Path(name) / str(number)
            folder.mkdir()
            servers.append(stack.enter_context(serve(size, folder, tested, behind)))
        costs: list[list[float]] = [[] for _ in points]
        # The first round warms up: it meets each route, and opens connections to each upstream.
        for _ in range(rounds + 1):
            for running, (_, size), found in zip(servers, points, costs, strict=True):
                load = saturate(running, loading, connections=ACTIVE, seconds=seconds, path="/r1", turns=size.routes)
                found.append(load.cpu_us)
        return [
            Measured(median(found[1:]), running.memory() / (1 << 20))
            for running, found in zip(servers, costs, strict=True)
        ]


@contextlib.contextmanager
def crowded(size: Size, folder: Path, core: int, behind: int) -> Iterator[Server]:
    """A gateway that has all but `ACTIVE` of its connections."""
    with (
        gateway_of(size, folder, core, behind) as gateway,
        idle_connections(gateway.port, size.connections - ACTIVE),
    ):
        yield gateway


def measure_axis(sizes: Sequence[Size], rounds: int, seconds: int) -> list[tuple[Size, Measured]]:
    """Measure one size after the other, as far as there are descriptors for it."""
    found = []
    for size in sizes:
        if has_descriptors(size):
            found.append((size, *measure([(crowded, size)], rounds, seconds)))
        else:
            print(f"left out: {size}, for the limit of descriptors (ulimit -Hn)")
    return found


def show(report: Report, axis: str, points: Sequence[tuple[int, Measured]]) -> float:
    """Print a curve and say what it is; returns its growth."""
    most = max(found.cpu_us for _, found in points)
    rows = [(f"{n:,}", found.cpu_us, found.mib, "#" * round(40 * found.cpu_us / most)) for n, found in points]
    table((axis, "CPU µs", "MiB", ""), rows)
    for number, found in points:
        report.add(f"scale.cpu_us.{axis}.{number}", found.cpu_us)
        report.add(f"scale.mib.{axis}.{number}", found.mib)
    (first, least), (last, cost) = points[0], points[-1]
    growth = cost.cpu_us / least.cpu_us
    report.add(f"scale.growth.{axis}", growth)
    if abs(growth - 1) < FLAT:
        print(f"{axis}: flat ({growth:.2f} times at {last:,})\n")
    else:
        each = (cost.cpu_us - least.cpu_us) / (last - first)
        report.add(f"scale.each_us.{axis}", each)
        print(f"{axis}: LINEAR, {each:.3g} µs for each ({growth:.2f} times at {last:,})\n")
    if axis in _MAY_GROW:
        report.bar(f"CPU of a request with {last:,} {axis}, over {first:,}", growth, at_most=_MAY_GROW[axis])
    return growth


def measure_upstreams(report: Report, rounds: int, seconds: int) -> None:
    """Measure upstreams beside nginx's."""
    if not has_descriptors(UPSTREAMS[-1]):
        print("left out: upstreams, for the limit of descriptors (ulimit -Hn)")
        return
    found = measure([(serve, size) for size in UPSTREAMS for serve in (crowded, nginx_of)], rounds, seconds)
    numbers = [size.upstreams for size in UPSTREAMS]
    growth = show(report, "upstreams", list(zip(numbers, found[::2], strict=True)))
    peer = show(report, "nginx_upstreams", list(zip(numbers, found[1::2], strict=True)))
    report.bar(f"growth to {numbers[-1]} upstreams, over nginx's", growth / peer, at_most=_GROWTH_OVER_NGINX)
    print()


def measure_rest(report: Report) -> None:
    """Count how often a worker at rest wakes."""
    tested, loading = cores()
    for size in filter(has_descriptors, AXES["connections"]):
        with scratch() as name, contextlib.ExitStack() as stack:
            behind = stack.enter_context(contestants.upstream(Path(name), loading)).port
            rate = _wake_ups(stack.enter_context(crowded(size, Path(name), tested, behind)))
        report.add(f"scale.wake_ups.{size.connections}", rate)
        report.bar(f"wake-ups each second with {size.connections:,} idle connections", rate, at_most=_WAKE_UPS)
    print()


def _wake_ups(gateway: Server) -> float:
    """In the first seconds it comes to rest yet."""
    rates: list[float] = []
    while len(rates) < 2 or (rates[-1] > _WAKE_UPS and len(rates) < _LOOKS):
        before, began = gateway.wake_ups(), time.monotonic()
        time.sleep(_LOOK)
        rates.append((gateway.wake_ups() - before) / (time.monotonic() - began))
    return rates[-1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What a request costs as a gateway grows.", arguments)
    rounds, seconds = (1, 1) if options.quick else (3, 2)
    report = Report(schema=dict(_SCHEMA))
    measure_matches(report, 200 if options.quick else 2000)
    for axis, sizes in AXES.items():
        found = measure_axis(sizes, rounds, seconds)
        show(report, axis, [(getattr(size, axis), measured) for size, measured in found])
    # Other work on the machine comes and goes: many short turns meet it alike.
    measure_upstreams(report, 3 * rounds, 1)
    measure_rest(report)
    report.versions["nginx"] = version_of(tool("nginx"), "-v")
    report.versions["wrk"] = version_of(tool("wrk"), "-v")
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
