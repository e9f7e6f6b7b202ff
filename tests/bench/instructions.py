"""User instructions of one request in each of eight scenarios, counted by callgrind.

``python -m tests.bench.instructions [--json FILE] [--quick]``. Other work on the machine does not
change a count, so two versions of the gateway can be compared to a hundredth. One gateway has a
route for each scenario. A client sends requests one after the other on one connection. The figure
is the slope between a short run and a long one: what a connection costs by itself cancels out. What
the loop's timers ran is taken off, because under valgrind more of them are due in a request's time.

Only the thread of the event loop is counted. The others (the engine's clock, the log's writer) go
by the time, and valgrind makes everything some fifty times slower.

Two things differ from a gateway that users run. Guests are compiled for the oldest processor of the
architecture, because valgrind does not know all instructions of a new one. And their code checks
bounds, as it does wherever a process may not reserve 4 GiB of addresses per guest.

Each figure is held to 1.03 times that in ``results/instructions.json``, if that was taken with the
same versions of Python and wasmtime. A change that may cost more writes the file anew and says why.
"""

from __future__ import annotations

import contextlib
import json
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import contestants
from tests.bench.processes import BenchError, Server, cores, server, tool, version_of
from tests.bench.report import Report, installed_versions, median, parse_options, table

_BEFORE: Final = Path(__file__).parent / "results" / "instructions.json"
_AT_MOST: Final = 1.03
_COMPARABLE: Final = ("python", "wasmtime")

