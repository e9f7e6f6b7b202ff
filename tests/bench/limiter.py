"""What one check of a limit costs: the shared table in C and from Python, beside what else a Python
gateway could use.

``python -m tests.bench.limiter [--json FILE] [--quick]``. The question behind it: a global lock, or
a sharded map? The contestants:

- ``python``: `SharedTable.check`, one table for all processes.
- ``lock``: one lock for all processes over counters in shared memory, the plain way to be exact
  across workers.
- ``sharded``: dicts in one process, a lock for each of 16 shards, tried by threads; it counts for
  one process only.
- ``limits``: the ``limits`` package, fixed windows in memory; for one process only, too.

C figures are processor time per check in each of 1, 2 and 4 processes. Python figures are the time
on the wall divided by all checks of all processes, or threads: where they fall with more of them,
the contestant scales. No request is ever refused, which is the dearer path. A figure is the median
of the rounds; contestants take turns in each.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkContext
from pathlib import Path

import limits
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from sentinel_host.limiter import Limit, SharedTable
from sentinel_host.limiter.limit import MAX_REQUESTS
from tests.bench import contestants
from tests.bench.load import saturate
from tests.bench.processes import cores, scratch
from tests.bench.report import Report, median, parse_options, table

NATIVE = Path(__file__).resolve().parents[2] / "host" / "native" / "limiter"
PROCESSES = (1, 2, 4)
KEYS = (1, 1_000, 100_000, 1_000_000)
RIVAL_KEYS = 1_000
WINDOW = 3600
SHARDS = 16

Check = Callable[[bytes], object]
FORK: ForkContext = multiprocessing.get_context("fork")


def native_check(keys: int) -> Check:
    shared = SharedTable.create(2 * keys)
    limit = Limit(MAX_REQUESTS, WINDOW)
    return lambda key: shared.check(limit, key) >= 0


def locked_check(keys: int) -> Check:
    """A window's end and a count for each place; two keys that fall into one place share it, which
    favours this one.
    """
    places = 2 * keys
    counters = FORK.RawArray("d", 2 * places)
    lock = FORK.Lock()

    def check(key: bytes) -> bool:
        now = time.monotonic()
        place = hash(key) % places * 2
        with lock:
            if counters[place] <= now:
                counters[place] = now + WINDOW
                counters[place + 1] = 0
            if counters[place + 1] >= MAX_REQUESTS:
                return False
            counters[place + 1] += 1
            return True

    return check


def sharded_check(keys: int) -> Check:
    del keys
    shards = [(threading.Lock(), dict[bytes, tuple[float, int]]()) for _ in range(SHARDS)]

    def check(key: bytes) -> bool:
        now = time.monotonic()
        lock, counters = shards[hash(key) % SHARDS]
        with lock:
            end, used = counters.get(key, (0.0, 0))
            if end <= now:
                end, used = now + WINDOW, 0
            if used >= MAX_REQUESTS:
                return False
            counters[key] = (end, used + 1)
            return True

    return check


def package_check(keys: int) -> Check:
    del keys
    limiter = FixedWindowRateLimiter(MemoryStorage())
    limit = limits.RateLimitItemPerHour(MAX_REQUESTS)
    return lambda key: limiter.hit(limit, key.decode())


def keys_of(count: int) -> list[bytes]:
    """As many keys as are checked before they repeat, in an order that is not the memory's."""
    return [b"4%d" % (number * 7919 % count) for number in range(count)]


def run(check: Check, keys: Sequence[bytes], checks: int) -> tuple[float, float]:
    """Check that often; returns when it began and ended."""
    key_of = itertools.cycle(keys).__next__
    begin = time.monotonic()
    for _ in range(checks):
        check(key_of())
    return begin, time.monotonic()


def microseconds(times: Sequence[tuple[float, float]], checks: int) -> float:
    return (max(end for _, end in times) - min(begin for begin, _ in times)) / (checks * len(times)) * 1e6


def in_processes(check: Check, keys: Sequence[bytes], checks: int, count: int) -> float:
    barrier = FORK.Barrier(count)
    answers = FORK.SimpleQueue()

    def work() -> None:
        barrier.wait()
        answers.put(run(check, keys, checks))

    workers = [FORK.Process(target=work) for _ in range(count)]
    for worker in workers:
        worker.start()
    times = [answers.get() for _ in workers]
    for worker in workers:
        worker.join()
    return microseconds(times, checks)


