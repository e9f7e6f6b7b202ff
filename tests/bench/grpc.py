"""What gRPC costs: unary calls, messages of a stream, and latency at a fixed rate, beside Envoy and
nginx.

``python -m tests.bench.grpc [--json FILE] [--quick]``. h2load asks by prior knowledge, on 8
connections with 10 streams each, and sends messages of 100 bytes. The service behind all of them is
our own server with an application that echoes. No contestant has filters or guests, but for
``sentinel_guests_3``.

Cores, rounds and ratios are as in `tests.bench.gateway`.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import contestants
from tests.bench.peer_servers import envoy, in_environment
from tests.bench.processes import BenchError, Server, cores, scratch, tool, version_of
from tests.bench.report import Report, median, parse_options, table

CONNECTIONS = 8
STREAMS = 10
# nginx and Sentinel end a connection after 10,000 requests.
MOST_CALLS = 9_000 * CONNECTIONS
MESSAGES = 20_000
RATE = 800
_MESSAGE = b"\0\0\0\0\x64" + b"m" * 100
_FIELDS = ("-H", "content-type: application/grpc", "-H", "te: trailers", "-H", "x-api-key: demo-key")


@dataclass(frozen=True, slots=True)
class Taken:
    """One contestant in one round; ``p50`` and ``p99`` are microseconds at `RATE`."""

    cpu_us: float
    messages: float
    p50: float
    p99: float


class Client:
    """h2load on a core of its own."""

    def __init__(self, folder: Path, core: int) -> None:
        self._core = str(core)
        self._log = folder / "h2load.log"
        self._message = folder / "message"
        self._message.write_bytes(_MESSAGE)

    def check(self, target: Server) -> None:
        """One call. Raises `BenchError` unless the service's status arrives: h2load sees 200
        alone.
        """
        command = [tool("curl"), "-s", "-D", "-", "-o", "/dev/null", "--http2-prior-knowledge", *_FIELDS]
        command += ["--data-binary", f"@{self._message}", f"{target.url}/test.Echo/"]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        if "grpc-status: 0" not in said:
            raise BenchError(f"{target.name}: the call failed: {said}\n{target.log()}")

    def ask(self, target: Server, count: int, path: str, *options: str) -> float:
        """So many calls; seconds that they took."""
        command = [tool("taskset"), "-c", self._core, tool("h2load"), "-n", str(count), "-d", str(self._message)]
        command += [*options, *_FIELDS, f"{target.url}/test.Echo/{path}"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        took = re.search(r"finished in ([0-9.]+)(m?s)", result.stdout)
        good = re.search(r"status codes: (\d+) 2xx", result.stdout)
        if took is None or good is None or int(good[1]) != count:
            raise BenchError(f"{target.name}: {result.stdout}{result.stderr}\n{target.log()}")
        return float(took[1]) * (1e-3 if took[2] == "ms" else 1)

    def latencies(self, target: Server, seconds: float) -> list[float]:
        """Microseconds of each call at `RATE`, sorted."""
        self._log.unlink(missing_ok=True)
        each = RATE // CONNECTIONS
        count = int(RATE * seconds)
        self.ask(target, count, "", "-c", str(CONNECTIONS), "--rps", str(each), "--log-file", str(self._log))
        return sorted(float(line.split("\t")[2]) for line in self._log.read_text().splitlines())


def measure(client: Client, target: Server, calls: int, seconds: float) -> Taken:
    """One round of one contestant."""
    before = target.cpu()
    client.ask(target, calls, "", "-c", str(CONNECTIONS), "-m", str(STREAMS))
    cpu = (target.cpu() - before) / calls * 1e6
    took = client.ask(target, 1, str(MESSAGES), "-c", "1", "-w", "24", "-W", "24")
    sorted_times = client.latencies(target, seconds)
    return Taken(cpu, MESSAGES / took, _at(sorted_times, 0.5), _at(sorted_times, 0.99))


def _at(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What gRPC costs.")
    rounds, seconds = (2, 1.0) if options.quick else (5, 3.0)
    report = Report()
    tested, loading = cores()
    results: dict[str, list[Taken]] = {}
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        enter = stack.enter_context
        behind = enter(contestants.grpc_service(folder, loading)).port
        http2 = 'protocol = "http/2"'
        three = contestants.chain_entries(3)
        servers = [
            enter(contestants.sentinel("sentinel", folder, tested, behind, settings=http2)),
            enter(contestants.sentinel("sentinel_guests_3", folder, tested, behind, three, settings=http2)),
            enter(envoy("envoy", folder, tested, behind, http2=True)),
            enter(contestants.nginx_grpc(folder, tested, behind)),
        ]
        client = Client(folder, loading)
        counts = {}
        for each in servers:
            client.check(each)
            few = 40 * CONNECTIONS
            took = client.ask(each, few, "", "-c", str(CONNECTIONS), "-m", str(STREAMS))
            # The kernel shows CPU in hundredths of a second.
            counts[each.name] = max(2_000, min(MOST_CALLS, int(few / took * seconds)))
        for _ in range(rounds):
            for each in servers:
                results.setdefault(each.name, []).append(measure(client, each, counts[each.name], seconds))
    report.versions |= {
        "envoy": version_of(in_environment("envoy"), "--version"),
        "nginx": version_of(tool("nginx"), "-v"),
        "h2load": version_of(tool("h2load"), "--version"),
    }
    rows = []
    for contestant, taken in results.items():
        cpu, messages = median(each.cpu_us for each in taken), median(each.messages for each in taken)
        p50, p99 = median(each.p50 for each in taken), median(each.p99 for each in taken)
        report.add(f"grpc.cpu_us.{contestant}", cpu)
        report.add(f"grpc.stream_msgs_per_s.{contestant}", messages)
        report.add(f"grpc.p50_us.{contestant}", p50)
        report.add(f"grpc.p99_us.{contestant}", p99)
        rows.append((contestant, cpu, messages, p50, p99))
    table(("", "CPU µs a call", "messages/s on a stream", f"p50 µs at {RATE}/s", "p99 µs"), rows)
    print()
    pairs = zip(results["sentinel"], results["envoy"], strict=True)
    report.bar("CPU of a unary call over Envoy's", median(a.cpu_us / b.cpu_us for a, b in pairs), at_most=1.0)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