_BODY_BYTES: Final = 65536
_LOCATIONS: Final = """\
    location / {{ return 200 "hello"; }}
    location /body_64k {{ root {folder}; }}
"""
_TABLES: Final = """\
[guests]
watch = false
cache = "cache"

[guest.access-log]
deadline = "10s"

[guest.api-key-auth]
deadline = "10s"
config = {{ keys = {{ "demo-key" = "demo" }} }}

[guest.header-injection]
deadline = "10s"

{upstreams}

{routes}
"""
# Python loads it by itself; the process that compiles inherits the path that it is on.
_OLDEST_PROCESSOR: Final = f"""\
from wasmtime import Config

make = Config.__init__

def make_portable(self):
    make(self)
    self.target = "{platform.machine()}-unknown-linux-gnu"

Config.__init__ = make_portable
"""
# Any limit makes guests' code check bounds. This one is never reached.
_ADDRESS_SPACE: Final = 1 << 46
_TOTAL: Final = re.compile(r"^(?:summary|totals): (\d+)$", re.MULTILINE)
# libuv's function that runs what is due, directly below the loop's.
_TIMERS: Final = "uv__run_timers"
_STATUSES: Final = re.compile(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx")
# Seconds for imports under valgrind, on a machine that has other things to do.
_START: Final = 300.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A route, whose path is the name, and what is asked of it."""

    name: str
    guests: int = 0
    limit: str = ""
    status: int = 200
    key: bool = True
    http2: bool = False
    upstream: str = "origin"

    def route(self) -> str:
        """The route in TOML."""
        chain = ", ".join(contestants.chain_entries(self.guests))
        limit = f"limit = {self.limit}\n" if self.limit else ""
        return f'[[route]]\npath = "/{self.name}"\nupstream = "{self.upstream}"\nchain = [{chain}]\n{limit}'


SCENARIOS: Final = (
    Scenario("plain"),
    # As many as a limit can count.
    Scenario("one_limit", limit='{ requests = 16777215, window = "1h" }'),
    Scenario("three_guests", guests=3),
    Scenario("eight_guests", guests=8),
    Scenario("refused_by_auth", guests=3, status=401, key=False),
    Scenario("refused_by_limit", limit='{ requests = 1, window = "24h" }', status=429),
    Scenario("http2_plain", http2=True),
    Scenario("body_64k"),
)


@contextlib.contextmanager
def counted_gateway(
    folder: Path, core: int, behind: int, scenarios: Sequence[Scenario], upstreams: str = ""
) -> Iterator[Server]:
    """The gateway under callgrind, with a route for each scenario; counts are written to
    ``folder``.

    ``upstreams`` are tables beside that of ``origin``, which is the port ``behind``.
    """
    routes = "\n".join(scenario.route() for scenario in scenarios)
    tables = _TABLES.format(upstreams=upstreams, routes=routes)
    config, port = contestants.write_gateway(folder / "gateway", behind, tables)
    command = [sys.executable, "-m", "sentinel_host", "run", "--config", str(config)]
    longest = max(scenarios, key=lambda scenario: scenario.guests)
    fill_cache(folder, core, port, command, f"/{longest.name}")
    callgrind = [
        *(tool("valgrind"), "--tool=callgrind", "--separate-threads=yes", "--instr-atstart=no"),
        f"--callgrind-out-file={folder}/callgrind.%p",
    ]
    # Sets are walked in the same order each time.
    environment = {"PYTHONHASHSEED": "0"}
    with server("counted", [*callgrind, *command], port, folder, core, environment=environment, patience=_START) as it:
        control(it, "--instr=on")
        yield it


def fill_cache(folder: Path, core: int, port: int, command: list[str], path: str) -> None:
    """Have the gateway compile its guests, without valgrind, in which compiling takes minutes.

    ``path`` is that of a route of all of them.
    """
    (folder / "sitecustomize.py").write_text(_OLDEST_PROCESSOR)
    limited = [tool("prlimit"), f"--as={_ADDRESS_SPACE}", *command]
    with server("compiling", limited, port, folder, core, environment={"PYTHONPATH": str(folder)}) as compiling:
        status, _, _ = compiling.fetch(path, contestants.KEY)
        if status != 200:
            raise BenchError(f"the guests do not work: {status}\n{compiling.log()}{compiling.output.read_text()}")


def count(gateway: Server, folder: Path, core: int, scenario: Scenario, requests: int, rounds: int) -> list[float]:
    """Instructions of the event loop's thread for each request, once for each round."""
    gateway.fetch(f"/{scenario.name}", contestants.KEY)  # which a limit of one request lets pass
    few = requests // 5
    send(gateway, core, scenario, few)
    dump(gateway, folder)
    found = []
    for _ in range(rounds):
        send(gateway, core, scenario, few)
        short = dump(gateway, folder)
        send(gateway, core, scenario, few + requests)
        found.append((dump(gateway, folder) - short) / requests)
    return found


def send(gateway: Server, core: int, scenario: Scenario, requests: int) -> None:
    """Send requests one after the other; raises `BenchError` unless each got the scenario's
    status.
    """
    protocol = [] if scenario.http2 else ["--h1"]
    key = [f"-H{name}: {value}" for name, value in contestants.KEY.items() if scenario.key]
    command = [tool("h2load"), *protocol, f"-n{requests}", "-c1", "-m1", *key, f"{gateway.url}/{scenario.name}"]
    done = subprocess.run([tool("taskset"), "-c", str(core), *command], capture_output=True, text=True, check=False)
    counts = _STATUSES.search(done.stdout)
    if counts is None or int(counts[scenario.status // 100 - 1]) != requests:
        raise BenchError(
            f"{scenario.name}: not {requests} answers like {scenario.status}:\n"
            f"{done.stdout}{gateway.log()}{gateway.output.read_text()[-2000:]}"
        )


def dump(gateway: Server, folder: Path) -> int:
    """Have callgrind write its counts and begin again at zero; returns those of the first thread,
    without timers'.
    """
    pid = gateway.processes()[0]
    for old in folder.glob(f"callgrind.{pid}.*"):
        old.unlink()
    control(gateway, "--dump")
    written = list(folder.glob(f"callgrind.{pid}.*-01"))
    profile = written[0].read_text() if len(written) == 1 else ""
    total = _TOTAL.search(profile)
    if total is None:
        raise BenchError(f"callgrind did not write the event loop's counts: {written}\n{gateway.log()}")
    return int(total[1]) - inclusive(profile, _TIMERS)


def inclusive(profile: str, function: str) -> int:
    """What all calls of a function cost, with what it called, in a profile in callgrind's
    format.
    """
    number = re.search(rf"^c?fn=(\(\d+\)) {re.escape(function)}$", profile, re.MULTILINE)
    if number is None:
        return 0
    # A line for the callee, some for where it is, one for how often it was called; then where from,
    # and the cost.
    calls = re.compile(rf"^cfn={re.escape(number[1])}(?: .*)?\n(?:c\w+=.*\n)*calls=.*\n\S+ (\d+)$", re.MULTILINE)
    return sum(int(cost) for cost in calls.findall(profile))


def control(gateway: Server, what: str) -> None:
    """Tell callgrind to do something; raises `BenchError` when it does not."""
    command = [tool("callgrind_control"), what, str(gateway.processes()[0])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"callgrind_control {what}: {done.stdout}{done.stderr}")


def compare(report: Report) -> None:
    """Hold each figure to the one that is kept."""
    kept = json.loads(_BEFORE.read_text())
    versions = installed_versions()
    if other := [name for name in _COMPARABLE if kept["versions"].get(name) != versions.get(name)]:
        print(f"not compared with {_BEFORE.name}, which was taken with another {' and '.join(other)}")
        return
    for name, value in report.figures.items():
        report.bar(f"{name}, over the kept figure", value / kept["figures"][name], at_most=_AT_MOST)


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("User instructions of a request.")
    requests, rounds = (100, 1) if options.quick else (300, 3)
    report = Report()
    tested, loading = cores()
    rows = []
    with tempfile.TemporaryDirectory(prefix="sentinel-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        (folder / "body_64k").write_bytes(b"b" * _BODY_BYTES)
        behind = stack.enter_context(contestants.upstream(folder, loading, _LOCATIONS.format(folder=folder))).port
        gateway = stack.enter_context(counted_gateway(folder, tested, behind, SCENARIOS))
        for scenario in SCENARIOS:
            found = count(gateway, folder, loading, scenario, requests, rounds)
            report.add(f"instructions.{scenario.name}", median(found))
            rows.append((scenario.name, f"{median(found):,.0f}", f"{min(found):,.0f} to {max(found):,.0f}"))
    report.versions["valgrind"] = version_of(tool("valgrind"), "--version")
    table(("", "user instructions", "all rounds"), rows)
    compare(report)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
