"""The C module, and the table of engine functions that it calls through.

The wheel of ``wasmtime`` ships its C API without headers, so the C holds declarations of its own.
They are checked here, once, against the wheel's ctypes definitions: a wrong size would corrupt
memory at the first call.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
from collections.abc import Mapping
from typing import TYPE_CHECKING

from wasmtime import _bindings, _ffi

from sentinel_host.errors import SentinelError
from sentinel_host.native._native import ffi, lib

if TYPE_CHECKING:
    from sentinel_host.native._native import EngineTable

WASMTIME_MAJOR = 50
"""The major version whose C API ``host/native/src/engine.h`` declares."""


def check_version(version: str) -> None:
    """Refuse another major version of ``wasmtime``: its C API may differ without any size
    differing.
    """
    if version.split(".")[0] != str(WASMTIME_MAJOR):
        raise SentinelError(f"wasmtime {version} is installed, this build needs {WASMTIME_MAJOR}.x")


def check_layout(ours: Mapping[str, int], theirs: Mapping[str, int], version: str) -> None:
    """Refuse to start if the layout of a structure differs from the wheel's."""
    for what, size in ours.items():
        if theirs[what] != size:
            raise SentinelError(
                f"wasmtime {version} lays out {what} in {theirs[what]} bytes, "
                f"this build, made for {WASMTIME_MAJOR}.x, in {size}"
            )


def _our_layout() -> dict[str, int]:
    return {
        "wasmtime_func_t": lib.SNT_SIZEOF_FUNC,
        "wasmtime_memory_t": lib.SNT_SIZEOF_MEMORY,
        "wasmtime_instance_t": lib.SNT_SIZEOF_INSTANCE,
        "wasmtime_val_raw_t": lib.SNT_SIZEOF_VAL_RAW,
        "wasmtime_extern_t": lib.SNT_SIZEOF_EXTERN,
        "wasmtime_async_continuation_t": lib.SNT_SIZEOF_CONTINUATION,
        "wasmtime_extern_t.of": lib.SNT_OFFSET_EXTERN_OF,
    }


def _their_layout() -> dict[str, int]:
    return {
        "wasmtime_func_t": ctypes.sizeof(_bindings.wasmtime_func_t),
        "wasmtime_memory_t": ctypes.sizeof(_bindings.wasmtime_memory_t),
        "wasmtime_instance_t": ctypes.sizeof(_bindings.wasmtime_instance_t),
        "wasmtime_val_raw_t": ctypes.sizeof(_bindings.wasmtime_val_raw),
        "wasmtime_extern_t": ctypes.sizeof(_bindings.wasmtime_extern_t),
        "wasmtime_async_continuation_t": ctypes.sizeof(_bindings.wasmtime_async_continuation_t),
        "wasmtime_extern_t.of": _bindings.wasmtime_extern_t.of.offset,
    }


def address_of(name: str) -> int:
    """The address of the function ``name`` in the loaded wasmtime library."""
    try:
        address = ctypes.cast(getattr(_ffi.dll, name), ctypes.c_void_p).value
    except AttributeError:
        raise SentinelError(f"wasmtime {VERSION} has no function {name}, this build needs {WASMTIME_MAJOR}.x") from None
    assert address is not None
    return address


def _fill_table() -> EngineTable:
    table = lib.snt_engine_new()
    index = 0
    while (name := lib.snt_engine_name(index)) != ffi.NULL:
        lib.snt_engine_set(table, index, address_of(ffi.string(name).decode()))
        index += 1
    return table


VERSION = importlib.metadata.version("wasmtime")
check_version(VERSION)
check_layout(_our_layout(), _their_layout(), VERSION)
ENGINE_TABLE = _fill_table()
"""Lives as long as the process: every guest and log keeps its address."""
