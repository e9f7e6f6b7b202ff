"""One instance as Python calls it: bytes in, bytes out, failures as one exception."""

from __future__ import annotations

import ctypes
import enum
import re
from dataclasses import dataclass

from wasmtime import Frame, Func, Memory, Store, Trap, WasmtimeError, _bindings
from wasmtime._trap import FrameList

from sentinel_host.native._native import ffi, lib
from sentinel_host.native.library import ENGINE_TABLE
from sentinel_host.native.log import LogBuffer

_WROTE = lib.SNT_WROTE
_LENGTH = _WROTE - 1
_call = lib.snt_call


class Returns(enum.IntEnum):
    """What a hook returns, as the C numbers it."""

    NOTHING = lib.SNT_RETURNS_NOTHING
    LIST = lib.SNT_RETURNS_LIST
    OUTCOME = lib.SNT_RETURNS_OUTCOME


@dataclass(frozen=True, slots=True)
class Shape:
    """A hook's parameters and result: ``lists`` byte lists, with ``flag`` a bool behind the first."""

    lists: int
    flag: bool
    returns: Returns


class Failure(enum.IntEnum):
    """Why a call failed, as the C numbers it."""

    REFUSED = lib.SNT_REFUSED
    TRAP_IN_REALLOC = lib.SNT_TRAP_IN_REALLOC
    TRAP_IN_HOOK = lib.SNT_TRAP_IN_HOOK
    TRAP_IN_POST = lib.SNT_TRAP_IN_POST
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


_REASONS = {
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
}
_NUMBER = re.compile(r"^\d+: ")
_WHERE = {Failure.TRAP_IN_REALLOC: " in cabi_realloc", Failure.TRAP_IN_POST: " in cabi_post"}


class CallFailed(Exception):
    """A call failed, and its instance may not be called again.

    ``reason`` is one line, ``trapped`` tells guest code that stopped from an answer that breaks the ABI, and ``frames``
    are the Wasm frames as ``module!function``, innermost first.
    """

    def __init__(self, failure: Failure, reason: str, frames: tuple[str, ...] = (), *, trapped: bool = False) -> None:
        super().__init__(reason)
        self.failure = failure
        self.reason = reason
        self.frames = frames
        self.trapped = trapped


class NativeGuest:
    """An instance's hooks by number, called through C.

    Made for a store before anything is instantiated in it, so that a start function can log; owns the C side, and keeps
    the store alive. ``guest`` and ``first_call`` number its log lines.
    """

    __slots__ = ("_capacity", "_handle", "_labels", "_log", "_store", "_view")

    def __init__(self, store: Store, log: LogBuffer, guest: int, first_call: int, result_limit: int) -> None:
        context = ctypes.cast(store._context(), ctypes.c_void_p).value
        assert context is not None
        handle = lib.snt_guest_new(ENGINE_TABLE, context, guest, first_call, result_limit)
        if handle == ffi.NULL:
            raise MemoryError
        self._handle = ffi.gc(handle, lib.snt_guest_free)
        self._store = store
        self._log = log
        self._labels = log.labels
        self._capacity = 0
        self._view = ffi.buffer(ffi.new("uint8_t[]", 0))

    def bind(self, memory: Memory, realloc: Func) -> None:
        """Take the instance's memory and ``cabi_realloc``, both already checked for their exact type."""
        lib.snt_guest_bind(self._handle, ctypes.addressof(memory._memory), ctypes.addressof(realloc._func))

    def bind_hook(self, slot: int, shape: Shape, function: Func, post: Func | None) -> None:
        """Make ``function`` the hook ``slot``; its type, and that of its post-return, have been checked exactly."""
        bound = lib.snt_guest_bind_hook(
            self._handle,
            slot,
            shape.lists,
            shape.flag,
            shape.returns,
            ctypes.addressof(function._func),
            0 if post is None else ctypes.addressof(post._func),
        )
        if not bound:
            raise ValueError(f"hook slot {slot}")

    def call(
        self, slot: int, first: bytes = b"", second: bytes = b"", flag: bool = False, label: str = ""
    ) -> bytes | None:
        """Call a hook; ``None`` stands for ``nil``, an empty result and none. ``label`` marks what the guest logs.

        Raises `CallFailed`.
        """
        length = _call(self._handle, slot, first, len(first), second, len(second), flag)
        if not length:
            return None
        if length < 0:
            if lib.snt_guest_wrote(self._handle):
                self._label(label)
            raise self._failed(Failure(length))
        if length > _LENGTH:
            self._label(label)
            length &= _LENGTH
            if not length:
                return None
        if length > self._capacity:
            self._view_output()
        return self._view[:length]

    def _label(self, label: str) -> None:
        # Only for lines that the buffer kept, so that the labels are as bounded as the lines.
        self._labels[lib.snt_guest_calls(self._handle)] = label

    def _view_output(self) -> None:
        self._capacity = lib.snt_guest_capacity(self._handle)
        self._view = ffi.buffer(lib.snt_guest_output(self._handle), self._capacity)

    def _failed(self, failure: Failure) -> CallFailed:
        if failure is Failure.REFUSED:
            self._view_output()
            message = self._view[: lib.snt_guest_length(self._handle)]
            return CallFailed(failure, message.decode(errors="replace"))
        if failure not in (Failure.TRAP_IN_REALLOC, Failure.TRAP_IN_HOOK, Failure.TRAP_IN_POST):
            return CallFailed(failure, _REASONS[failure])
        where = _WHERE.get(failure, "")
        if address := lib.snt_guest_take_trap(self._handle):
            trap = Trap._from_ptr(ctypes.cast(address, ctypes.POINTER(_bindings.wasm_trap_t)))
            return CallFailed(failure, trap_reason(trap) + where, trap_frames(trap), trapped=True)
        address = lib.snt_guest_take_error(self._handle)
        error = WasmtimeError._from_ptr(ctypes.cast(address, ctypes.POINTER(_bindings.wasmtime_error_t)))
        return CallFailed(failure, last_line(str(error)) + where, error_frames(error), trapped=True)


def trap_reason(trap: Trap) -> str:
    """What a trap says, without the backtrace that the engine puts before it."""
    return last_line(trap.message).removeprefix("wasm trap: ")


def trap_frames(trap: Trap) -> tuple[str, ...]:
    """A trap's frames as ``module!function``, innermost first; a function without a name is its index."""
    return tuple(map(_frame, trap.frames))


def error_frames(error: WasmtimeError) -> tuple[str, ...]:
    """The same for an error: what a host function refused is one to the engine, not a trap."""
    found = FrameList(error)
    _bindings.wasmtime_error_wasm_trace(error.ptr(), ctypes.byref(found.vec))
    return tuple(_frame(Frame._from_ptr(found.vec.data[index], found)) for index in range(found.vec.size))


def _frame(frame: Frame) -> str:
    return f"{frame.module_name or '<module>'}!{frame.func_name or f'<function {frame.func_index}>'}"


def last_line(text: str) -> str:
    """The innermost cause of an engine's message, which lists causes line by line, numbered when there are several."""
    lines = text.strip().splitlines()
    return _NUMBER.sub("", lines[-1].strip()) if lines else "no reason given"
