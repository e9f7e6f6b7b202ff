"""Sentinel beside its peers: Envoy with proxy-wasm filters, nginx, Caddy, and Quart with middleware
in Python.

``python -m tests.bench.peers [--json FILE] [--quick]``. Every server runs one worker on the first
core; load and the upstream have the second. In each round every scenario is run for every
contestant, in turn and in the other direction every second round. What a contestant's own guests
add is measured in many short turns of it with none and with three: between two scenarios of a round
lie minutes, in which a machine drifts. Before that all answer a request alike, and after each round
everybody who logs has written as many lines as he had requests, into a file.

Envoy's three filters exist twice, by hand in WAT and with the Rust SDK; what is called ``envoy`` is
the one that was cheaper in that scenario. Plots are written beside the JSON file.

Sentinel and Envoy have a limiter in front of their three guests that refuses nobody; Envoy's counts
all clients together, which is cheaper. Without guests nobody writes an access log. Scenarios are at
32 connections with 10 header fields and a body of a few bytes unless their name says otherwise.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import contestants, peer_servers
from tests.bench.load import Paced, Round, pace, saturate, wrk
from tests.bench.plots import draw
from tests.bench.processes import BenchError, Server, cores, scratch, tool, version_of
from tests.bench.proxy_wasm.build import build
from tests.bench.report import Report, median, parse_options, table

RATE = 500
ENVOYS = ("envoy_wat", "envoy_rust")
HEADERS = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-language": "en-GB,en;q=0.7,de;q=0.3",
    "accept-encoding": "gzip, deflate, br, zstd",
    "referer": "https://shop.example/categories/garden",
    "cookie": "session=0123456789abcdef0123456789abcdef; theme=dark",
    "cache-control": "no-cache",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "x-api-key": "demo-key",
}
"""With Host, which clients add, ten fields."""

_UPSTREAM = """\
default_type text/plain;
root {folder}/files;
location = / {{ return 200 "$http_x_gateway|$http_x_principal|$http_x_api_key|$http_x_extra_5|$http_cookie"; }}
location / {{ }}
"""
_SCHEMA = {
    "peers.cpu_us.SCENARIO.CONTESTANT": "CPU of the whole process tree per request at saturation, in microseconds",
    "peers.rps.SCENARIO.CONTESTANT": "requests per second at saturation",
    "peers.paced_cpu_us.SCENARIO.CONTESTANT": f"CPU per request at {RATE} requests per second, in microseconds",
    "peers.paced_rps.SCENARIO.CONTESTANT": "requests per second that were reached at that rate",
    "peers.p50_ms.SCENARIO.CONTESTANT": "latency at that rate; likewise p99_ms and p999_ms",
    "peers.memory_mib.KIND.CONTESTANT": "resident memory of the whole process tree after all rounds",
    "ratios.cpu_per_request.SCENARIO.A_over_B": "median of the ratios within a round; .lowest and .highest beside it",
    "ratios.cpu_per_request.three_guests_over_none.A": "a contestant with three guests over itself without, in turns",
    "ratios.paced_cpu_per_request.SCENARIO.A_over_B": f"the same at {RATE} requests per second, the median alone",
    "ratios.rps.SCENARIO.A_over_B": "the same for requests per second",
    "envoy": "the cheaper of envoy_wat and envoy_rust in that scenario; all figures are medians of the rounds",
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of request to one kind of contestant; ``paced`` ones also run at the fixed rate."""

    name: str
    kind: str
    path: str = "/"
    connections: int = 32
    headers: Mapping[str, str] = field(default_factory=lambda: HEADERS)
    status: int = 200
    paced: bool = False


# More than any run sends within its hour.
_MANY = 16_000_000

_FIFTY = HEADERS | {f"x-custom-field-{number}": f"value-{number}" for number in range(40)}
_NO_KEY = {name: value for name, value in HEADERS.items() if name != "x-api-key"}
SCENARIOS = (
    Scenario("plain", "plain", paced=True),
    Scenario("plain_c256", "plain", connections=256),
    Scenario("plain_64k", "plain", path="/64k"),
    Scenario("three_guests", "three", paced=True),
    Scenario("three_guests_c256", "three", connections=256),
    Scenario("three_guests_1k", "three", path="/1k"),
    Scenario("three_guests_64k", "three", path="/64k"),
    Scenario("three_guests_50_headers", "three", headers=_FIFTY),
    Scenario("refused_by_auth", "three", headers=_NO_KEY, status=401),
    Scenario("refused_by_limiter", "limited", status=429),
    Scenario("eight_guests", "eight", paced=True),
)

