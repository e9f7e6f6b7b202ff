"""What a request costs: stock Hypercorn with Quart, our server, our gateway with 0, 1, 3 and 8
guests, and nginx.

``python -m tests.bench.gateway [--json FILE] [--quick]``. All run at once and are loaded in turn,
each in every round; figures are medians of the rounds, ratios are medians of the ratios within a
round, since a machine's speed drifts.

What is under test has the first core, wrk and the upstream (an nginx that answers by itself) the
second. CPU is the kernel's accounting of the whole process tree, divided by the requests that wrk
counted. Figures without a suffix are those at 32 connections.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.bench import contestants
from tests.bench.load import Round, saturate, wrk
from tests.bench.processes import BenchError, Server, cores, scratch, tool, version_of
from tests.bench.report import Report, median, parse_options, table

CONNECTIONS = (32, 256)
GUESTS = (0, 1, 3, 8)
NAMES = ("hypercorn_quart_hello", "server_hello", *(f"guests_{count}" for count in GUESTS), "nginx")

Results = dict[tuple[str, int], list[Round]]


def start(stack: contextlib.ExitStack, folder: Path) -> dict[str, Server]:
    """Start everything; the order is that of the table."""
    tested, loading = cores()
    enter = stack.enter_context
    behind = enter(contestants.upstream(folder, loading)).port
    servers = [
        enter(contestants.hypercorn_quart_hello(folder, tested)),
        enter(contestants.server_hello(folder, tested)),
        *(
            enter(contestants.sentinel(f"guests_{count}", folder, tested, behind, contestants.chain_entries(count)))
            for count in GUESTS
        ),
        enter(contestants.nginx_proxy(folder, tested, behind)),
    ]
    return {server.name: server for server in servers}


def check_alike(servers: Mapping[str, Server]) -> None:
    """All answer a request the same, so that nobody is fast for doing something else."""
    for name, server in servers.items():
        status, _, body = server.fetch(headers=contestants.KEY)
        if (status, body) != (200, b"hello"):
            raise BenchError(f"{name} answers {status} {body[:80]!r}\n{server.log()}")


def measure(servers: Mapping[str, Server], rounds: int, seconds: int) -> Results:
    """Load each in turn, round by round."""
    _, loading = cores()
    results: Results = {}
    for server in servers.values():
        wrk(server.url + "/", loading, connections=CONNECTIONS[-1], seconds=1, headers=contestants.KEY)
    for _ in range(rounds):
        for connections in CONNECTIONS:
            for name, server in servers.items():
                taken = saturate(server, loading, connections=connections, seconds=seconds, headers=contestants.KEY)
                results.setdefault((name, connections), []).append(taken)
    return results


def check_logs(servers: Mapping[str, Server], results: Results) -> None:
    """Every gateway whose chain logs wrote a line for each request at least: dropped lines would be
    saved work.
    """
    for name, server in servers.items():
        if not name.startswith("guests_") or name == "guests_0":
            continue
        requests = sum(taken.load.requests for (who, _), all_of in results.items() if who == name for taken in all_of)
        with server.output.open("rb") as file:
            lines = sum(1 for line in file if b'"access-log"' in line)
        if lines < requests:
            raise BenchError(f"{name} wrote {lines} lines for {requests} requests")


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What a request costs, in µs of CPU.")
    # Many short rounds: a machine that others share drifts within seconds, and ratios are taken
    # within a round.
    rounds, seconds = (2, 1) if options.quick else (15, 1)
    report = Report()
    with scratch() as name, contextlib.ExitStack() as stack:
        servers = start(stack, Path(name))
        check_alike(servers)
        results = measure(servers, rounds, seconds)
        check_logs(servers, results)
    report.versions |= {"nginx": version_of(tool("nginx"), "-v"), "wrk": version_of(tool("wrk"), "-v")}
    for connections in CONNECTIONS:
        show(report, results, connections)
    judge(report, results)
    return report.finish(options)


def show(report: Report, results: Results, connections: int) -> None:
    """The table and the figures for one number of connections."""
    suffix = "" if connections == CONNECTIONS[0] else f"_c{connections}"
    rows = []
    for name in NAMES:
        taken = results[name, connections]
        figures: dict[str, Callable[[Round], float]] = {
            "cpu_us": lambda each: each.cpu_us,
            "rps": lambda each: each.load.rps,
            "p99_ms": lambda each: each.load.p99_ms,
        }
        medians = {what: median(map(of, taken)) for what, of in figures.items()}
        for what, value in medians.items():
            report.add(f"gateway.{what}.{name}{suffix}", value)
        spread = [each.cpu_us for each in taken]
        rows.append((name, *medians.values(), f"{min(spread):.1f} to {max(spread):.1f}"))
    print(f"{connections} connections, medians of {len(taken)} rounds:")
    table(("", "CPU µs", "requests/s", "p99 ms", "CPU µs, all rounds"), rows)
    print()


def ratio(results: Results, above: str, below: str, connections: Sequence[int] = CONNECTIONS[:1]) -> float:
    """The median of CPU ratios within a round."""
    pairs = [pair for count in connections for pair in zip(results[above, count], results[below, count], strict=True)]
    return median(first.cpu_us / second.cpu_us for first, second in pairs)


def growth(results: Results) -> float:
    """What a guest beyond the third costs over what one of the first three costs; linear growth is
    about 1.
    """
    count = CONNECTIONS[0]
    none, three, eight = (results[f"guests_{guests}", count] for guests in (0, 3, 8))
    steps = [
        ((c.cpu_us - b.cpu_us) / 5) / max((b.cpu_us - a.cpu_us) / 3, 0.1)
        for a, b, c in zip(none, three, eight, strict=True)
    ]
    return median(steps)


def judge(report: Report, results: Results) -> None:
    """Ratios within rounds, at 32 connections, beside their bars."""
    bars = (
        ("hypercorn_quart_hello", "server_hello", "server, times cheaper than stock Hypercorn with Quart", 5.0, None),
        ("guests_0", "nginx", "no guest, CPU over nginx's", None, 3.0),
        ("guests_3", "guests_0", "three guests, CPU over none", None, 1.4),
    )
    for above, below, what, at_least, at_most in bars:
        value = ratio(results, above, below)
        report.add(f"gateway.ratio.{above}_over_{below}", value)
        report.bar(what, value, at_least=at_least, at_most=at_most)
    # One and a half: the added five all change the head, which the first of the three does not.
    linear = growth(results)
    report.add("gateway.ratio.growth_beyond_three", linear)
    report.bar("a guest beyond the third, cost over one of the first three", linear, at_most=1.5)


if __name__ == "__main__":
    sys.exit(main())
