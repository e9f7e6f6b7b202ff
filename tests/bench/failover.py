"""How well Sentinel, Envoy, nginx and HAProxy fail over: ``python -m tests.bench.failover [--json
FILE] [--quick]``.

Each stands before three endpoints at a steady rate of idempotent requests. In each phase one
endpoint fails in another way and comes back. Then all three restart in turn, and at last all are
killed and one comes back. A request has failed that was not answered with 200 within ten seconds.
An endpoint is out once less than one in a hundred requests within half a second is hurt by it, or
reaches it where it can count; it is back once it has four fifths of its share. ``never`` is the
length of the phase.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.contestants import ROOT
from tests.bench.failover_peers import CONTESTANTS
from tests.bench.processes import BenchError, Server, cores, free_port, tool, version_of
from tests.bench.report import Report, parse_options, table
from tests.bench.steady import Outcome, Steady

RATE = 200
_WARM = 1.5
_FAULT, _AFTER = 6.0, 8.0
_WINDOW = 0.5
# Half of what a try may take: a request that took so long was hurt by an endpoint.
_HURT = 0.5
_ENDPOINTS = 3
_SCHEMA = {
    "failover.PEER.PHASE.failed": "requests of a phase that were not answered with 200",
    "failover.PEER.PHASE.p99_ms": "latency of those that were; likewise p999_ms",
    "failover.PEER.PHASE.seconds_to_eject": "from the fault until the endpoint is out",
    "failover.PEER.down.refused_p99_ms": "time of answers while every endpoint is killed",
    "failover.PEER.down.seconds_to_return": "from when the first endpoint is back until a request is answered with 200",
    "failover.PEER.PHASE.seconds_to_return": "from the end of the fault until the endpoint has its share back",
}


class Endpoint:
    """A process of `tests.bench.endpoint`."""

    def __init__(self, number: int, core: int, folder: Path) -> None:
        self.name = f"e{number}"
        self.port = free_port()
        self._core = core
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, on the port of before."""
        command = [tool("taskset"), "-c", str(self._core), sys.executable, "-m", "tests.bench.endpoint"]
        self._process = subprocess.Popen(
            [*command, str(self.port), self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self._folder / f"{self.name}.err").open("a"),
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise BenchError(f"{self.name} did not start")

    def order(self, what: str) -> str:
        """Tell it how to behave; returns its answer."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{what}\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, which taskset has become."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """As a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None


@dataclass(frozen=True, slots=True)
class Phase:
    """A fault of the first endpoint, and its end. ``counts`` is true where the endpoint can count
    what reaches it.
    """

    begin: Callable[[Endpoint], object]
    end: Callable[[Endpoint], object]
    counts: bool = False


PHASES = {
    "killed": Phase(Endpoint.kill, Endpoint.start),
    "stopped": Phase(lambda each: each.signal(signal.SIGSTOP), lambda each: each.signal(signal.SIGCONT)),
    "refused": Phase(lambda each: each.order("refuse"), lambda each: each.order("ok")),
    "erroring": Phase(lambda each: each.order("error"), lambda each: each.order("ok"), counts=True),
    "slow": Phase(lambda each: each.order("slow"), lambda each: each.order("ok"), counts=True),
    "closing": Phase(lambda each: each.order("close"), lambda each: each.order("ok"), counts=True),
}


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of a contestant in a phase."""

    failed: int
    requests: int
    p99_ms: float
    p999_ms: float
    eject: float
    back: float


def main() -> int:
    options = parse_options(__doc__ or "")
    report = Report(schema=_SCHEMA)
    programs = {"nginx": ("nginx", "-v"), "haproxy": ("haproxy", "-v")}
    report.versions |= {name: version_of(tool(program), *rest) for name, (program, *rest) in programs.items()}
    phases = ["killed", "erroring"] if options.quick else [*PHASES, "rolling"]
    results: dict[tuple[str, str], Result] = {}
    down: dict[str, tuple[float, float]] = {}
    under_test, beside = cores()
    os.sched_setaffinity(0, {beside})
    with tempfile.TemporaryDirectory(prefix="sentinel-failover-") as place:
        for peer in CONTESTANTS:
            for phase in phases:
                results[peer, phase] = asyncio.run(measure(peer, phase, Path(place), under_test, beside))
            down[peer] = asyncio.run(measure_down(peer, Path(place), under_test, beside))
    _print(results, phases)
    rows = [(peer, f"{p99:.1f}", f"{back:.2f}") for peer, (p99, back) in down.items()]
    table(["peer", "all down: p99 ms", "s to return"], rows)
    for (peer, phase), result in results.items():
        prefix = f"failover.{peer}.{phase}"
        report.add(f"{prefix}.failed", result.failed)
        report.add(f"{prefix}.p99_ms", result.p99_ms)
        report.add(f"{prefix}.p999_ms", result.p999_ms)
        report.add(f"{prefix}.seconds_to_eject", result.eject)
        report.add(f"{prefix}.seconds_to_return", result.back)
    for phase in phases:
        _judge(report, results, phase)
    for peer, (p99, back) in down.items():
        report.add(f"failover.{peer}.down.refused_p99_ms", p99)
        report.add(f"failover.{peer}.down.seconds_to_return", back)
    report.bar("all down: milliseconds to refuse, p99", down["sentinel"][0], at_most=10.0)
    # Within one check: they are a second apart, give or take a tenth; then it is seen and served.
    report.bar("all down: seconds until the first that is back serves", down["sentinel"][1], at_most=1.5)
    return report.finish(options)


def _judge(report: Report, results: dict[tuple[str, str], Result], phase: str) -> None:
    ours = results["sentinel", phase]
    others = [result for (peer, of), result in results.items() if of == phase and peer != "sentinel"]
    allowed = ours.requests // 100 if phase == "stopped" else 0
    report.bar(f"{phase}: failed", ours.failed, at_most=allowed)
    report.bar(f"{phase}: failed, beside the best peer", ours.failed, at_most=min(each.failed for each in others))
    if phase not in ("closing", "rolling", "slow"):
        # Measured in windows: one of them is no difference.
        best = min(each.eject for each in others) + _WINDOW
        report.bar(f"{phase}: seconds to eject, beside the best peer", ours.eject, at_most=best)


def _print(results: dict[tuple[str, str], Result], phases: Sequence[str]) -> None:
    rows = [
        (
            phase,
            peer,
            f"{result.failed} of {result.requests}",
            f"{result.p99_ms:.1f}",
            f"{result.p999_ms:.1f}",
            f"{result.eject:.1f}",
            f"{result.back:.1f}",
        )
        for phase in phases
        for (peer, of), result in results.items()
        if of == phase
    ]
    table(["phase", "peer", "failed", "p99 ms", "p99.9 ms", "s to eject", "s to return"], rows)


@contextlib.contextmanager
def _endpoints(core: int, folder: Path) -> Iterator[list[Endpoint]]:
    made = [Endpoint(number, core, folder) for number in range(_ENDPOINTS)]
    try:
        for each in made:
            each.start()
        yield made
    finally:
        for each in made:
            each.kill()


async def measure(peer: str, phase: str, folder: Path, under_test: int, beside: int) -> Result:
    """Run one phase before one contestant; load and endpoints have the core ``beside``."""
    with _endpoints(beside, folder) as endpoints:
        ports = [endpoint.port for endpoint in endpoints]
        with CONTESTANTS[peer](folder, under_test, ports) as running:
            await _answers(running)
            load = Steady(running.port, RATE)
            load.start()
            await asyncio.sleep(_WARM)
            if phase == "rolling":
                times = await _roll(endpoints)
            else:
                times = await _fail(PHASES[phase], endpoints[0])
            await load.stop()
    return _result(load.outcomes, endpoints[0].name, *times)


async def measure_down(peer: str, folder: Path, under_test: int, beside: int) -> tuple[float, float]:
    """How long refusals take while every endpoint is dead, in milliseconds, and seconds until the
    first one serves.
    """
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as stack:
        endpoints = stack.enter_context(_endpoints(beside, folder))
        ports = [endpoint.port for endpoint in endpoints]
        running = stack.enter_context(CONTESTANTS[peer](folder, under_test, ports))
        await _answers(running)
        for endpoint in endpoints:
            endpoint.kill()
        await asyncio.sleep(_WARM)
        load = Steady(running.port, RATE)
        load.start()
        await asyncio.sleep(_FAULT / 2)
        refused = sorted(outcome.took * 1000 for outcome in load.outcomes)
        await asyncio.to_thread(endpoints[0].start)
        began = loop.time()
        await asyncio.sleep(_AFTER)
        await load.stop()
    good = [outcome.began + outcome.took for outcome in load.outcomes if outcome.endpoint]
    return _percentile(refused, 99), max(0.0, min(good, default=began + _AFTER) - began)


async def _answers(running: Server) -> None:
    """Wait until checks have let every endpoint in."""
    for _ in range(200):
        with contextlib.suppress(OSError):
            if (await asyncio.to_thread(running.fetch))[0] == 200:
                break
        await asyncio.sleep(0.05)
    else:
        raise BenchError(f"{running.name} does not answer:\n{running.log()}")
    await asyncio.sleep(2.5)


Times = tuple[float, float, float]


async def _fail(phase: Phase, endpoint: Endpoint) -> Times:
    """When the fault began and ended, and how long after its beginning requests no longer reached
    the endpoint.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    phase.begin(endpoint)
    reached = _FAULT
    if phase.counts:
        before = int(endpoint.order("count"))
        while loop.time() - began < _FAULT:
            await asyncio.sleep(_WINDOW)
            count = int(endpoint.order("count"))
            if count - before < RATE * _WINDOW / 100:
                reached = min(reached, loop.time() - began - _WINDOW)
            before = count
    else:
        reached = 0.0
        await asyncio.sleep(_FAULT)
    ended = loop.time()
    phase.end(endpoint)
    await asyncio.sleep(_AFTER)
    return began, ended, reached


async def _roll(endpoints: Sequence[Endpoint]) -> Times:
    """Restart all, one after the other, as a deployment does: each is away for a second."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for endpoint in endpoints:
        endpoint.kill()
        await asyncio.sleep(1.0)
        endpoint.start()
        await asyncio.sleep(3.0)
    ended = loop.time()
    await asyncio.sleep(_AFTER)
    return began, ended, 0.0


def _result(outcomes: Sequence[Outcome], name: str, began: float, ended: float, reached: float) -> Result:
    good = sorted(outcome.took * 1000 for outcome in outcomes if outcome.endpoint)
    hurt = [
        outcome.began - began
        for outcome in outcomes
        if began <= outcome.began < ended and (not outcome.endpoint or outcome.took >= _HURT)
    ]
    windows = [number * _WINDOW for number in range(int((ended - began) / _WINDOW))]
    quiet = (
        start
        for start in windows
        if sum(start <= each < start + _WINDOW for each in hurt) < max(1.0, RATE * _WINDOW / 100)
    )
    back = _AFTER
    step = 0.1
    for number in range(int(_AFTER / step) - int(1 / step)):
        start = ended + number * step
        window = [outcome for outcome in outcomes if start <= outcome.began < start + 1 and outcome.endpoint]
        if window and sum(each.endpoint == name for each in window) >= len(window) / _ENDPOINTS * 0.8:
            back = number * step
            break
    return Result(
        failed=sum(not outcome.endpoint for outcome in outcomes),
        requests=len(outcomes),
        p99_ms=_percentile(good, 99),
        p999_ms=_percentile(good, 99.9),
        eject=max(reached, next(quiet, _FAULT)),
        back=back,
    )


def _percentile(values: Sequence[float], percent: float) -> float:
    return values[min(len(values) - 1, int(len(values) * percent / 100))] if values else 0.0


if __name__ == "__main__":
    sys.exit(main())