Kinds = dict[str, dict[str, Server]]
Rounds = dict[tuple[str, str], list[Round]]
PacedRounds = dict[tuple[str, str], list[Paced]]


def start(stack: contextlib.ExitStack, folder: Path) -> Kinds:
    """Start everything, by kind and contestant."""
    tested, loading = cores()
    enter = stack.enter_context
    filters = build(folder)
    files = folder / "files"
    files.mkdir()
    for name, size in (("1k", 1024), ("64k", 65536)):
        (files / name).write_bytes(b"x" * size)
    behind = enter(contestants.upstream(folder, loading, _UPSTREAM.format(folder=folder))).port

    def sentinel(count: int, limit: int | None = None) -> Server:
        name = f"sentinel_{count}" if limit in (None, _MANY) else "sentinel_limited"
        table = "" if limit is None else f'{{ requests = {limit}, window = "1h", key = "client-ip" }}'
        chain = contestants.chain_entries(count)
        return enter(contestants.sentinel(name, folder, tested, behind, chain, limit=table))

    def envoy(variant: str, count: int, limit: int | None = None) -> Server:
        chain, shared = peer_servers.filter_chain(count), variant == "rust"
        name = f"envoy_{variant}_{count}"
        artefacts = filters[variant]
        return enter(peer_servers.envoy(name, folder, tested, behind, chain, artefacts, share=shared, limit=limit))

    zone = "limit_req_zone $binary_remote_addr zone=clients:1m rate=1r/m; limit_req_log_level info;"

    return {
        "plain": {
            "sentinel": sentinel(0),
            "envoy": enter(peer_servers.envoy("envoy", folder, tested, behind)),
            "nginx": enter(contestants.nginx_proxy(folder, tested, behind)),
            "caddy": enter(peer_servers.caddy(folder, tested, behind)),
        },
        "three": {
            "sentinel": sentinel(3, _MANY),
            "envoy_wat": envoy("wat", 3, _MANY),
            "envoy_rust": envoy("rust", 3, _MANY),
            "quart": enter(peer_servers.python_chain(folder, tested, behind)),
        },
        "limited": {
            "sentinel": sentinel(0, limit=1),
            "envoy": enter(peer_servers.envoy("envoy_limited", folder, tested, behind, limit=1)),
            "nginx": enter(
                contestants.nginx_proxy(
                    folder,
                    tested,
                    behind,
                    "limit_req zone=clients; limit_req_status 429;",
                    name="nginx_limited",
                    outside=zone,
                )
            ),
        },
        "eight": {"sentinel": sentinel(8), "envoy_wat": envoy("wat", 8), "envoy_rust": envoy("rust", 8)},
    }


def check_alike(kinds: Kinds) -> None:
    """In every scenario all contestants give the same status and body, and a refusal says how to do
    better.

    The upstream's body shows which fields guests took off and set. What a limiter says is
    everybody's own.
    """
    for server in kinds["limited"].values():
        if server.fetch()[0] != 200:
            raise BenchError(f"{server.name} refuses the first request")
    for scenario in SCENARIOS:
        answers = {}
        for name, server in kinds[scenario.kind].items():
            status, fields, body = server.fetch(scenario.path, scenario.headers)
            said = (body, fields.get("content-type"), fields.get("www-authenticate"))
            answers[name] = (status, said if scenario.kind != "limited" else None)
        if len(set(answers.values())) != 1 or next(iter(answers.values()))[0] != scenario.status:
            raise BenchError(f"{scenario.name}: contestants do not answer alike: {answers}")


class Ledger:
    """How many requests each contestant that logs was sent since the last round, and how many lines
    it wrote.
    """

    def __init__(self, kinds: Kinds) -> None:
        self._servers = [server for kind in ("three", "eight") for server in kinds[kind].values()]
        self._offsets = dict.fromkeys(self._servers, 0)
        self._sent: dict[Server, int] = {}
        self._unsure: dict[Server, int] = {}

    def add(self, server: Server, requests: int, connections: int) -> None:
        """``requests`` were answered; as many as there are connections may have been cut off and
        logged as well.
        """
        self._sent[server] = self._sent.get(server, 0) + requests
        self._unsure[server] = self._unsure.get(server, 0) + connections

    def begin(self) -> None:
        """Start to count here: what was written before is not looked at."""
        time.sleep(2)
        for server in self._servers:
            self._offsets[server] = server.output.stat().st_size
        self._sent.clear()
        self._unsure.clear()

    def check(self) -> None:
        """Raises `BenchError` for a contestant that wrote fewer or more lines than it had
        requests.
        """
        for server in self._servers:
            wanted = self._sent.get(server, 0)
            end = time.monotonic() + 5
            while (lines := self._lines(server)) < wanted and time.monotonic() < end:
                time.sleep(0.1)
            if not wanted <= lines <= wanted + self._unsure.get(server, 0):
                raise BenchError(f"{server.name} wrote {lines} lines for {wanted} requests\n{server.log()}")

    def _lines(self, server: Server) -> int:
        with server.output.open("rb") as file:
            file.seek(self._offsets[server])
            return sum(b"duration_us" in line for line in file)


