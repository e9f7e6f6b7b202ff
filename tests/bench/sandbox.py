"""What holding guests costs, and what a looping one costs its neighbours.

``python -m tests.bench.sandbox [--json FILE] [--quick]``. In this process: a call that can be
suspended beside the same steps made at once on the caller's stack (compiled here, from the
product's own C), instances made and closed, their memory, and that of many traps; the answers that
take longest to decode. Then a whole gateway: a probe stream at a fixed rate, in turns alone and
beside a route whose guest loops for ever five times a second. A probe's latency counts from when it
was due.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgpack
import uvloop
from cffi import FFI

from sentinel_host.abi.contract import ON_REQUEST
from sentinel_host.abi.decode import decode_request_action
from sentinel_host.abi.encode import encode_config
from sentinel_host.abi.rules import DEFAULT_LIMITS, AbiError
from sentinel_host.errors import GuestTrap
from sentinel_host.native.guest import SUSPENDED, NativeGuest
from sentinel_host.sandbox import GuestEngine
from sentinel_host.sandbox.artefact import Artefact, parse_artefact, read_artefact
from sentinel_host.sandbox.instance import SLOTS, Blueprint
from sentinel_host.sandbox.limits import default_limits
from sentinel_host.sandbox.load import NO_CONFIG, load_artefact
from tests.bench import records
from tests.bench.report import Report, median, parse_options
from tests.support.gateways import sentinel_run, write_config
from tests.support.instances import run_to_end, start_instance, started
from tests.support.upstreams import running_upstream
from tests.wat import index

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "host" / "native" / "src"
EXAMPLE = ROOT / "build" / "guests" / "assemblyscript" / "api-key-auth.wasm"
SLOT = SLOTS[ON_REQUEST]

# The call as it would be without suspension: the same three guest calls, on the caller's stack.
_AT_ONCE = """
static int64_t at_once(uintptr_t address, uint32_t index, const uint8_t *bytes, size_t length) {
  snt_guest *guest = (snt_guest *)address;
  guest->hook = &guest->hooks[index];
  guest->lists[0] = (snt_list){bytes, length};
  guest->length = 0;
  return snt_run_hook(guest);
}
static void never_yield(uintptr_t address) {
  snt_guest *guest = (snt_guest *)address;
  guest->engine->wasmtime_context_set_epoch_deadline(guest->context, (uint64_t)1 << 40);
}
"""

PROBES_A_SECOND = 200
LOOPS_A_SECOND = 5
CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"
chain = ["probed"]

[[route]]
path = "/loop"
upstream = "origin"
chain = ["looping"]
"""


def resident_bytes() -> int:
    """Of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def per_call(work: Callable[[], object], seconds: float) -> float:
    """µs a call, over about that long."""
    count = 0
    begin = time.perf_counter()
    while (taken := time.perf_counter() - begin) < seconds:
        for _ in range(200):
            work()
        count += 200
    return taken / count * 1e6


def compile_at_once(folder: str) -> ModuleType:
    """The bench's own way to call a guest."""
    builder = FFI()
    builder.cdef(
        "int64_t at_once(uintptr_t, uint32_t, const uint8_t *, size_t); void never_yield(uintptr_t);"
        "uintptr_t address_of(void *);"
    )
    builder.set_source(
        "_at_once",
        f'#include "guest.h"\n{_AT_ONCE}\nstatic uintptr_t address_of(void *it) {{ return (uintptr_t)it; }}',
        sources=[str(SOURCES / "guest.c")],
        include_dirs=[str(SOURCES)],
        extra_compile_args=["-std=c11", "-O2"],
    )
    built = builder.compile(tmpdir=folder)
    spec = importlib.util.spec_from_file_location("_at_once", built)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blueprint(engine: GuestEngine, artefact: Artefact, name: str) -> Blueprint:
    """A guest as instances are made from it."""
    return Blueprint(name, engine, *engine.prepare(artefact), default_limits(artefact.language))


