"""Load from wrk, and what it counted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import BenchError, Server, tool

_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw: requests that were answered, requests a second, latencies in ms, answers other than 2xx and 3xx."""

    requests: int
    rps: float
    p50_ms: float
    p99_ms: float
    refused: int


@dataclass(frozen=True, slots=True)
class Round:
    """One contestant in one round: CPU of its whole tree for each request that was answered, in µs."""

    cpu_us: float
    load: Load


def saturate(
    target: Server,
    core: int,
    *,
    connections: int,
    seconds: float,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    status: int = 200,
) -> Round:
    """Load a server with one thread of wrk that always asks, and measure what that cost.

    Raises `BenchError` when anything went wrong on the way, or an answer was not of the kind of ``status``: a server
    is not fast for refusing.
    """
    before = target.cpu()
    load = wrk(f"{target.url}{path}", core, connections=connections, seconds=seconds, headers=headers)
    used = target.cpu() - before
    wrong = load.refused if status < 400 else load.requests - load.refused
    if wrong or not load.requests:
        raise BenchError(f"{target.name}: {wrong} of {load.requests} answers were not like {status}\n{target.log()}")
    return Round(used / load.requests * 1e6, load)


def wrk(url: str, core: int, *, connections: int, seconds: float, headers: Mapping[str, str] | None = None) -> Load:
    """Run wrk on a core.

    Its durations are whole seconds, so that it is stopped by a signal after ``seconds``; it then reports as usual.
    """
    fields = [argument for name, value in (headers or {}).items() for argument in ("-H", f"{name}: {value}")]
    pinned = [tool("taskset"), "-c", str(core), tool("timeout"), "-s", "INT", f"{seconds:.2f}"]
    command = [*pinned, tool("wrk"), "-t1", f"-c{connections}", "-d600s", "-s", str(_SCRIPT), *fields, url]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
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
