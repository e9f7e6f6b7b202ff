"""One instance as Python calls it: bytes in, bytes out, one exception for failures, and suspended
calls.
"""

from __future__ import annotations

import enum
from typing import Final

from sentinel_host.native._calls import bind, call, call_chunk
from sentinel_host.native._native import ffi, lib
from sentinel_host.native.failure import REASONS, TRAPS, CallFailed, Failure, Phase, failed_by_error, failed_by_trap
from sentinel_host.native.plan import Plan

_RETIRABLE: Final = lib.SNT_RETIRABLE
_LENGTH: Final = _RETIRABLE - 1
# And SNT_WAITING, which is below it.
_SUSPENDED: Final = lib.SNT_SUSPENDED
_WAITING: Final = lib.SNT_WAITING
_call: Final = call
_call_chunk: Final = call_chunk
_resume: Final = lib.snt_resume

bind(
    int(ffi.cast("uintptr_t", ffi.addressof(lib, "snt_call"))),
    int(ffi.cast("uintptr_t", ffi.addressof(lib, "snt_guest_output"))),
    int(ffi.cast("uintptr_t", ffi.addressof(lib, "snt_guest_move"))),
)


class Suspension(enum.Enum):
    """The result of a call that was suspended after its ticks: `NativeGuest.resume` continues
    it.
    """

    SUSPENDED = 0


SUSPENDED: Final = Suspension.SUSPENDED


class NativeGuest:
    """An instance's hooks by number, called through C, in a store of its own.

    Owns the C side, whose ``address`` is 0 once it is closed. ``is_retirable`` is set once the
    instance should be retired, ``is_waiting`` while a suspended call waits for the answer to an
    outbound request.
    """

    __slots__ = ("_handle", "_pinned", "_plan", "address", "is_retirable", "is_waiting")

    def __init__(self, plan: Plan) -> None:
        handle = lib.snt_guest_new(plan.handle)
        if handle == ffi.NULL:
            raise MemoryError
        self._handle = ffi.gc(handle, lib.snt_guest_free)
        # An object, so that who reads it from C makes no new number of it.
        self.address: object = int(ffi.cast("uintptr_t", handle))
        self._plan = plan
        # A suspended call's lists and label. The C reads them when the call goes on.
        self._pinned: tuple[bytes, bytes, bytes] | None = None
        self.is_retirable = False
        self.is_waiting = False

    def start(self, config: bytes) -> Suspension | None:
        """Make the instance: its start function, ``_initialize``, ``configure`` with this
        configuration, ``sentinel_needed_hooks`` and ``sentinel_argument_area``.

        Raises `CallFailed`.
        """
        status = lib.snt_guest_start(self._handle, config, len(config))
        if status == _SUSPENDED:
            self._pinned = (config, b"", b"")
            return SUSPENDED
        self._result(status)
        return None

    def call(
        self, slot: int, first: bytes = b"", second: bytes = b"", flag: bool = False, label: bytes = b""
    ) -> bytes | Suspension | None:
        """Call a hook; ``None`` stands for ``nil``, an empty result and none. ``label`` marks what
        the guest logs: text without zero bytes.

        Raises `CallFailed`.
        """
        answer = _call(self.address, slot, first, second, flag, label)
        if answer is None or isinstance(answer, bytes):
            return answer
        return self.conclude(answer, first, second, label)

    def call_chunk(
        self, slot: int, chunk: bytes, context: bytes, last: bool, label: bytes
    ) -> tuple[bytes] | bytes | Suspension | None:
        """As `call`, for a hook for chunks: a tuple holds the bytes in the chunk's place, of an
        answer that says no more than that. It need not be decoded.
        """
        answer = _call_chunk(self.address, slot, chunk, context, last, label)
        if isinstance(answer, int):
            return self.conclude(answer, chunk, context, label)
        return answer

    def conclude(self, answer: int, first: bytes, second: bytes, label: bytes) -> bytes | Suspension | None:
        """What C returned of a call with these lists and label that is not plainly over; see
        `call`.
        """
        if answer <= _SUSPENDED:
            self._pinned = (first, second, label)
            return self._suspended(answer)
        return self._result(answer)

    def resume(self) -> bytes | Suspension | None:
        """Go on with a suspended call or start for some ticks; answers and raises as the one that
        was suspended.
        """
        length = _resume(self._handle)
        if length <= _SUSPENDED:
            return self._suspended(length)
        self._pinned = None
        return self._result(length)

    async def ask(self) -> None:
        """Get the answer that a suspended call waits for; `resume` then continues the call. Does
        nothing for a call that does not wait. After cancelling this, close the instance.
        """
        outbound = self._plan.outbound
        pinned = self._pinned
        if not self.is_waiting or outbound is None or pinned is None:
            return
        request = ffi.buffer(lib.snt_guest_wanted(self._handle), lib.snt_guest_wanted_length(self._handle))[:]
        error, answer = await outbound.fetch(request, pinned[2].decode())
        if not lib.snt_guest_deliver(self._handle, error, answer, len(answer)):
            raise MemoryError
        self.is_waiting = False

    @property
    def needed_hooks(self) -> int:
        """What a started instance says of the hooks that it needs, by the bits of `NEEDED_HOOKS`."""
        return lib.snt_guest_needed_hooks(self._handle)

    @property
    def phase(self) -> Phase:
        """What the instance is doing."""
        return Phase(lib.snt_guest_phase(self._handle))

    def close(self) -> None:
        """Free instance and store; a suspended call ends. Nothing may be called any more."""
        ffi.release(self._handle)
        self.address = 0
        self._pinned = None

    def _result(self, length: int) -> bytes | None:
        if length < 0:
            raise self._failed(Failure(length))
        if length > _LENGTH:
            self.is_retirable = True
            length &= _LENGTH
        if not length:
            return None
        return self._output(length)

    def _suspended(self, length: int) -> Suspension:
        self.is_waiting = length == _WAITING
        return SUSPENDED

    def _output(self, length: int) -> bytes:
        # Asked for anew each time: quick calls, which never come here, may have moved it.
        return ffi.buffer(lib.snt_guest_output(self._handle), length)[:]

    def _failed(self, failure: Failure) -> CallFailed:
        phase = self.phase
        if failure is Failure.REFUSED:
            message = self._output(lib.snt_guest_length(self._handle))
            return CallFailed(failure, message.decode(errors="replace"), phase=phase)
        if failure not in TRAPS:
            return CallFailed(failure, REASONS[failure], phase=phase)
        timed_out = lib.snt_guest_timed_out(self._handle)
        if trap := lib.snt_guest_take_trap(self._handle):
            return failed_by_trap(failure, phase, trap, timed_out)
        return failed_by_error(failure, phase, lib.snt_guest_take_error(self._handle), timed_out)