def bench_call(report: Report, engine: GuestEngine, rounds: int, seconds: float) -> None:
    """A call that can be suspended, beside one that cannot."""
    print("a call of an echo, 256 bytes in and out:")
    made = blueprint(engine, parse_artefact(index.wasm("bench/echo"), "echo"), "echo")
    record = records.request_head(256)
    ours, plain = start_instance(made, NO_CONFIG), start_instance(made, NO_CONFIG)
    with tempfile.TemporaryDirectory() as folder:
        module: Any = compile_at_once(folder)
        address = int(module.ffi.cast("uintptr_t", module.lib.address_of(plain._handle)))
        at_once = module.lib.at_once
        module.lib.never_yield(address)

        def suspendable() -> None:
            if ours.call(SLOT, record) is SUSPENDED:
                run_to_end(ours, SUSPENDED)

        def plain_call() -> None:
            plain._result(at_once(address, SLOT, record, len(record)))

        times: dict[str, list[float]] = {"suspendable": [], "at_once": []}
        for _ in range(rounds * 10):
            times["suspendable"].append(per_call(suspendable, seconds / 10))
            times["at_once"].append(per_call(plain_call, seconds / 10))
    # The lowest: what is above it is other processes.
    best = {name: min(values) for name, values in times.items()}
    report.add("sandbox.call_us", best["suspendable"])
    report.add("sandbox.async_extra_us", best["suspendable"] - best["at_once"])
    print(f"  {best['suspendable']:.3f} µs, at once on the caller's stack {best['at_once']:.3f} µs")
    report.bar("  extra of the suspendable call in µs", best["suspendable"] - best["at_once"], at_most=0.7)


def bench_instances(report: Report, engine: GuestEngine, rounds: int, seconds: float) -> None:
    """Making and closing an instance, and the memory of an idle one."""
    print("instances:")
    for name, artefact, config in (
        ("echo", parse_artefact(index.wasm("good/nil"), "nil"), NO_CONFIG),
        ("example", read_artefact(EXAMPLE), encode_config(records.CONFIGS["api-key-auth"])),
    ):
        made = blueprint(engine, artefact, name)
        plan = made.new_plan()

        def once(plan: Any = plan, config: bytes = config) -> NativeGuest:
            instance = NativeGuest(plan)
            run_to_end(instance, instance.start(config))  # type: ignore[arg-type]
            return instance

        best = min(per_call(lambda once=once: once().close(), seconds) for _ in range(rounds))
        record = records.request_head(1024)
        for instance in [once() for _ in range(50)]:
            run_to_end(instance, instance.call(SLOT, record))
        gc.collect()
        before = resident_bytes()
        kept = [once() for _ in range(200)]
        for instance in kept:
            run_to_end(instance, instance.call(SLOT, record))
        kib = (resident_bytes() - before) / len(kept) / 1024
        print(f"  {name}: made and closed in {best:.1f} µs, {kib:.0f} KiB resident")
        report.add(f"sandbox.instantiate{'' if name == 'echo' else '_example'}_us", best)
        if name == "example":
            report.add("sandbox.instance_kib", kib)
            report.bar("  resident memory of an idle example guest in KiB", kib, at_most=256)


