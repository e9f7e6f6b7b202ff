"""How the engine is set up, alike in the workers that run guests and in the children that compile
them.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import mmap
import platform
import resource
from importlib.metadata import version
from pathlib import Path
from typing import Final

from wasmtime import Config, _bindings

# wasmtime's own default, set because a change of it would change which guests trap.
STACK_BYTES: Final = 512 * 1024
# A guest call runs on a fiber's stack, made with the first call of an instance and kept. Host
# functions called by the guest share it. Only pages that were touched take memory.
FIBER_STACK_BYTES: Final = 1024 * 1024


class AddressSpace(enum.Enum):
    """How much address space there is for guests' memories."""

    WIDE = "wide"
    NARROW = "narrow"


# Bytes that a memory reserves, the gap behind it, and what it reserves beyond its size when it
# outgrows the first. With all that 32 bits can address, wasmtime's default, compiled code checks no
# bounds: what lies outside is not mapped. With less it does, which costs calls a tenth and loops
# over bodies a half: the figures are in docs/decisions/040-reserve-4-gib-of-addresses.md. The
# smaller reservation is the default limit of a guest's memory; a memory that may become larger is
# moved once it does.
_MEMORY: Final = {
    AddressSpace.WIDE: (4 << 30, 32 << 20, 2 << 30),
    AddressSpace.NARROW: (16 << 20, 1 << 16, 16 << 20),
}
# Of the first kind this is room for some 250 instances: a few guests with all that they may have.
# Where addresses have 39 bits there is half of it.
_PLENTY: Final = 1 << 40

# Proposals that no guest needs are off, whatever their default, so that guests cannot reach that
# code of the engine. Today's compilers emit the ones that stay on: mutable globals, sign extension,
# bulk memory, multi-value, SIMD, funcref tables.
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


@functools.cache
def address_space() -> AddressSpace:
    """The address space of this process and its children. Any limit (RLIMIT_AS) means that there is
    little.
    """
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        return AddressSpace.NARROW
    try:
        # Nothing that takes memory: a range of addresses that may not be touched.
        mmap.mmap(-1, _PLENTY, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=0).close()
    except OSError:
        return AddressSpace.NARROW
    return AddressSpace.WIDE


def engine_config(addresses: AddressSpace) -> Config:
    """The engine's configuration; a change of it belongs into `fingerprint`, too."""
    config = Config()
    reserved, gap, growth = _MEMORY[addresses]
    config.memory_reservation = reserved
    config.memory_guard_size = gap
    config.memory_reservation_for_growth = growth
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
    """What compiled code depends on beside the module: this configuration, the engine's version,
    and the processor.
    """
    settings = (*_FINGERPRINT_OF, _MEMORY[address_space()])
    told = repr((settings, version("wasmtime"), platform.machine(), _processor_features()))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _processor_features() -> str:
    # The compiler uses the processor's features, and several machines may share a home directory.
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
