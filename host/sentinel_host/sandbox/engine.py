"""The WebAssembly engine of one worker: how it is configured, and what its guests can import."""

from __future__ import annotations

from wasmtime import Config, Engine, InstancePre, Linker, Module, Store, WasmtimeError, _bindings

from sentinel_host.abi.contract import IMPORTS, PACKAGE, VERSION
from sentinel_host.errors import GuestLoadError
from sentinel_host.native.guest import last_line
from sentinel_host.sandbox.artefact import Artefact
from sentinel_host.sandbox.check import CheckedGuest, check, surface_of
from sentinel_host.sandbox.limits import Limits
from sentinel_host.sandbox.logs import GuestLog
from sentinel_host.sandbox.text import one_line

# wasmtime's own default, set because a change of it would change which guests trap. A guest call runs on the caller's
# stack, and glibc gives threads 8 MiB.
STACK_BYTES = 512 * 1024

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
        self._engine = Engine(config)
        self._linker = Linker(self._engine)
        self.log = GuestLog()
        for entry in IMPORTS:
            for patch in range(VERSION[2] + 1):
                version = f"{VERSION[0]}.{VERSION[1]}.{patch}"
                self.log.buffer.define(self._linker, f"{PACKAGE}/{entry.interface}@{version}", entry.name)

    def new_store(self, limits: Limits) -> Store:
        """An empty store for one instance."""
        store = Store(self._engine)
        store.set_limits(limits.memory, limits.table_elements, instances=1, tables=limits.tables, memories=1)
        return store

    def prepare(self, artefact: Artefact) -> tuple[InstancePre, CheckedGuest]:
        """Compile a guest, hold it to the contract and link it.

        Raises `GuestLoadError`.
        """
        try:
            module = Module(self._engine, artefact.core)
        except WasmtimeError as error:
            raise GuestLoadError(f"{artefact.path}: is not a valid module: {one_line(last_line(str(error)))}") from None
        checked = check(surface_of(module), artefact.path)
        try:
            return self._linker.instantiate_pre(module), checked
        except WasmtimeError as error:
            raise GuestLoadError(f"{artefact.path}: cannot be linked: {one_line(last_line(str(error)))}") from None
