"""Why a call failed, in words: the C's numbers, and the engine's traps and errors with their Wasm
frames.
"""

from __future__ import annotations

import ctypes
import enum
import errno
import os
import re
import resource
from typing import NamedTuple

from wasmtime import Frame, Trap, WasmtimeError, _bindings
from wasmtime._trap import FrameList

from sentinel_host.native._native import lib
from sentinel_host.native.call_loop import FRAME


class Failure(enum.IntEnum):
    """Why a call failed, as the C numbers it."""

    REFUSED = lib.SNT_REFUSED
    TRAP_IN_REALLOC = lib.SNT_TRAP_IN_REALLOC
    TRAP_IN_HOOK = lib.SNT_TRAP_IN_HOOK
    TRAP_IN_POST = lib.SNT_TRAP_IN_POST
    TRAP_IN_START = lib.SNT_TRAP_IN_START
    REALLOC_OUT_OF_BOUNDS = lib.SNT_REALLOC_OUT_OF_BOUNDS
    AREA_MISALIGNED = lib.SNT_AREA_MISALIGNED
    AREA_OUT_OF_BOUNDS = lib.SNT_AREA_OUT_OF_BOUNDS
    RESULT_OUT_OF_BOUNDS = lib.SNT_RESULT_OUT_OF_BOUNDS
    RESULT_TOO_LONG = lib.SNT_RESULT_TOO_LONG
    BAD_DISCRIMINANT = lib.SNT_BAD_DISCRIMINANT
    INPUT_TOO_LONG = lib.SNT_INPUT_TOO_LONG
    NO_HOOK = lib.SNT_NO_HOOK
    BUSY = lib.SNT_BUSY
    DISCARDED = lib.SNT_DISCARDED
    NO_MEMORY = lib.SNT_NO_MEMORY
    LENT_OUT_OF_BOUNDS = lib.SNT_LENT_OUT_OF_BOUNDS


TRAPS = frozenset((Failure.TRAP_IN_REALLOC, Failure.TRAP_IN_HOOK, Failure.TRAP_IN_POST, Failure.TRAP_IN_START))
"""Those that leave the engine's trap or error behind."""

REASONS = {
    Failure.REALLOC_OUT_OF_BOUNDS: "cabi_realloc returned memory out of bounds",
    Failure.AREA_MISALIGNED: "the return area is not aligned to 4 bytes",
    Failure.AREA_OUT_OF_BOUNDS: "the return area lies outside of memory",
    Failure.RESULT_OUT_OF_BOUNDS: "the result lies outside of memory",
    Failure.RESULT_TOO_LONG: "the result is longer than allowed",
    Failure.BAD_DISCRIMINANT: "the result is neither ok nor err",
    Failure.INPUT_TOO_LONG: "the payload does not fit into a 32-bit memory",
    Failure.NO_HOOK: "the guest does not export this hook",
    Failure.BUSY: "a call of this instance is under way",
    Failure.DISCARDED: "an earlier call of this instance failed",
    Failure.NO_MEMORY: "the host has no memory for the result",
    Failure.LENT_OUT_OF_BOUNDS: "the argument area lies outside of memory",
}
_WHERE = {Failure.TRAP_IN_REALLOC: " in cabi_realloc", Failure.TRAP_IN_POST: " in cabi_post"}
_NUMBER = re.compile(r"^\d+: ")
_NO_ADDRESSES = re.compile(rf"\(os error {errno.ENOMEM}\)\s*$")
_RESERVING = re.compile(r"reserve 0x([0-9a-f]+) bytes")


class WasmFrame(NamedTuple):
    """``name`` is ``module!function``, ``offset`` where the instruction stands in the core module's
    bytes.
    """

    name: str
    offset: int


