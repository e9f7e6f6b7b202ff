"""Load from wrk, and what it counted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import BenchError, Server, tool

_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw: requests that were answered, requests a second, latencies in ms, answers other
    than 2xx and 3xx.
    """

    requests: int
    rps: float
    p50_ms: float
    p99_ms: float
    refused: int


@dataclass(frozen=True, slots=True)
class Round:
    """One contestant in one round: CPU of its whole tree for each request that was answered, in
    µs.
    """

    cpu_us: float
    load: Load


def saturate(
    target: Server,
    core: int,
    *,
    connections: int,
    seconds: int,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    status: int = 200,
    turns: int = 1,
) -> Round:
    """Load a server with one thread of wrk that always asks, and measure what that cost; ``turns``
    is as for `wrk`.

    Raises `BenchError` when anything went wrong on the way, or an answer was not of the kind of
    ``status``: a server is not fast for refusing.
    """
    before = target.cpu()
    url = f"{target.url}{path}"
    load = wrk(url, core, connections=connections, seconds=seconds, headers=headers, turns=turns)
    used = target.cpu() - before
    # A limiter lets one pass when its window turns over, nginx's each minute.
    wrong = load.refused if status < 400 else max(0, load.requests - load.refused - (status == 429))
    if wrong or not load.requests:
        raise BenchError(f"{target.name}: {wrong} of {load.requests} answers were not like {status}\n{target.log()}")
    return Round(used / load.requests * 1e6, load)


def wrk(
    url: str,
    core: int,
    *,
    connections: int,
    seconds: int,
    headers: Mapping[str, str] | None = None,
    turns: int = 1,
) -> Load:
    """Run wrk on a core, for whole seconds: one that is stopped by a signal as it starts sleeps
    through the signal.

    With more than one turn, requests go to the paths ``/r1``, ``/r2`` and so on, and begin again.
    """
    fields = [argument for name, value in (headers or {}).items() for argument in ("-H", f"{name}: {value}")]
    command = [tool("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(_SCRIPT), *fields, url]
    if turns > 1:
        command += ["--", str(turns)]
    result = subprocess.run([tool("taskset"), "-c", str(core), *command], capture_output=True, text=True, check=False)
    try:
        seen = json.loads(result.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise BenchError(f"wrk: {result.stdout}{result.stderr}") from None
    broken = {what: seen[what] for what in ("connect", "read", "write", "timeout") if seen[what]}
    if broken:
        raise BenchError(f"wrk had errors on {url}: {broken}")
    return Load(
        requests=seen["requests"],
        rps=seen["requests"] / (seen["duration_us"] / 1e6),
        p50_ms=seen["p50_us"] / 1000,
        p99_ms=seen["p99_us"] / 1000,
        refused=seen["status"],
    )


@dataclass(frozen=True, slots=True)
class Paced:
    """A server at a fixed rate: CPU per request in µs, latencies in ms, and the rate that was
    reached.
    """

    cpu_us: float
    rps: float
    latencies_ms: Sequence[float]

    def percentile(self, percent: float) -> float:
        """A latency in ms; the list is sorted."""
        return self.latencies_ms[min(len(self.latencies_ms) - 1, int(len(self.latencies_ms) * percent / 100))]


def pace(
    target: Server,
    core: int,
    *,
    rate: int,
    connections: int,
    seconds: int,
    folder: Path,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
) -> Paced:
    """Send at a fixed rate with h2load over HTTP/1.1, and time every request.

    A request's time begins when it is sent: one that had to wait for a connection is late without
    showing it, so that latencies mean something only where the rate was reached.
    """
    log = folder / f"{target.name}.latencies"
    log.unlink(missing_ok=True)
    fields = [argument for name, value in (headers or {}).items() for argument in ("-H", f"{name}: {value}")]
    options = ["--h1", "-t1", f"-c{connections}", f"--rps={rate / connections:g}", f"-D{seconds}", f"--log-file={log}"]
    before = target.cpu()
    result = subprocess.run(
        [tool("taskset"), "-c", str(core), tool("h2load"), *options, *fields, f"{target.url}{path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    used = target.cpu() - before
    rows = [line.split() for line in log.read_text().splitlines()] if log.is_file() else []
    # h2load says 0 for a status line without a reason phrase, as Hypercorn's is.
    wrong = sum(row[1] not in ("200", "0") for row in rows)
    if not rows or wrong > connections:
        raise BenchError(f"h2load: {wrong} of {len(rows)} failed on {target.url}\n{result.stdout}{result.stderr}")
    times = sorted(int(row[2]) / 1000 for row in rows if row[1] in ("200", "0"))
    return Paced(used / len(times) * 1e6, len(times) / seconds, times)
