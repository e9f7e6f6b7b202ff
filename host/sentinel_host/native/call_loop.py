"""The Wasm loop in which an instance's calls are made.

A fiber for each call would cost more than all the rest of the call. The loop keeps one: it calls
the host, which makes a call of the guest, and is left at a tick of the epoch behind it. There the
fiber waits for the next call. The loop ends when a call failed, or its instance is freed.
"""

from __future__ import annotations

from typing import Final

from wasmtime import Engine, Linker, Module

from sentinel_host.native._native import ffi, lib
from sentinel_host.native.capi import ENGINE_TABLE
from sentinel_host.native.imports import ImportedFunction, define

_NAME: Final = "sentinel call loop"

# The epoch is checked where a function is entered. At the head of the loop it is compared with a
# deadline that the engine has read before.
_TEXT: Final = f"""
(module $"{_NAME}"
  (import "" "call" (func $call (result i32)))
  (func $park)
  (func $loop (export "loop")
    (loop $next
      (if (call $call)
        (then
          (call $park)
          (br $next))))))
"""

FRAME: Final = f"{_NAME}!loop"
"""The outermost frame of all guest code that runs in the loop, as `WasmFrame` names it."""


def compile_loop(engine: Engine) -> bytes:
    """The loop's machine code, for engines with that configuration."""
    return bytes(Module(engine, _TEXT).serialize())


class CallLoop:
    """The loop, of `compile_loop`'s code, linked for one engine; ``module`` is what plans take."""

    __slots__ = ("_type", "module")

    def __init__(self, engine: Engine, code: bytes) -> None:
        linker = Linker(engine)
        call = ImportedFunction(lib.snt_run_call_address(), int(ffi.cast("uintptr_t", ENGINE_TABLE)))
        self._type = define(linker, "", "call", (), ("i32",), call)
        self.module = linker.instantiate_pre(Module.deserialize(engine, code))
