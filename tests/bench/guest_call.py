"""What one guest call costs: the native path, beside wasmtime-py's core and component APIs and the
Extism Python SDK.

``python -m tests.bench.guest_call [--json FILE] [--quick]``. All contestants run alternately in one
process; a figure is the lowest of the rounds, in µs of the processor a call: other work on the
machine does not count, and what it does to caches only adds. The echo is the same WAT for the first
three; Extism's is written for its own kernel, and copies nothing in the guest, which favours
Extism.

The host share is the total less the guest's own time, which is measured by a loop inside of the
guest that does the echo's work, allocation and post-return included. The same own time is taken off
for each, also for Extism.

Example guests are those in build/guests; they are called through the native path with a
configuration and records that make them work: `tests.bench.typical` says with which. Each hook that
a typical request leads to has a row, with the bytes of its head or its chunk. Services that guests
ask answer at once. Nobody drains the guests' log, which fills up and then counts lines: writing
lines out is the host's cost per line, not per call. The guest `compress` also gets the
documentation, 64 KiB a call.

The guest `header-injection` is there in every language. What it costs beside its calls is told too:
its file, compiling it, the compiled code with its memory image, and the memory of a further
instance that has been called. What instances share of the image is not counted.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import extism
import wasmtime
from wasmtime import component

from sentinel_host.abi.contract import GRANTS, ON_REQUEST
from sentinel_host.abi.encode import encode_config
from sentinel_host.authoring.workbench import Workbench
from sentinel_host.native import NativeGuest
from sentinel_host.sandbox import Grants, GuestEngine
from sentinel_host.sandbox.artefact import parse_artefact, read_artefact
from sentinel_host.sandbox.compiled import compile_guest
from sentinel_host.sandbox.instance import SLOTS, Blueprint
from sentinel_host.sandbox.limits import default_limits
from sentinel_host.sandbox.load import NO_CONFIG
from tests.bench import records
from tests.bench.report import Report, median, parse_options, table
from tests.bench.sandbox import compile_at_once
from tests.bench.typical import Call, hook_calls
from tests.support.instances import run_to_end, start_instance
from tests.wat import index

ROOT = Path(__file__).resolve().parents[2]
SIZES = (records.LEAST, 1024, 8192)
CHUNK = 65536
HOOK = "sentinel:gateway/request-handler@0.1.0#on-request"
# µs for a guest that decodes 256 bytes and sets a header.
LANGUAGE_BARS = {"python": 25.0, "javascript": 60.0, "go": 8.0, "c": 1.5, "zig": 1.5}
# Where the guest of a language is written in another one that comes to the same.
WRITTEN_IN = {"javascript": "typescript"}
# The guest that there is in every language.
COMMON = "header-injection"
INSTANCES = 20
MIB = 1 << 20
ECHOES = ("native", "native_at_once", "wasmtime_core", "wasmtime_component", "extism")


@dataclass(frozen=True, slots=True)
class Contestant:
    """``call`` takes one record; ``record`` makes one of about a size."""

    name: str
    call: Call
    record: Callable[[int], bytes]


def at_once_call(engine: GuestEngine, folder: Path) -> Call:
    """The same C on the caller's stack, without a deadline: what the call path costs, and what
    deadlines add to it.
    """
    prepared = engine.prepare(parse_artefact(index.wasm("bench/echo"), "echo.wasm"))
    made = Blueprint("echo", engine, *prepared, default_limits(None))
    plain = start_instance(made, NO_CONFIG)
    module: Any = compile_at_once(str(folder))
    address = int(module.ffi.cast("uintptr_t", module.lib.address_of(plain._handle)))
    module.lib.never_yield(address)
    at_once, slot = module.lib.at_once, SLOTS[ON_REQUEST]
    return lambda record: plain._result(at_once(address, slot, record, len(record)))


def core_call() -> Call:
    """The same steps through wasmtime-py's core API, as a careful embedder would write them."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, index.wasm("bench/echo")), []).exports(store)
    memory, realloc, hook, post = (exports[name] for name in ("memory", "cabi_realloc", HOOK, f"cabi_post_{HOOK}"))
    assert isinstance(memory, wasmtime.Memory)
    assert isinstance(realloc, wasmtime.Func)
    assert isinstance(hook, wasmtime.Func)
    assert isinstance(post, wasmtime.Func)

    def call(record: bytes) -> bytes:
        where = realloc(store, 0, 0, 1, len(record))
        memory.write(store, record, where)
        area = hook(store, where, len(record))
        fields = memory.read(store, area, area + 8)
        begin, length = int.from_bytes(fields[:4], "little"), int.from_bytes(fields[4:], "little")
        result = bytes(memory.read(store, begin, begin + length))
        post(store, area)
        return result

    return call