def run_round(
    kinds: Kinds, seconds: int, pace_seconds: int, backwards: bool, folder: Path, results: Rounds, paced: PacedRounds
) -> None:
    """Every scenario for every contestant."""
    _, core = cores()
    ledger = Ledger(kinds)
    ledger.begin()
    for scenario in SCENARIOS:
        contestants_in_order = list(kinds[scenario.kind].items())
        for name, server in reversed(contestants_in_order) if backwards else contestants_in_order:
            taken = saturate(
                server,
                core,
                connections=scenario.connections,
                seconds=seconds,
                path=scenario.path,
                headers=scenario.headers,
                status=scenario.status,
            )
            ledger.add(server, taken.load.requests, scenario.connections)
            results.setdefault((scenario.name, name), []).append(taken)
            if scenario.paced:
                steady = pace(
                    server,
                    core,
                    rate=RATE,
                    connections=scenario.connections,
                    seconds=pace_seconds,
                    folder=folder,
                    headers=scenario.headers,
                )
                ledger.add(server, len(steady.latencies_ms), scenario.connections)
                paced.setdefault((scenario.name, name), []).append(steady)
    ledger.check()


def run_turns(kinds: Kinds, turns: int, results: Rounds) -> None:
    """Each contestant without guests and with three, right after each other, a second each."""
    _, core = cores()
    ledger = Ledger(kinds)
    ledger.begin()
    plain, three = kinds["plain"], kinds["three"]
    servers = {
        ("plain_in_turns", "sentinel"): plain["sentinel"],
        ("three_guests_in_turns", "sentinel"): three["sentinel"],
        ("plain_in_turns", "envoy"): plain["envoy"],
        **{("three_guests_in_turns", name): three[name] for name in ENVOYS},
    }
    for _ in range(turns):
        for key, server in servers.items():
            taken = saturate(server, core, connections=32, seconds=1, headers=HEADERS)
            ledger.add(server, taken.load.requests, 32)
            results.setdefault(key, []).append(taken)
    ledger.check()


def add_cheaper_envoy(results: Rounds, paced: PacedRounds) -> None:
    """Call the filters ``envoy`` that had less CPU per request in a scenario."""
    for scenario in SCENARIOS:
        if scenario.kind in ("plain", "limited"):
            continue
        best = min(ENVOYS, key=lambda name: median(each.cpu_us for each in results[scenario.name, name]))
        results[scenario.name, "envoy"] = results[scenario.name, best]
        if scenario.paced:
            paced[scenario.name, "envoy"] = paced[scenario.name, best]
        if scenario.name == "three_guests":
            results["three_guests_in_turns", "envoy"] = results["three_guests_in_turns", best]


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("Sentinel beside its peers.")
    rounds, seconds, pace_seconds, turns = (2, 1, 1, 3) if options.quick else (5, 2, 5, 15)
    results: Rounds = {}
    paced: PacedRounds = {}
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        kinds = start(stack, folder)
        check_alike(kinds)
        for servers in kinds.values():
            for server in servers.values():
                wrk(server.url + "/", cores()[1], connections=256, seconds=1, headers=HEADERS)
        for number in range(rounds):
            run_round(kinds, seconds, pace_seconds, number % 2 == 1, folder, results, paced)
        run_turns(kinds, turns, results)
        memory = {(kind, who): server.memory() for kind in kinds for who, server in kinds[kind].items()}
    add_cheaper_envoy(results, paced)

    report = Report(schema=_SCHEMA)
    for program, option in (("nginx", "-v"), ("wrk", "-v"), ("h2load", "--version")):
        report.versions[program] = version_of(tool(program), option)
    show(report, results, paced)
    for (kind, who), size in memory.items():
        report.add(f"peers.memory_mib.{kind}.{who}", size / (1 << 20))
    judge(report, results, paced)
    if options.json is not None:
        draw(options.json, results, paced, RATE)
    return report.finish(options)


