"""What choosing one of several endpoints costs, and how evenly requests fall on them.

``python -m tests.bench.balance [--json FILE] [--quick]``. Three figures:

- ``balance.pick_us``: a choice among three endpoints and the end of what it began, from Python.
- ``balance.skew_percent``: how far the busiest or the idlest of three equal endpoints is from their
  mean, counted at the endpoints, when four workers send requests to them.
- ``balance.instructions_ratio``: instructions of a request to an upstream of three endpoints with
  all that there is against failures, over those of one to a bare target. They are counted as
  `instructions` counts them.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sentinel_host.upstream import EndpointTable
from sentinel_host.upstream._endpoints import Cell, Group
from tests.bench import contestants
from tests.bench.instructions import Scenario, count, counted_gateway
from tests.bench.load import saturate
from tests.bench.processes import BenchError, Server, cores, scratch, server
from tests.bench.report import Report, median, parse_options, table

_ENDPOINTS: Final = 3
_WORKERS: Final = 4
_LEAST_KEY: Final = 2

# nginx counts the requests of all its ports: each endpoint is one of its own.
_COUNTING: Final = 'location / { return 200 "hello"; } location = /counted { stub_status; }'
_REQUESTS: Final = re.compile(rb"^ \d+ \d+ (\d+) $", re.MULTILINE)
_ROUTE: Final = """\
[guests]
watch = false

[[upstream]]
name = "balanced"
targets = [{targets}]

[[route]]
name = "balanced"
path = "/"
upstream = "balanced"
"""
_UPSTREAMS: Final = """\
[[upstream]]
name = "bare"
targets = ["http://127.0.0.1:{port}"]
eject = false
retry = false

[[upstream]]
name = "balanced"
targets = [{targets}]
# Under valgrind a check takes longer than its second.
check = {{ path = "/", interval = "60s", timeout = "60s" }}
eject = {{ failures = 2, server_errors = 5 }}
retry = {{ tries = 3 }}
breaker = {{ max_requests = 512, max_pending = 512 }}
"""
_SCENARIOS: Final = (Scenario("bare", upstream="bare"), Scenario("balanced", upstream="balanced"))


def targets(ports: list[int]) -> str:
    """URLs in TOML."""
    return ", ".join(f'"http://127.0.0.1:{port}"' for port in ports)


def measure_pick(report: Report, rounds: int, picks: int) -> None:
    """Choose, and end at once."""
    endpoints = EndpointTable.create(cells=_WORKERS)
    cells = tuple(Cell(endpoints.native, 0, _LEAST_KEY + number, True) for number in range(_ENDPOINTS))
    group = Group(
        tuple((cell, 1) for cell in cells),
        policy=0,
        panic_percent=50,
        slow_start_ms=0,
        ejected_percent=50,
        gateway_failures=2,
        server_failures=5,
        base_ms=10_000,
        max_ms=300_000,
        seed=1,
    )

    def choose() -> None:
        for _ in range(picks):
            cells[group.pick(0, ())].end()

    def nothing() -> None:
        for _ in range(picks):
            pass

    found = [(seconds(choose) - seconds(nothing)) / picks * 1e6 for _ in range(rounds)]
    os.close(endpoints.fd)
    table(("µs a choice", "all rounds"), [(median(found), f"{min(found):.3f} to {max(found):.3f}")])
    report.add("balance.pick_us", median(found))
    report.bar("µs a choice among three", median(found), at_most=0.3)


def seconds(work: Callable[[], None]) -> float:
    """Time of this thread's processor."""
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def measure_skew(report: Report, requests: int) -> None:
    """Load a gateway, and ask its endpoints how many requests came.

    Of fewer than ``requests`` chance alone could make more than a percent.
    """
    tested, loading = cores()
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        behind = []
        for number in range(_ENDPOINTS):
            place = folder / f"endpoint{number}"
            place.mkdir()
            behind.append(stack.enter_context(contestants.upstream(place, loading, _COUNTING)))
        route = _ROUTE.format(targets=targets([each.port for each in behind]))
        config, port = contestants.write_gateway(folder / "gateway", behind[0].port, route, workers=_WORKERS)
        command = [sys.executable, "-m", "sentinel_host", "run", "--config", str(config)]
        gateway = stack.enter_context(server("gateway", command, port, folder, tested))
        saturate(gateway, loading, connections=16, seconds=1)
        before = [counted(each) for each in behind]
        left = requests
        while left > 0:
            left -= saturate(gateway, loading, connections=64, seconds=2).load.requests
        # The question itself is one.
        came = [counted(each) - then - 1 for each, then in zip(behind, before, strict=True)]
    mean = sum(came) / len(came)
    skew = max(abs(each - mean) for each in came) / mean * 100
    table(("requests at the endpoints", "skew in %"), [(", ".join(f"{each:,}" for each in came), skew)])
    report.add("balance.skew_percent", skew)
    report.bar("% between an endpoint and the mean", skew, at_most=1)


def counted(endpoint: Server) -> int:
    """How many requests have come, this one included."""
    found = _REQUESTS.search(endpoint.fetch("/counted")[2])
    if found is None:
        raise BenchError(f"{endpoint.name} does not say how many requests came")
    return int(found[1])


def measure_instructions(report: Report, requests: int, rounds: int) -> None:
    """Count both kinds of upstream in one gateway."""
    tested, loading = cores()
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        behind = []
        for number in range(_ENDPOINTS):
            place = folder / f"endpoint{number}"
            place.mkdir()
            behind.append(stack.enter_context(contestants.upstream(place, loading)).port)
        upstreams = _UPSTREAMS.format(port=behind[0], targets=targets(behind))
        gateway = stack.enter_context(counted_gateway(folder, tested, behind[0], _SCENARIOS, upstreams))
        found = [median(count(gateway, folder, loading, scenario, requests, rounds)) for scenario in _SCENARIOS]
    ratio = found[1] / found[0]
    table(
        ("", "user instructions"),
        [(scenario.name, f"{value:,.0f}") for scenario, value in zip(_SCENARIOS, found, strict=True)],
    )
    report.add("balance.instructions_ratio", ratio)
    report.bar("instructions, three endpoints over a bare target", ratio, at_most=1.05)


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What choosing an endpoint costs, and how evenly requests fall.")
    report = Report()
    measure_pick(report, 3 if options.quick else 9, 200_000)
    measure_skew(report, 60_000 if options.quick else 200_000)
    measure_instructions(report, 100 if options.quick else 300, 1 if options.quick else 3)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