def component_call(echo: Path) -> Call:
    """The same guest as a component, through wasmtime-py's component API."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    instance = component.Linker(engine).instantiate(store, component.Component.from_file(engine, str(echo)))
    interface, _, name = HOOK.partition("#")
    outer = instance.get_export_index(store, interface)
    inner = instance.get_export_index(store, name, outer)
    assert inner is not None
    function = instance.get_func(store, inner)
    assert function is not None

    def call(record: bytes) -> bytes:
        result = bytes(function(store, record))
        function.post_return(store)
        return result

    return call


def extism_call() -> Call:
    """An echo through the Extism Python SDK."""
    plugin = extism.Plugin({"wasm": [{"data": index.wasm("bench/echo_extism")}]}, wasi=False)
    return lambda record: plugin.call("echo", record)


def componentize(folder: Path) -> Path:
    """The echo as a component, by wasm-tools."""
    module, embedded, echo = folder / "module.wasm", folder / "embedded.wasm", folder / "echo.wasm"
    module.write_bytes(index.wasm("bench/echo"))
    tools = ["wasm-tools", "component"]
    world = ["--world", "request-guest", "-o", str(embedded)]
    subprocess.run([*tools, "embed", str(ROOT / "wit"), str(module), *world], check=True)
    subprocess.run([*tools, "new", str(embedded), "-o", str(echo)], check=True)
    return echo


def own_time(size: int) -> float:
    """What the echo itself takes, in µs: its work repeated inside of the guest."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, index.wasm("bench/echo")), []).exports(store)
    repeat = exports["repeat"]
    assert isinstance(repeat, wasmtime.Func)
    times = 200_000
    rounds = []
    for _ in range(5):
        begin = time.process_time()
        repeat(store, times, size)
        rounds.append((time.process_time() - begin) / times * 1e6)
    return median(rounds)


def measure(call: Call, record: bytes, seconds: float) -> float:
    """µs a call, over about that long."""
    count = 1
    while True:
        begin = time.process_time()
        for _ in range(count):
            call(record)
        taken = time.process_time() - begin
        if taken >= seconds / 2 or count >= 1_000_000:
            return taken / count * 1e6
        count = max(count * 2, int(count * seconds / max(taken, 1e-9)))


def contestants(folder: Path) -> list[Contestant]:
    """The echoes, then every hook of every example guest that has been built."""
    engine = GuestEngine()
    native = next(hook_calls(engine, parse_artefact(index.wasm("bench/echo"), "echo.wasm"), "echo")).call
    at_once = at_once_call(engine, folder)
    calls = dict(
        zip(ECHOES, (native, at_once, core_call(), component_call(componentize(folder)), extism_call()), strict=True)
    )
    for size in SIZES:
        record = records.request_head(size)
        for name, call in calls.items():
            assert call(record) == record, f"{name} does not echo"
    found = [Contestant(name, call, records.request_head) for name, call in calls.items()]
    for path in sorted(ROOT.glob("build/guests/*/*.wasm")):
        for hook in hook_calls(engine, read_artefact(path), path.stem):
            name = "_".join(filter(None, (f"{path.parent.name}-{path.stem}", hook.suffix)))
            found.append(Contestant(name, hook.call, hook.record))
    return found


@dataclass(frozen=True, slots=True)
class Price:
    """What a guest costs beside its calls; ``compiling`` is seconds of the processor, the rest
    MiB.
    """

    file: float
    compiling: float
    code: float
    instance: float


def price(path: Path) -> Price:
    """That of a guest's file."""
    begin = time.process_time()
    compiled = compile_guest(path.read_bytes(), path.name)
    compiling = time.process_time() - begin
    engine = GuestEngine()
    prepared = engine.prepare_compiled(compiled, path.name, GRANTS)
    blueprint = Blueprint(path.stem, engine, *prepared, default_limits(compiled.language), Grants(GRANTS))
    config, record = encode_config(records.CONFIGS[path.stem]), records.request_head(SIZES[0])

    def instance() -> NativeGuest:
        made = start_instance(blueprint, config)
        run_to_end(made, made.call(SLOTS[ON_REQUEST], record))
        return made

    kept = [instance()]
    before = own_bytes()
    kept += [instance() for _ in range(INSTANCES)]
    each = (own_bytes() - before) / INSTANCES
    for made in kept:
        made.close()
    return Price(path.stat().st_size / MIB, compiling, len(compiled.code) / MIB, each / MIB)


def own_bytes() -> int:
    """The memory of this process that no file is behind: pages of an image count once they are
    written to.
    """
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Anonymous:"))


