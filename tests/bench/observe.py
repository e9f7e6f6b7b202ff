"""What observing costs: instructions of a request with it, over those with all of it off.

``python -m tests.bench.observe [--json FILE] [--quick]``. Gateways under callgrind differ in one
table of their configuration. Requests are sent as in `instructions`. All threads count, and what
the loop's timers run: the access log is written by a thread, and records are kept by a timer.

- ``observe.unsampled_ratio``: traces are on, and the request is not sampled.
- ``observe.sampled_1_percent_ratio``: one in a hundred is, at the cost of one that is.
- ``observe.access_log_ratio``: each request has a line of JSON in a file.
- ``observe.dashboard_open_ratio``: a worker records ten requests a second for a dashboard, at
  `_SERVED` a second, at the cost of one that is recorded.
- ``observe.flood_…``: without valgrind, a worker at its limit with the dashboard closed and open:
  requests a second, what one costs, the messages a second that the page gets, and what the gateway
  grows by. No request and no message may fail.

Under valgrind everything takes some fifty times as long, and what goes by the clock would count for
that much more. So the cost of a recorded request is measured, and the shares are computed.
"""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from typing import Final

from tests.bench import contestants
from tests.bench.dashboard import flood
from tests.bench.instructions import Scenario, control, counted_gateway, send
from tests.bench.processes import BenchError, Server, cores, scratch, tool, version_of
from tests.bench.report import Report, median, parse_options, table

_TOTAL: Final = re.compile(r"^(?:summary|totals): (\d+)$", re.MULTILINE)
_SCENARIOS: Final = (Scenario("plain"), Scenario("three_guests", guests=3))
# By what is on, the table that has it so.
_TABLES: Final = {
    "off": "",
    "unsampled": '[tracing]\nshare = 0.0\nslow = "1h"',
    "sampled": '[tracing]\nshare = 1.0\nslow = "1h"',
    "access_log": '[access_log]\nto = "access.log"',
}
# Requests a second of a worker that has much to do, and what it records of them for a dashboard.
_SERVED: Final = 5000
_RECORDED: Final = 10
_SAMPLED: Final = 0.01
# A message a second is sent, and a worker's ring of records has 5 MiB.
_LEAST_MESSAGES: Final = 0.5
_MOST_GROWTH: Final = 16.0


def costs(
    folder: Path, core: int, loading: int, behind: int, more: str, requests: int, rounds: int
) -> dict[str, float]:
    """Instructions of a request, by scenario, with a table of the configuration."""
    folder.mkdir()
    found = {}
    with counted_gateway(folder, core, behind, _SCENARIOS, more) as gateway:
        for scenario in _SCENARIOS:
            # Guests start, and what is made once is made.
            send(gateway, loading, scenario, requests // 5)
            dump(gateway, folder)
            slopes = []
            for _ in range(rounds):
                send(gateway, loading, scenario, requests // 5)
                short = dump(gateway, folder)
                send(gateway, loading, scenario, requests // 5 + requests)
                slopes.append((dump(gateway, folder) - short) / requests)
            found[scenario.name] = median(slopes)
    return found


def dump(gateway: Server, folder: Path) -> int:
    """Have callgrind write its counts and begin again at zero; returns those of all threads."""
    pid = gateway.processes()[0]
    for old in folder.glob(f"callgrind.{pid}.*"):
        old.unlink()
    control(gateway, "--dump")
    totals = [_TOTAL.search(path.read_text()) for path in folder.glob(f"callgrind.{pid}.*-*")]
    if not totals:
        raise BenchError(f"callgrind wrote no counts\n{gateway.log()}")
    return sum(int(total[1]) for total in totals if total is not None)


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What observing costs.")
    requests, rounds = (200, 1) if options.quick else (400, 3)
    report = Report()
    core, loading = cores()
    found: dict[str, dict[str, float]] = {}
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        place = folder / "upstream"
        place.mkdir()
        behind = stack.enter_context(contestants.upstream(place, loading)).port
        for what, more in _TABLES.items():
            found[what] = costs(folder / what, core, loading, behind, more, requests, rounds)
        flooded = flood(folder / "flood", core, loading, behind, rounds=rounds, seconds=4)
    report.versions["valgrind"] = version_of(tool("valgrind"), "--version")
    names = [scenario.name for scenario in _SCENARIOS]
    table(("", *names), [(what, *(f"{found[what][name]:,.0f}" for name in names)) for what in _TABLES])
    off = found["off"]
    # The scenario for which it costs more decides.
    unsampled = max(found["unsampled"][name] / off[name] for name in names)
    sampled = max(
        (found["unsampled"][name] + _SAMPLED * (found["sampled"][name] - found["unsampled"][name])) / off[name]
        for name in names
    )
    access = max(found["access_log"][name] / off[name] for name in names)
    dashboard = max(1 + _RECORDED / _SERVED * (found["sampled"][name] - off[name]) / off[name] for name in names)
    for figure, value, most in (
        ("unsampled_ratio", unsampled, 1.02),
        ("sampled_1_percent_ratio", sampled, 1.03),
        ("access_log_ratio", access, 1.05),
        ("dashboard_open_ratio", dashboard, 1.02),
    ):
        report.add(f"observe.{figure}", value)
        report.bar(f"observe.{figure}", value, at_most=most)
    for figure, amount in (
        ("closed_rps", flooded.closed_rps),
        ("open_rps", flooded.open_rps),
        ("cpu_ratio", flooded.open_us / flooded.closed_us),
        ("messages_per_second", flooded.messages),
        ("growth_mib", flooded.growth_mib),
    ):
        report.add(f"observe.flood_{figure}", amount)
    report.bar("observe.flood_messages_per_second", flooded.messages, at_least=_LEAST_MESSAGES)
    report.bar("observe.flood_growth_mib", flooded.growth_mib, at_most=_MOST_GROWTH)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