def show(report: Report, results: Rounds, paced: PacedRounds) -> None:
    """Tables and figures."""
    saturated: dict[str, Callable[[Round], float]] = {
        "cpu_us": lambda each: each.cpu_us,
        "rps": lambda each: each.load.rps,
    }
    steady: dict[str, Callable[[Paced], float]] = {
        "paced_cpu_us": lambda each: each.cpu_us,
        "paced_rps": lambda each: each.rps,
        "p50_ms": lambda each: each.percentile(50),
        "p99_ms": lambda each: each.percentile(99),
        "p999_ms": lambda each: each.percentile(99.9),
    }
    rows: list[Sequence[object]] = []
    paced_rows: list[Sequence[object]] = []
    for (scenario, who), taken in results.items():
        medians = {what: median(map(of, taken)) for what, of in saturated.items()}
        for what, value in medians.items():
            report.add(f"peers.{what}.{scenario}.{who}", value)
        if who != "envoy" or scenario.startswith("plain") or scenario == "refused_by_limiter":
            rows.append((scenario, who, *medians.values()))
    for (scenario, who), runs in paced.items():
        medians = {what: median(map(of, runs)) for what, of in steady.items()}
        for what, value in medians.items():
            report.add(f"peers.{what}.{scenario}.{who}", value)
        if who != "envoy" or scenario.startswith("plain"):
            paced_rows.append((scenario, who, *medians.values()))
    print("at saturation:")
    table(("", "", "CPU µs", "requests/s"), rows)
    print(f"\nat {RATE} requests/s:")
    table(("", "", "CPU µs", "requests/s", "p50 ms", "p99 ms", "p99.9 ms"), paced_rows)
    print()


def judge(report: Report, results: Rounds, paced: PacedRounds) -> None:
    """Ratios within rounds, with their spread, beside their bars."""

    def ratio(name: str, above: tuple[str, str], below: tuple[str, str], of: Callable[[Round], float]) -> float:
        values = [of(a) / of(b) for a, b in zip(results[above], results[below], strict=True)]
        middle = median(values)
        report.add(f"ratios.{name}", middle)
        report.add(f"ratios.{name}.lowest", min(values))
        report.add(f"ratios.{name}.highest", max(values))
        return middle

    def cpu(name: str, above: tuple[str, str], below: tuple[str, str]) -> float:
        return ratio(f"cpu_per_request.{name}", above, below, lambda each: each.cpu_us)

    beside_envoy = {
        scenario.name: cpu(
            f"{scenario.name}.sentinel_over_envoy", (scenario.name, "sentinel"), (scenario.name, "envoy")
        )
        for scenario in SCENARIOS
    }
    beside_nginx = cpu("plain.sentinel_over_nginx", ("plain", "sentinel"), ("plain", "nginx"))
    cpu("plain.sentinel_over_caddy", ("plain", "sentinel"), ("plain", "caddy"))
    cpu("three_guests.sentinel_over_quart", ("three_guests", "sentinel"), ("three_guests", "quart"))
    growth = {
        who: cpu(f"three_guests_over_none.{who}", ("three_guests_in_turns", who), ("plain_in_turns", who))
        for who in ("sentinel", "envoy")
    }
    ratio(
        "rps.three_guests.sentinel_over_envoy",
        ("three_guests", "sentinel"),
        ("three_guests", "envoy"),
        lambda each: each.load.rps,
    )
    paced_beside_envoy = median(
        ours.cpu_us / theirs.cpu_us
        for ours, theirs in zip(paced["three_guests", "sentinel"], paced["three_guests", "envoy"], strict=True)
    )
    report.add("ratios.paced_cpu_per_request.three_guests.sentinel_over_envoy", paced_beside_envoy)
    print("CPU per request, Sentinel over Envoy:")
    table(("", "ratio"), list(beside_envoy.items()))
    print()
    report.bar("three guests, CPU over Envoy's", beside_envoy["three_guests"], at_most=0.55)
    report.bar("eight guests, CPU over Envoy's", beside_envoy["eight_guests"], at_most=0.6)
    report.bar("refused by a limiter, CPU over Envoy's", beside_envoy["refused_by_limiter"], at_most=1.0)
    report.bar("64 KiB, CPU over Envoy's", beside_envoy["plain_64k"], at_most=1.0)
    report.bar("64 KiB and three guests, CPU over Envoy's", beside_envoy["three_guests_64k"], at_most=1.0)
    report.bar("three guests at a low rate, CPU over Envoy's", paced_beside_envoy, at_most=0.85)
    report.bar("none to three guests, CPU", growth["sentinel"], at_most=1.25)
    report.bar("no guest, CPU over nginx's", beside_nginx, at_most=2.0)


if __name__ == "__main__":
    sys.exit(main())