def in_threads(check: Check, keys: Sequence[bytes], checks: int, count: int) -> float:
    barrier = threading.Barrier(count)
    times: list[tuple[float, float]] = []

    def work() -> None:
        barrier.wait()
        times.append(run(check, keys, checks))

    workers = [threading.Thread(target=work) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return microseconds(times, checks)


def loop_overhead(keys: Sequence[bytes], checks: int) -> float:
    """What the loop around a check costs; taken off every figure."""
    return microseconds([run(lambda key: None, keys, checks)], checks)


CONTESTANTS: dict[str, tuple[Callable[[int], Check], Callable[[Check, Sequence[bytes], int, int], float]]] = {
    "python": (native_check, in_processes),
    "lock": (locked_check, in_processes),
    "sharded": (sharded_check, in_threads),
    "limits": (package_check, in_threads),
}


def build(folder: Path) -> Path:
    program = folder / "bench"
    sixteen_bytes = ["-mcx16"] if platform.machine() == "x86_64" else []
    sources = [NATIVE / "tests" / "bench.c", *sorted((NATIVE / "src").glob("*.c"))]
    compiler = os.environ.get("CC", "gcc")
    subprocess.run([compiler, "-std=c11", "-O2", *sixteen_bytes, "-o", program, *sources], check=True)
    return program


def c_nanoseconds(program: Path, processes: int, keys: int, checks: int) -> float:
    command = [str(program), str(processes), str(keys), str(checks)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return median(float(line) for line in done.stdout.split())


def measure_c(report: Report, rounds: int, checks: int) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        for keys in KEYS:
            row = [median(c_nanoseconds(program, count, keys, checks) for _ in range(rounds)) for count in PROCESSES]
            rows.append((f"{keys:,} keys", *row))
            for count, value in zip(PROCESSES, row, strict=True):
                report.add(f"limiter.c_ns_{keys}_keys_{count}p", value)
    table(("ns a check in C", *[f"{count} proc." for count in PROCESSES]), rows)
    report.add("limiter.c_ns", report.figures["limiter.c_ns_1000_keys_1p"])
    report.bar("ns a check in C, one process, 1,000 keys", report.figures["limiter.c_ns"], at_most=100)


def measure_python(report: Report, rounds: int, checks: int) -> None:
    found: dict[tuple[str, int, int], list[float]] = {}
    entries = [("python", keys) for keys in KEYS] + [(name, RIVAL_KEYS) for name in CONTESTANTS if name != "python"]
    prepared = [(name, keys, CONTESTANTS[name][0](keys), keys_of(keys)) for name, keys in entries]
    for _, _, check, keys_list in prepared:
        for key in keys_list:
            check(key)
    for _ in range(rounds):
        overhead = loop_overhead(prepared[0][3], checks)
        for name, keys, check, keys_list in prepared:
            # What never uses a second core spends the loop's time on one.
            share = min(os.cpu_count() or 1, 4) if CONTESTANTS[name][1] is in_processes else 1
            for count in PROCESSES:
                value = CONTESTANTS[name][1](check, keys_list, checks // count, count)
                found.setdefault((name, keys, count), []).append(value - overhead / min(count, share))
    rows = []
    for name, keys in entries:
        row = [median(found[name, keys, count]) for count in PROCESSES]
        rows.append((f"{name}, {keys:,} keys", *row))
        for count, value in zip(PROCESSES, row, strict=True):
            unit = "t" if CONTESTANTS[name][1] is in_threads else "p"
            label = f"{name}_us_{keys}_keys" if name == "python" else f"{name}_us"
            report.add(f"limiter.{label}_{count}{unit}", value)
    table(("µs a check from Python", *[f"{count}" for count in PROCESSES]), rows)
    report.add("limiter.python_us", report.figures["limiter.python_us_1000_keys_1p"])
    report.bar("µs a check from Python, one process, 1,000 keys", report.figures["limiter.python_us"], at_most=1)


def check_forever(shared: SharedTable, limit: Limit, keys: Sequence[bytes]) -> None:
    while True:
        for key in keys:
            shared.check(limit, key)


def measure_killed(report: Report, kills: int) -> None:
    """What a check costs right after a process died in the middle of one: nobody waits for what it
    was at.
    """
    shared, limit, keys = SharedTable.create(4096), Limit(2, 0.001), keys_of(500)
    taken = []
    for _ in range(kills):
        process = FORK.Process(target=check_forever, args=(shared, limit, keys))
        process.start()
        time.sleep(0.005)
        process.kill()
        process.join()
        begun = time.thread_time()
        for key in keys:
            shared.check(limit, key)
        taken.append((time.thread_time() - begun) / len(keys) * 1e6)
    table(("µs a check after a kill", "longest"), [(median(taken), max(taken))])
    report.add("limiter.after_kill_us", median(taken))
    report.bar("µs a check after a kill, the longest", max(taken), at_most=10)


def measure_gateway(report: Report, rounds: int, seconds: int) -> None:
    """What a limit by client address adds to the CPU of a whole request, with none and with one in
    turn.

    Many short rounds, each in the other order: the machine's speed drifts by more than what is
    looked for, and a drift over one second is smaller than one over three.
    """
    limit = '{ requests = 16777215, window = "1h" }'
    tested, loading = cores()
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        behind = stack.enter_context(contestants.upstream(folder, loading)).port
        without = stack.enter_context(contestants.sentinel("without", folder, tested, behind))
        limited = stack.enter_context(contestants.sentinel("limited", folder, tested, behind, limit=limit))
        ratios: list[float] = []
        for number in range(rounds + 1):
            pair = (without, limited) if number % 2 else (limited, without)
            costs = [saturate(each, loading, connections=32, seconds=seconds).cpu_us for each in pair]
            # The first round warms up.
            if number:
                ratios.append(costs[1] / costs[0] if number % 2 else costs[0] / costs[1])
    percent = (median(ratios) - 1) * 100
    table(
        ("CPU of a request, with a limit over without", "all rounds"),
        [(percent, f"{min(ratios):.3f} to {max(ratios):.3f}")],
    )
    report.add("limiter.gateway_cpu_pct", percent)
    report.bar("% of a request's CPU that a limit adds", percent, at_most=3)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_options(
        "What one check of a limit costs, beside a lock, a sharded dict and the limits package.", arguments
    )
    report = Report(versions={"limits": limits.__version__})
    measure_c(report, 1 if options.quick else 3, 500_000 if options.quick else 3_000_000)
    measure_python(report, 2 if options.quick else 5, 50_000 if options.quick else 200_000)
    measure_killed(report, 8 if options.quick else 40)
    measure_gateway(report, 4 if options.quick else 40, 1)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
