"""What observing costs: instructions of a request with it, over those with all of it off.

``python -m tests.bench.observe [--json FILE] [--quick]``. Gateways under callgrind differ in one
table of their configuration. Requests are sent as in `instructions`.

- ``observe.unsampled_ratio``: traces are on, and the request is not sampled.
- ``observe.sampled_1_percent_ratio``: one in a hundred is, at the cost of one that is.
- ``observe.access_log_ratio``: each request has a line of JSON in a file.
- ``observe.dashboard_open_ratio``: a worker records ten requests a second for a dashboard, at
  `_SERVED` a second, at the cost of one that is recorded.
- ``observe.red_after_s``: without valgrind, the longest time from the death of an endpoint until the
  dashboard was told.
- ``observe.flood_…``: without valgrind, a worker at its limit with the dashboard closed and open:
  requests a second, what one costs, the messages a second that the page gets, and what the gateway
  grows by. No request and no message may fail.

Under valgrind everything takes some fifty times as long, and what goes by the clock would count for
that much more. So the loop's timers and the other threads are counted apart. Of the timers, what
keeps records belongs to the requests that are recorded. A batch of the access log has a cost of its
own, for the loop and for the thread that writes, and the batches of a second are shared among the
requests of one. The cost of a recorded request is measured, and the shares are computed.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import contestants
from tests.bench.dashboard import flood
from tests.bench.instructions import Scenario, control, counted_gateway, inclusive, send
from tests.bench.processes import BenchError, Server, cores, scratch, tool, version_of
from tests.bench.red import red_after
from tests.bench.report import Report, median, parse_options, table

_TOTAL: Final = re.compile(r"^(?:summary|totals): (\d+)$", re.MULTILINE)
# libuv's function that runs what is due, and what of it keeps records and hands batches over.
_TIMERS: Final = "uv__run_timers"
_KEEPING: Final = ("CPyDef_recorder___Recorder___publish", "CPyDef_recorder___Recorder___take_lines")
# The extension's function that gives a batch of the access log.
_TAKE: Final = "lines_take"
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
# Batches of the access log in a second at that rate: 25 that are full, of 330 bytes a line, and the
# 20 that a timer takes.
_BATCHES: Final = 45
# Seconds: an operator sees it when it happens.
_MOST_RED: Final = 2.0
# A message a second is sent, and a worker's ring of records has 5 MiB.
_LEAST_MESSAGES: Final = 0.5
_MOST_GROWTH: Final = 16.0


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions of the loop's thread beside its timers, of the timers that keep records, and of
    the other threads; ``batches`` of the access log that were taken.
    """

    loop: float
    keeping: float
    threads: float
    batches: float

    @property
    def request(self) -> float:
        """What a request costs, its record included."""
        return self.loop + self.keeping

    @property
    def batch(self) -> float:
        """What one batch costs."""
        return (self.keeping + self.threads) / self.batches if self.batches else 0.0


def costs(
    folder: Path, core: int, loading: int, behind: int, more: str, requests: int, rounds: int
) -> dict[str, Count]:
    """What a request costs, by scenario, with a table of the configuration."""
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
                slopes.append(slope(short, dump(gateway, folder), requests))
            found[scenario.name] = middle(slopes)
    return found


def slope(short: Count, long: Count, requests: int) -> Count:
    """What each request of a run costs that the other has not."""
    return Count(
        (long.loop - short.loop) / requests,
        (long.keeping - short.keeping) / requests,
        (long.threads - short.threads) / requests,
        (long.batches - short.batches) / requests,
    )


def middle(counts: Iterable[Count]) -> Count:
    """Of several rounds."""
    kept = list(counts)
    return Count(
        median(each.loop for each in kept),
        median(each.keeping for each in kept),
        median(each.threads for each in kept),
        median(each.batches for each in kept),
    )


def dump(gateway: Server, folder: Path) -> Count:
    """Have callgrind write its counts and begin again at zero; returns those of all threads."""
    pid = gateway.processes()[0]
    for old in folder.glob(f"callgrind.{pid}.*"):
        old.unlink()
    control(gateway, "--dump")
    profiles = {path.name[-2:]: path.read_text() for path in folder.glob(f"callgrind.{pid}.*-*")}
    totals = {thread: _TOTAL.search(profile) for thread, profile in profiles.items()}
    if totals.get("01") is None:
        raise BenchError(f"callgrind wrote no counts\n{gateway.log()}")
    instructions = {thread: int(total[1]) for thread, total in totals.items() if total is not None}
    main = profiles["01"]
    return Count(
        loop=instructions.pop("01") - inclusive(main, _TIMERS),
        keeping=sum(inclusive(main, function) for function in _KEEPING),
        threads=sum(instructions.values()),
        batches=calls(main, _TAKE),
    )


def calls(profile: str, function: str) -> int:
    """How often a function was called, in a profile in callgrind's format."""
    number = re.search(rf"^c?fn=(\(\d+\)) {re.escape(function)}$", profile, re.MULTILINE)
    if number is None:
        return 0
    found = re.compile(rf"^cfn={re.escape(number[1])}(?: .*)?\n(?:c\w+=.*\n)*calls=(\d+)", re.MULTILINE)
    return sum(int(count) for count in found.findall(profile))


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What observing costs.")
    requests, rounds = (200, 1) if options.quick else (400, 3)
    report = Report()
    core, loading = cores()
    found: dict[str, dict[str, Count]] = {}
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        place = folder / "upstream"
        place.mkdir()
        behind = stack.enter_context(contestants.upstream(place, loading)).port
        for what, more in _TABLES.items():
            found[what] = costs(folder / what, core, loading, behind, more, requests, rounds)
        red = red_after(folder / "red", core, loading, rounds=3 if options.quick else 10)
        flooded = flood(folder / "flood", core, loading, behind, rounds=rounds, seconds=4)
    report.versions["valgrind"] = version_of(tool("valgrind"), "--version")
    names = [scenario.name for scenario in _SCENARIOS]
    cost = {what: {name: found[what][name].request for name in names} for what in _TABLES}
    if not found["sampled"]["plain"].keeping:
        raise BenchError("the recorder is not compiled: what it does in timers cannot be told from others")
    # Without guests no other thread has anything to write.
    batches = found["access_log"]["plain"].batch * _BATCHES / _SERVED
    cost["access_log"] = {name: found["access_log"][name].loop + batches for name in names}
    table(("", *names), [(what, *(f"{cost[what][name]:,.0f}" for name in names)) for what in _TABLES])
    off = cost["off"]
    # The scenario for which it costs more decides.
    unsampled = max(cost["unsampled"][name] / off[name] for name in names)
    sampled = max(
        (cost["unsampled"][name] + _SAMPLED * (cost["sampled"][name] - cost["unsampled"][name])) / off[name]
        for name in names
    )
    access = max(cost["access_log"][name] / off[name] for name in names)
    dashboard = max(1 + _RECORDED / _SERVED * (cost["sampled"][name] - off[name]) / off[name] for name in names)
    for figure, value, most in (
        ("unsampled_ratio", unsampled, 1.02),
        ("sampled_1_percent_ratio", sampled, 1.03),
        ("access_log_ratio", access, 1.05),
        ("dashboard_open_ratio", dashboard, 1.02),
    ):
        report.add(f"observe.{figure}", value)
        report.bar(f"observe.{figure}", value, at_most=most)
    report.add("observe.red_after_s", red)
    report.bar("observe.red_after_s", red, at_most=_MOST_RED)
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