class CallFailed(Exception):
    """A call failed, and its instance may not be called again.

    ``reason`` is one line; ``trapped`` tells guest code that stopped from an answer that breaks the
    ABI, ``timed_out`` that it was stopped at its deadline; ``frames`` are the Wasm frames,
    innermost first. ``phase`` is the step of starting that failed, `Phase.SERVING` for a hook.
    """

    def __init__(
        self,
        failure: Failure,
        reason: str,
        frames: tuple[WasmFrame, ...] = (),
        *,
        phase: Phase,
        trapped: bool = False,
        timed_out: bool = False,
    ) -> None:
        super().__init__(reason)
        self.failure = failure
        self.reason = reason
        self.frames = frames
        self.phase = phase
        self.trapped = trapped
        self.timed_out = timed_out


class Phase(enum.IntEnum):
    """What an instance is doing, as the C numbers it."""

    NEW = lib.SNT_NEW
    STARTING = lib.SNT_STARTING
    INITIALIZING = lib.SNT_INITIALIZING
    CONFIGURING = lib.SNT_CONFIGURING
    SELECTING = lib.SNT_SELECTING
    LENDING = lib.SNT_LENDING
    SERVING = lib.SNT_SERVING


def failed_by_trap(failure: Failure, phase: Phase, trap: int, timed_out: bool) -> CallFailed:
    """For the trap at an address, which is owned from here on.

    A deadline is one where a host function called the guest back.
    """
    owned = Trap._from_ptr(ctypes.cast(trap, ctypes.POINTER(_bindings.wasm_trap_t)))
    reason = last_line(owned.message).removeprefix("wasm trap: ") + _WHERE.get(failure, "")
    return CallFailed(
        failure, reason, _without_loop(tuple(map(_frame, owned.frames))), phase=phase, trapped=True, timed_out=timed_out
    )


def failed_by_error(failure: Failure, phase: Phase, error: int, timed_out: bool) -> CallFailed:
    """The same for an error: for the engine, a host function's refusal and the deadline are errors
    and no traps.
    """
    owned = WasmtimeError._from_ptr(ctypes.cast(error, ctypes.POINTER(_bindings.wasmtime_error_t)))
    if starved := without_addresses(str(owned)):
        return CallFailed(Failure.NO_MEMORY, starved, phase=phase)
    found = FrameList(owned)
    _bindings.wasmtime_error_wasm_trace(owned.ptr(), ctypes.byref(found.vec))
    frames = _without_loop(
        tuple(_frame(Frame._from_ptr(found.vec.data[index], found)) for index in range(found.vec.size))
    )
    # An error of instantiation, such as a memory beyond its limit, comes from the module's
    # declarations, not its code.
    trapped = failure is not Failure.TRAP_IN_START or bool(frames)
    reason = last_line(str(owned)) + _WHERE.get(failure, "")
    return CallFailed(failure, reason, frames, phase=phase, trapped=trapped, timed_out=timed_out)


def _frame(frame: Frame) -> WasmFrame:
    name = f"{frame.module_name or '<module>'}!{frame.func_name or f'<function {frame.func_index}>'}"
    return WasmFrame(name, frame.module_offset)


def _without_loop(frames: tuple[WasmFrame, ...]) -> tuple[WasmFrame, ...]:
    return frames[:-1] if frames and frames[-1].name == FRAME else frames


def without_addresses(text: str) -> str | None:
    """The meaning of an engine's message that ends with ENOMEM: what was requested, and which limit
    prevented it.
    """
    if not _NO_ADDRESSES.search(text):
        return None
    wanted = _RESERVING.search(text)
    what = f"{int(wanted[1], 16) >> 20} MiB of addresses" if wanted is not None else "memory"
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        return f"the gateway cannot reserve {what}: its address space is limited to {limit >> 10} KiB (ulimit -v)"
    return f"the gateway cannot reserve {what}: {os.strerror(errno.ENOMEM)}, and not for its own limit (ulimit -v)"


def last_line(text: str) -> str:
    """The innermost cause of an engine's message, which lists causes line by line, numbered when
    there are several.
    """
    lines = text.strip().splitlines()
    return _NUMBER.sub("", lines[-1].strip()) if lines else "no reason given"
