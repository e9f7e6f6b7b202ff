"""What a start costs: until a gateway listens, until it has ended, and until a killed worker is
replaced.

``python -m tests.bench.start [--json FILE] [--quick]``. The gateway has three guests, which were
compiled before. CPU is user and system time of the whole process, from its first instruction to its
end; "listening" is the time until a client can connect. A worker of two is killed with SIGKILL; its
place is empty until the supervisor says that the next one is ready.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.bench import contestants
from tests.bench.processes import BenchError, Server, cores, free_port, server
from tests.bench.report import Report, median, parse_options, table

_READY: Final = re.compile(r"worker (\d+) \(pid (\d+)\) is ready")
_PATIENCE: Final = 60.0
_TABLES: Final = """\
[guests]
watch = false
cache = "cache"

[guest.api-key-auth]
config = {{ keys = {{ "demo-key" = "demo" }} }}

[[route]]
path = "/"
upstream = "origin"
chain = [{chain}]
"""


def write(home: Path, workers: int) -> tuple[list[str], int]:
    """A gateway's files; returns its command and the port that it listens on."""
    tables = _TABLES.format(chain=", ".join(contestants.chain_entries(3)))
    config, port = contestants.write_gateway(home, free_port(), tables, workers=workers)
    return [sys.executable, "-m", "sentinel_host", "run", "--config", str(config)], port


def one_start(folder: Path, core: int, command: list[str], port: int) -> tuple[float, float]:
    """Seconds until a client can connect, and seconds of CPU until the process has ended."""
    before, begun = _cpu_of_children(), time.monotonic()
    with server("start", command, port, folder, core):
        listening = time.monotonic() - begun
    return listening, _cpu_of_children() - before


def one_restart(gateway: Server, number: int) -> float:
    """Seconds until a killed worker's place is filled."""
    known = _ready(gateway)
    begun = time.monotonic()
    serving = sorted(dict(known).items())
    os.kill(int(serving[number % len(serving)][1]), signal.SIGKILL)
    while len(_ready(gateway)) == len(known):
        if time.monotonic() > begun + _PATIENCE:
            raise BenchError(f"a killed worker was not replaced:\n{gateway.output.read_text()}{gateway.log()}")
        time.sleep(0.002)
    return time.monotonic() - begun


def _ready(gateway: Server) -> list[tuple[str, str]]:
    """Number and process id of every worker that became ready, in order."""
    return _READY.findall(gateway.output.read_text() + gateway.log())


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What a start costs.")
    rounds = 3 if options.quick else 15
    report = Report()
    tested, _ = cores()
    with tempfile.TemporaryDirectory(prefix="sentinel-bench-") as name:
        folder = Path(name)
        command, port = write(folder / "single", 1)
        one_start(folder, tested, command, port)  # which compiles the guests
        starts = [one_start(folder, tested, command, port) for _ in range(rounds)]
        command, port = write(folder / "several", 2)
        with server("several", command, port, folder, tested) as gateway:
            while len(_ready(gateway)) < 2:
                time.sleep(0.01)
            restarts = [one_restart(gateway, number) for number in range(rounds)]
    figures = {
        "listening_ms": [listening for listening, _ in starts],
        "cpu_ms": [cpu for _, cpu in starts],
        "killed_worker_ms": restarts,
    }
    rows = []
    for figure, seconds in figures.items():
        values = [each * 1e3 for each in seconds]
        report.add(f"start.{figure}", median(values))
        rows.append((figure, median(values), f"{min(values):.0f} to {max(values):.0f}"))
    table(("", "median", "all rounds"), rows)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
