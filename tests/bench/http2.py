"""What a request costs over HTTP/2: our gateway with 0 and 3 guests, our server alone, stock
Hypercorn, and nginx.

``python -m tests.bench.http2 [--json FILE] [--quick]``. h2load asks by prior knowledge, on 8
connections with 10 streams each. The gateway and nginx are proxies in front of an nginx that
answers by itself; Hypercorn and our server run one plain ASGI application that says hello, so that
Hypercorn is compared with less work than the gateway does.

Cores, rounds and ratios are as in `tests.bench.gateway`. A run is a number of requests, sized to
the contestant's rate and below what servers allow on one connection, for h2load stops at GOAWAY.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import contestants
from tests.bench.processes import BenchError, Server, cores, free_port, scratch, server, tool, version_of
from tests.bench.report import Report, median, parse_options, table

CONNECTIONS = 8
STREAMS = 10
# nginx and Sentinel end a connection after 10,000 requests.
MOST_REQUESTS = 9_000 * CONNECTIONS


@dataclass(frozen=True, slots=True)
class Taken:
    """One contestant in one round."""

    rps: float
    cpu_us: float


@contextlib.contextmanager
def hypercorn(folder: Path, core: int) -> Iterator[Server]:
    """Hypercorn as it is installed, on uvloop, but for the thousand requests after which it would
    end a connection.
    """
    contestants.write_plain_hello(folder)
    port = free_port()
    settings = folder / "hypercorn.toml"
    settings.write_text(f"keep_alive_max_requests = {MOST_REQUESTS}\n")
    options = ["--config", str(settings), "--bind", f"127.0.0.1:{port}", "--worker-class", "uvloop", "--workers", "1"]
    command = [sys.executable, "-m", "hypercorn", *options, "plain_hello:app"]
    with server("hypercorn", command, port, folder, core) as running:
        yield running


def load(target: Server, core: int, requests: int) -> Taken:
    """Ask that many times. Raises `BenchError` when any answer was not a 2xx."""
    command = [tool("taskset"), "-c", str(core), tool("h2load"), "-n", str(requests)]
    command += ["-c", str(CONNECTIONS), "-m", str(STREAMS), "-H", "x-api-key: demo-key", f"{target.url}/"]
    before = target.cpu()
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    used = target.cpu() - before
    rate = re.search(r"finished in .*?, ([0-9.]+) req/s", result.stdout)
    good = re.search(r"status codes: (\d+) 2xx", result.stdout)
    if rate is None or good is None or int(good[1]) != requests:
        raise BenchError(f"{target.name}: {result.stdout}{result.stderr}\n{target.log()}")
    return Taken(float(rate[1]), used / requests * 1e6)


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What a request costs over HTTP/2.")
    # Many short turns, and who is compared side by side: the machine's speed changes from one second to the next.
    rounds, seconds = (3, 1.0) if options.quick else (15, 1.0)
    report = Report()
    tested, loading = cores()
    results: dict[str, list[Taken]] = {}
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        enter = stack.enter_context
        behind = enter(contestants.upstream(folder, loading)).port
        three = contestants.chain_entries(3)
        servers = [
            enter(contestants.nginx_proxy(folder, tested, behind, http2=True)),
            enter(contestants.sentinel("sentinel", folder, tested, behind)),
            enter(contestants.sentinel("sentinel_guests_3", folder, tested, behind, three)),
            enter(contestants.server_hello(folder, tested)),
            enter(hypercorn(folder, tested)),
        ]
        counts = {}
        for each in servers:
            rate = load(each, loading, 40 * CONNECTIONS * STREAMS // 4).rps
            counts[each.name] = max(800, min(MOST_REQUESTS, int(rate * seconds)))
        for _ in range(rounds):
            for each in servers:
                results.setdefault(each.name, []).append(load(each, loading, counts[each.name]))
    report.versions |= {"nginx": version_of(tool("nginx"), "-v"), "h2load": version_of(tool("h2load"), "--version")}
    rows = []
    for contestant, taken in results.items():
        rps, cpu = median(each.rps for each in taken), median(each.cpu_us for each in taken)
        report.add(f"http2.{contestant}_rps", rps)
        report.add(f"http2.{contestant}_cpu_us", cpu)
        spread = [each.rps for each in taken]
        rows.append((contestant, rps, cpu, f"{min(spread):.0f} to {max(spread):.0f}"))
    table(("", "requests/s", "CPU µs", "requests/s, all rounds"), rows)
    print()
    pairs = zip(results["sentinel"], results["hypercorn"], strict=True)
    over = median(ours.rps / stock.rps for ours, stock in pairs)
    report.add("http2.ratio.sentinel_over_hypercorn", over)
    report.bar("the gateway's requests/s over stock Hypercorn's hello", over, at_least=1.0)
    pairs = zip(results["sentinel"], results["nginx"], strict=True)
    over = median(ours.rps / theirs.rps for ours, theirs in pairs)
    report.add("http2.ratio.sentinel_over_nginx", over)
    report.bar("the gateway's requests/s over nginx's, both as proxies", over, at_least=0.8)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
