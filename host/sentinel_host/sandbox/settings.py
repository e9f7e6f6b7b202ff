"""How the engine is set up, alike in the workers that run guests and in the children that compile them."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Final

from wasmtime import Config, _bindings

# wasmtime's own default, set because a change of it would change which guests trap.
STACK_BYTES: Final = 512 * 1024
# A guest call runs on a fiber's stack, made with the first call of an instance and kept. Host functions called by the
# guest share it. Only pages that were touched take memory.
FIBER_STACK_BYTES: Final = 1024 * 1024

# On by default or not: proposals that no guest needs are code of the engine that no guest can reach. What stays on is
# what today's compilers emit: mutable globals, sign extension, bulk memory, multi-value, SIMD, funcref tables.
_OFF: Final = (
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

_FINGERPRINT_OF: Final = ("speed", "epochs", STACK_BYTES, FIBER_STACK_BYTES, _OFF)


def engine_config() -> Config:
    """The engine's configuration; a change of it belongs into `fingerprint`, too."""
    config = Config()
    for proposal in _OFF:
        # Not through wasmtime's properties: half of these have none.
        getattr(_bindings, f"wasmtime_config_{proposal}_set")(config.ptr(), False)
    config.cranelift_opt_level = "speed"
    config.parallel_compilation = True
    config.max_wasm_stack = STACK_BYTES
    _bindings.wasmtime_config_async_stack_size_set(config.ptr(), FIBER_STACK_BYTES)
    config.epoch_interruption = True
    return config


def fingerprint() -> str:
    """What compiled code depends on beside the module: this configuration, the engine's version, and the processor."""
    told = repr((_FINGERPRINT_OF, version("wasmtime"), platform.machine(), _processor_features()))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _processor_features() -> str:
    # The compiler uses what the processor has, and a home directory may be on several machines.
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
