"""The WebAssembly engine of one worker: how it is configured, and what its guests can import."""

from __future__ import annotations

from collections.abc import Mapping

from wasmtime import Config, Engine, FuncType, InstancePre, Linker, Module, WasmtimeError, _bindings

from sentinel_host.abi.contract import IMPORTS, PACKAGE, VERSION
from sentinel_host.errors import GuestLoadError
from sentinel_host.native.failure import last_line
from sentinel_host.native.imports import define, host_functions
from sentinel_host.native.plan import CallLimits, Export, Plan, Ticker
from sentinel_host.sandbox.artefact import Artefact
from sentinel_host.sandbox.check import CheckedGuest, check, surface_of
from sentinel_host.sandbox.logs import GuestLog
from sentinel_host.sandbox.runqueue import RunQueue
from sentinel_host.sandbox.stats import GuestStats
from sentinel_host.sandbox.text import one_line

# wasmtime's own default, set because a change of it would change which guests trap.
STACK_BYTES = 512 * 1024
# A guest call runs on a fiber's stack, made with the first call of an instance and kept. Host functions called by the
# guest share it. Only pages that were touched take memory.
FIBER_STACK_BYTES = 1024 * 1024

# On by default or not: proposals that no guest needs are code of the engine that no guest can reach. What stays on is
# what today's compilers emit: mutable globals, sign extension, bulk memory, multi-value, SIMD, funcref tables.
_OFF = (
    "wasm_memory64",
    "wasm_multi_memory",
    "wasm_threads",
    "wasm_tail_call",
    "wasm_relaxed_simd",
    "wasm_exceptions",
    "wasm_gc",
    "wasm_function_references",
    "wasm_wide_arithmetic",
    "wasm_custom_page_sizes",
    "wasm_compact_imports",
    "wasm_stack_switching",
    "wasm_component_model",
    "wasm_component_model_map",
    "wasm_component_model_implements",
    "wasm_component_model_canonical_names",
    "wasm_component_model_accessors",
    "wasm_component_model_async",
    "wasm_component_model_more_async_builtins",
    "wasm_component_model_async_stackful",
    "shared_memory",
    "gc_support",
    "concurrency_support",
)


class GuestEngine:
    """Compiles and links guests; one per worker, shared by all of them, together with the log that they write to."""

    def __init__(self) -> None:
        config = Config()
        for proposal in _OFF:
            # Not through wasmtime's properties: half of these have none.
            getattr(_bindings, f"wasmtime_config_{proposal}_set")(config.ptr(), False)
        config.cranelift_opt_level = "speed"
        config.parallel_compilation = True
        config.max_wasm_stack = STACK_BYTES
        _bindings.wasmtime_config_async_stack_size_set(config.ptr(), FIBER_STACK_BYTES)
        config.epoch_interruption = True
        self._engine = Engine(config)
        self._ticker = Ticker(self._engine)
        # A function type belongs to the first engine that saw it.
        self._nullary = FuncType([], [])
        self._linker = Linker(self._engine)
        self._stats: dict[str, GuestStats] = {}
        self.log = GuestLog()
        self.queue = RunQueue()
        functions = host_functions() | {"log.write": self.log.buffer.write_import}
        self._types = [
            define(
                self._linker,
                f"{PACKAGE}/{entry.interface}@{VERSION[0]}.{VERSION[1]}.{patch}",
                entry.name,
                entry.params,
                entry.results,
                functions[f"{entry.interface}.{entry.name}"],
            )
            for entry in IMPORTS
            for patch in range(VERSION[2] + 1)
        ]

    def stats_of(self, name: str) -> GuestStats:
        """The counts of a guest, which go on over its versions; the same name has the same for ever."""
        return self._stats.setdefault(name, GuestStats())

    def snapshot(self) -> dict[str, dict[str, int]]:
        """Every guest's counts by name; see `GuestStats.snapshot`."""
        return {name: stats.snapshot() for name, stats in self._stats.items()}

    def new_plan(self, name: str, module: InstancePre, exports: Mapping[int, Export], limits: CallLimits) -> Plan:
        """What instances of a prepared guest are made by; ``exports`` go by slot."""
        counters = self.stats_of(name).counters
        log = self.log
        return Plan(
            self._engine,
            self._ticker,
            module,
            self._nullary,
            exports,
            limits,
            counters,
            log.buffer,
            log.id_of(name),
        )

    def prepare(self, artefact: Artefact, grants: frozenset[str] = frozenset()) -> tuple[InstancePre, CheckedGuest]:
        """Compile a guest, hold it to the contract and link it; ``grants`` are interfaces that it may import.

        Raises `GuestLoadError`.
        """
        try:
            module = Module(self._engine, artefact.core)
        except WasmtimeError as error:
            raise GuestLoadError(f"{artefact.path}: is not a valid module: {one_line(last_line(str(error)))}") from None
        checked = check(surface_of(module), artefact.path, grants)
        try:
            return self._linker.instantiate_pre(module), checked
        except WasmtimeError as error:
            raise GuestLoadError(f"{artefact.path}: cannot be linked: {one_line(last_line(str(error)))}") from None
