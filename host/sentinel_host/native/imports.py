"""The functions that guests import, written in C: where they are, and putting them into a
linker.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import NamedTuple

from wasmtime import FuncType, Linker, ValType, WasmtimeError, _bindings

from sentinel_host.native._native import ffi, lib
from sentinel_host.native.capi import ENGINE_TABLE

_VALUES = {"i32": ValType.i32, "i64": ValType.i64, "f64": ValType.f64}


class ImportedFunction(NamedTuple):
    """The addresses of an unchecked callback and of what it gets with every call."""

    address: int
    environment: int


def host_functions() -> dict[str, ImportedFunction]:
    """Every function of ``host/native/src/host.h`` by interface and name, such as
    ``clock.wall``.
    """
    environment = int(ffi.cast("uintptr_t", ENGINE_TABLE))
    functions = {}
    index = 0
    while (name := lib.snt_import_name(index)) != ffi.NULL:
        functions[ffi.string(name).decode()] = ImportedFunction(lib.snt_import_address(index), environment)
        index += 1
    return functions


def define(
    linker: Linker,
    module: str,
    name: str,
    params: Sequence[str],
    results: Sequence[str],
    function: ImportedFunction,
) -> FuncType:
    """Let guests that ``linker`` instantiates import a function of that core type as ``module``
    ``name``.

    The type is returned to be kept as long as the linker: the C API borrows it. It is made anew
    each time, because it belongs to the first engine that saw it.
    """
    signature = FuncType([_VALUES[kind]() for kind in params], [_VALUES[kind]() for kind in results])
    encoded = (module.encode(), name.encode())
    error = _bindings.wasmtime_linker_define_func_unchecked(
        linker.ptr(),
        ctypes.create_string_buffer(encoded[0]),
        len(encoded[0]),
        ctypes.create_string_buffer(encoded[1]),
        len(encoded[1]),
        signature.ptr(),
        ctypes.cast(function.address, _bindings.wasmtime_func_unchecked_callback_t),
        function.environment,
        ctypes.cast(0, ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
    )
    if error:
        raise WasmtimeError._from_ptr(error)
    return signature


def define_wait(linker: Linker) -> FuncType:
    """Put the function into ``linker`` by which calls wait for an answer from outside; the type is
    to be kept, too.
    """
    signature = FuncType([], [])
    error = _bindings.wasmtime_linker_define_async_func(
        linker.ptr(),
        ctypes.create_string_buffer(b""),
        0,
        ctypes.create_string_buffer(b"wait"),
        4,
        signature.ptr(),
        ctypes.cast(lib.snt_http_wait_address(), _bindings.wasmtime_func_async_callback_t),
        int(ffi.cast("uintptr_t", ENGINE_TABLE)),
        ctypes.cast(0, ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
    )
    if error:
        raise WasmtimeError._from_ptr(error)
    return signature