def bench_answers(report: Report, rounds: int) -> None:
    """Decoding holds the event loop: the answers that give most to do, of those that are taken and
    that are not.
    """
    edits = DEFAULT_LIMITS.edits
    value = b"v" * (DEFAULT_LIMITS.header_bytes // edits - 16)
    answers = {
        "most edits": msgpack.packb([0, [[[0, [f"x-{number}", value]] for number in range(edits)]]]),
        "longest path": msgpack.packb([0, [[], b"", "/" + "%41" * 20_000]]),
        "deep maps": b"\x81\x00" * 50_000,
        "a million edits": msgpack.packb([0, [[0] * 1_000_000]]),
    }
    slowest = 0.0
    for name, answer in answers.items():
        taken = []
        for _ in range(rounds * 3):
            begun = time.thread_time()
            with contextlib.suppress(AbiError):
                decode_request_action(answer)
            taken.append(time.thread_time() - begun)
        print(f"decoding {name}: {min(taken) * 1e3:.3f} ms")
        slowest = max(slowest, min(taken))
    report.add("sandbox.decode_slowest_ms", slowest * 1e3)
    report.bar("the slowest answer to decode, in ms", slowest * 1e3, at_most=10)


def bench_traps(report: Report, engine: GuestEngine, traps: int) -> None:
    """Memory after many traps, each on a fresh instance."""
    middleware = started(load_artefact(parse_artefact(index.wasm("hostile/unreachable"), "trap"), "trap", engine))

    async def trap(times: int) -> None:
        for _ in range(times):
            try:
                answer = middleware.on_request(b"x", b"r", "192.0.2.1")
                if asyncio.iscoroutine(answer):
                    await answer
            except GuestTrap:
                continue
            raise AssertionError("no trap")

    async def main() -> tuple[int, int]:
        await trap(traps // 10)
        before = resident_bytes()
        await trap(traps)
        return before, resident_bytes()

    begin = time.perf_counter()
    before, after = asyncio.run(main())
    growth = (after - before) / before * 100
    print(f"{traps} traps, {(time.perf_counter() - begin) / traps / 1.1 * 1e6:.0f} µs each:")
    report.add("sandbox.rss_growth_pct_after_traps", growth)
    report.bar("  growth of resident memory in %", growth, at_most=5)


class Client:
    """One kept connection that asks for one path again and again."""

    def __init__(self, address: tuple[str, int], path: str) -> None:
        self._address = address
        self._request = f"GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n".encode()

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(*self._address)

    async def ask(self) -> int:
        """The answer's status."""
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await self._reader.readexactly(length)
        return int(head[9:12])

    def close(self) -> None:
        """Disconnect."""
        self._writer.close()


class Idle:
    """Connections for one path that wait for their turn; more are made when all are in use."""

    def __init__(self, address: tuple[str, int], path: str) -> None:
        self._address = address
        self._path = path
        self._clients: list[Client] = []

    async def take(self) -> Client:
        """One for one request."""
        if self._clients:
            return self._clients.pop()
        client = Client(self._address, self._path)
        await client.open()
        return client

    def give(self, client: Client) -> None:
        """Take one back."""
        self._clients.append(client)

    def close(self) -> None:
        """Disconnect all."""
        for client in self._clients:
            client.close()


async def stream(idle: Idle, rate: float, seconds: float) -> tuple[list[float], list[int]]:
    """Ask at a fixed rate; latencies from when each was due, in ms, and the answers' statuses."""
    latencies: list[float] = []
    statuses: list[int] = []
    tasks: set[asyncio.Task[None]] = set()
    begin = time.perf_counter()

    async def one(due: float) -> None:
        client = await idle.take()
        statuses.append(await client.ask())
        latencies.append((time.perf_counter() - due) * 1000)
        idle.give(client)

    for number in range(int(rate * seconds)):
        due = begin + number / rate
        await asyncio.sleep(due - time.perf_counter())
        tasks.add(asyncio.ensure_future(one(due)))
    await asyncio.gather(*tasks)
    return latencies, statuses


def p99(values: list[float]) -> float:
    """The 99th percentile."""
    return sorted(values)[int(len(values) * 0.99)]


async def bench_probe(report: Report, address: tuple[str, int], rounds: int, seconds: float) -> None:
    """The probe stream alone and beside loops, in turns."""
    quiet: list[float] = []
    with_loop: list[float] = []
    failures = 0
    probes, loops = Idle(address, "/"), Idle(address, "/loop")
    with contextlib.closing(probes), contextlib.closing(loops):
        await stream(probes, PROBES_A_SECOND, 1)
        for _ in range(rounds):
            latencies, statuses = await stream(probes, PROBES_A_SECOND, seconds)
            quiet.append(p99(latencies))
            failures += sum(status != 200 for status in statuses)
            (latencies, statuses), (_, ended) = await asyncio.gather(
                stream(probes, PROBES_A_SECOND, seconds), stream(loops, LOOPS_A_SECOND, seconds)
            )
            with_loop.append(p99(latencies))
            failures += sum(status != 200 for status in statuses)
            assert set(ended) == {503}, ended
    print(f"{PROBES_A_SECOND} probes/s, p99 in ms, alone and beside {LOOPS_A_SECOND} loops/s, by round:")
    print("  alone: ", " ".join(f"{value:.1f}" for value in quiet))
    print("  beside:", " ".join(f"{value:.1f}" for value in with_loop))
    report.add("sandbox.probe_p99_ms.quiet", median(quiet))
    report.add("sandbox.probe_p99_ms.with_loop", median(with_loop))
    report.add("sandbox.probe_failures", failures)
    rise = median(beside - alone for alone, beside in zip(quiet, with_loop, strict=True))
    report.bar("  rise of the probe's p99 in ms", rise, at_most=10)
    report.bar("  failures of the probe", failures, at_most=0)


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What holding guests costs, and what a looping one costs its neighbours.")
    rounds, seconds = (3, 0.1) if options.quick else (9, 0.3)
    report = Report()
    engine = GuestEngine()
    gc.disable()
    bench_call(report, engine, rounds, seconds)
    bench_instances(report, engine, rounds, seconds)
    bench_answers(report, rounds)
    gc.enable()
    bench_traps(report, engine, 2_000 if options.quick else 10_000)
    guests = {"probed": index.wasm("good/nil"), "looping": index.wasm("hostile/loop_far")}
    with tempfile.TemporaryDirectory() as folder, running_upstream() as upstream:
        config = write_config(Path(folder), CONFIG.replace("UPSTREAM", upstream.url), guests)
        with sentinel_run(config) as gateway:
            turns = (3, 3) if options.quick else (5, 10)
            uvloop.run(bench_probe(report, gateway.public, *turns))
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