def compressing(rounds: int) -> dict[tuple[str, int], tuple[float, float]]:
    """By coding and level: ms of the processor for 64 KiB of text, and the share of the text that
    is left.
    """
    pages = sorted((ROOT / "docs").rglob("*.md"))
    text = b"".join(page.read_bytes() for page in pages)[: 5 * CHUNK]
    chunks = [text[begin : begin + CHUNK] for begin in range(0, len(text), CHUNK)]
    bench = Workbench(ROOT / "build" / "guests" / "rust" / "compress.wasm")
    found = {}
    for level in (1, 4, 6, 9):
        for place, coding in enumerate(("br", "gzip", "zstd")):
            if coding == "zstd" and level > 1:
                # It has one level.
                continue
            times, size = [], 0
            for _ in range(rounds):
                guest = bench.start(encode_config({"level": level}))
                for number, chunk in enumerate(chunks, 1):
                    begin = time.process_time()
                    out = guest.call("on-response-chunk", chunk, bytes([place]), number == len(chunks))
                    times.append((time.process_time() - begin) * 1e3)
                    size += len(out or b"")
            found[coding, level] = median(times), size / rounds / len(text)
    bench.close()
    return found


def main() -> int:
    """Run, print, and return the exit code."""
    options = parse_options("What one guest call costs, in µs.")
    # Many short rounds: others leave the caches alone in some of them.
    rounds, seconds = (15, 0.006) if options.quick else (50, 0.02)
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        everyone = contestants(Path(folder))
        results: dict[tuple[str, int], list[float]] = {}
        gc.disable()
        for _ in range(rounds):
            for size in SIZES:
                for contestant in everyone:
                    taken = measure(contestant.call, contestant.record(size), seconds)
                    results.setdefault((contestant.name, size), []).append(taken)
        gc.enable()
    lowest = {key: min(values) for key, values in results.items()}
    own = {size: own_time(size) for size in SIZES}

    print("µs a call, host and guest, bytes in:")
    table(("", *map(str, SIZES)), [(who.name, *(lowest[who.name, size] for size in SIZES)) for who in everyone])
    print()
    print("the echo's own time in µs, which is in each echo's total:")
    table(("", *map(str, SIZES)), [("own", *own.values())])
    print()

    prices = {path.parent.name: price(path) for path in sorted(ROOT.glob(f"build/guests/*/{COMMON}.wasm"))}
    print(f"{COMMON}: MiB of its file, s of the processor to compile it, MiB of its code, MiB of a further instance:")
    rows = [(name, each.file, each.compiling, each.code, each.instance) for name, each in prices.items()]
    table(("", "file", "compiling", "code", "instance"), rows)
    print()

    compressed = compressing(rounds)
    print("ms of the processor for 64 KiB of text, and the share of the text that is left:")
    table(("", "ms", "share"), [(f"{coding} {level}", *told) for (coding, level), told in compressed.items()])
    print()

    for (coding, level), (taken, _) in compressed.items():
        report.add(f"guest_call.compress_{coding}_{level}_ms", taken)
    for contestant in everyone:
        for size in SIZES:
            suffix = "" if size == SIZES[0] else f"_{size}"
            report.add(f"guest_call.{contestant.name}{suffix}_us", lowest[contestant.name, size])
    for language, at_most in LANGUAGE_BARS.items():
        written_in = WRITTEN_IN.get(language, language)
        found = lowest.get((f"{written_in}-{COMMON}", SIZES[0]))
        if found is not None:
            report.add(f"guest_call.{language}_us", found)
            report.add(f"guest_call.{language}_code_mib", prices[written_in].code)
            report.add(f"guest_call.{language}_instance_mib", prices[written_in].instance)
            report.bar(f"a guest in {language} that sets a header", found, at_most=at_most)
    share = {name: max(lowest[name, SIZES[0]] - own[SIZES[0]], 1e-3) for name in ECHOES}
    report.add("guest_call.echo_own_us", own[SIZES[0]])
    # The bars are for the call path; that a call has a deadline and can be suspended is paid on
    # top, told beside it.
    print(f"host share at {SIZES[0]} bytes, how many times cheaper the native path is:")
    for name, at_least in (("wasmtime_core", 100.0), ("wasmtime_component", 100.0), ("extism", 15.0)):
        ratio = share[name] / share["native"]
        report.add(f"guest_call.host_share_ratio_{name}", ratio)
        print(f"than {name}, with deadlines: {ratio:.4g}")
        report.bar(f"than {name}, the call alone", share[name] / share["native_at_once"], at_least=at_least)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
