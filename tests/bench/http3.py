"""What a request costs over HTTP/3: our gateway with 0 and 3 guests, Caddy, and Envoy.

``python -m tests.bench.http3 [--json FILE] [--quick]``. Debian's nginx, HAProxy and curl do not
speak HTTP/3, so that the client is aioquic's: `tests.bench.http3_client`, on 8 connections with 10
streams each. It uses more CPU for a request than any of the servers does, and bounds the rate:
compare the CPU, not the rates. All contestants are proxies in front of an nginx that answers by
itself, and take their datagrams on one thread.

Cores, rounds and ratios are as in `tests.bench.gateway`.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.bench import contestants, peer_servers
from tests.bench.processes import BenchError, Server, cores, scratch, tool, version_of
from tests.bench.report import Report, median, parse_options, table
from tests.support.certificates import self_signed

CONNECTIONS = 8
STREAMS = 10


@dataclass(frozen=True, slots=True)
class Taken:
    """One contestant in one round."""

    rps: float
    cpu_us: float


def load(target: Server, core: int, requests: int) -> Taken:
    """Ask that many times. Raises `BenchError` when any answer was not a 200."""
    command = [tool("taskset"), "-c", str(core), sys.executable, "-m", "tests.bench.http3_client"]
    command += [str(target.port), str(requests), str(CONNECTIONS), str(STREAMS)]
    before = target.cpu()
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=contestants.ROOT)
    used = target.cpu() - before
    if result.returncode:
        raise BenchError(f"{target.name}: {result.stdout}{result.stderr}\n{target.log()}")
    return Taken(requests / float(result.stdout), used / requests * 1e6)


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What a request costs over HTTP/3.")
    rounds, requests = (2, 800) if options.quick else (5, 4_000)
    report = Report()
    tested, loading = cores()
    results: dict[str, list[Taken]] = {}
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        enter = stack.enter_context
        behind = enter(contestants.upstream(folder, loading)).port
        pair = self_signed(folder, rsa=True)
        three = contestants.chain_entries(3)
        servers = [
            enter(contestants.sentinel("sentinel", folder, tested, behind, http3=pair)),
            enter(contestants.sentinel("sentinel_guests_3", folder, tested, behind, three, http3=pair)),
            enter(peer_servers.caddy(folder, tested, behind, http3=pair)),
            enter(peer_servers.envoy("envoy", folder, tested, behind, http3=pair)),
        ]
        for each in servers:
            load(each, loading, 2 * CONNECTIONS * STREAMS)
        for _ in range(rounds):
            for each in servers:
                results.setdefault(each.name, []).append(load(each, loading, requests))
    report.versions |= {
        "nginx": version_of(tool("nginx"), "-v"),
        "caddy": version_of(peer_servers.in_environment("caddy"), "version"),
        "envoy": version_of(peer_servers.in_environment("envoy"), "--version"),
    }
    rows = []
    for contestant, taken in results.items():
        rps, cpu = median(each.rps for each in taken), median(each.cpu_us for each in taken)
        report.add(f"http3.{contestant}_rps", rps)
        report.add(f"http3.{contestant}_cpu_us", cpu)
        spread = [each.cpu_us for each in taken]
        rows.append((contestant, rps, cpu, f"{min(spread):.0f} to {max(spread):.0f}"))
    table(("", "requests/s", "CPU µs", "CPU µs, all rounds"), rows)
    for peer in ("caddy", "envoy"):
        pairs = zip(results["sentinel"], results[peer], strict=True)
        over = median(ours.cpu_us / theirs.cpu_us for ours, theirs in pairs)
        report.add(f"http3.ratio.cpu_sentinel_over_{peer}", over)
        print(f"CPU of a request over {peer.capitalize()}'s: {over:.3g}")
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
