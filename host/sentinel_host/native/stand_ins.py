"""Stand-ins for the functions that guests import, in C, for tests of guests:
``host/native/src/stand_ins.h``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from sentinel_host.errors import SentinelError
from sentinel_host.native._native import ffi, lib
from sentinel_host.native.capi import ENGINE_TABLE
from sentinel_host.native.imports import ImportedFunction

if TYPE_CHECKING:
    from sentinel_host.native._native import Milliseconds

# snt_recorded of host/native/src/stand_ins.h.
_HEADER: Final = struct.Struct("<4Iq")
assert _HEADER.size == lib.SNT_SIZEOF_RECORDED


class Recorded(NamedTuple):
    """One call: the function's interface and name, the byte lists that it was given, and a number
    if it has one.
    """

    name: str
    first: bytes
    second: bytes
    number: int


class StandIns:
    """What a guest under test imports but for the log. They must outlive its instances.

    The clocks stand still at what `set_clock` says; random numbers follow from a seed.
    """

    __slots__ = ("_handle", "_lost", "_names", "_room", "_view")

    def __init__(self) -> None:
        handle = lib.snt_stand_ins_new(ENGINE_TABLE)
        if handle == ffi.NULL:
            raise MemoryError
        self._handle = ffi.gc(handle, lib.snt_stand_ins_free)
        self._room = ffi.new("uint8_t[]", lib.SNT_RECORD_BYTES)
        self._view = ffi.buffer(self._room)
        self._lost = ffi.new("uint64_t *")
        self._names: list[str] = []
        while (name := lib.snt_import_name(len(self._names))) != ffi.NULL:
            self._names.append(ffi.string(name).decode())

    def functions(self) -> dict[str, ImportedFunction]:
        """As `host_functions`."""
        environment = int(ffi.cast("uintptr_t", self._handle))
        return {
            name: ImportedFunction(lib.snt_stand_in_address(index), environment)
            for index, name in enumerate(self._names)
        }

    @property
    def now(self) -> Milliseconds:
        """Where the C finds the milliseconds by which keys run out."""
        return lib.snt_stand_ins_now(self._handle)

    def set_clock(self, wall: int, monotonic: int) -> None:
        """What the clocks tell from now on, in nanoseconds."""
        lib.snt_stand_ins_clock(self._handle, wall, monotonic)

    def seed(self, seed: int) -> None:
        """Begin another sequence of random numbers; of the seed 64 bits count."""
        lib.snt_stand_ins_seed(self._handle, seed & ((1 << 64) - 1))

    def fail_kv(self, error: int | None) -> None:
        """Let every call of ``kv`` answer that case of ``kv.error``, or none."""
        lib.snt_stand_ins_fail_kv(self._handle, -1 if error is None else error)

    def take(self) -> list[Recorded]:
        """The calls since the last time this was asked. Raises `SentinelError` if there were too
        many to keep.
        """
        size = lib.snt_stand_ins_take(self._handle, self._room, self._lost)
        if lost := int(self._lost[0]):
            raise SentinelError(f"{lost} calls of the host's functions were more than can be recorded")
        data, place, calls = self._view[:size], 0, []
        while place < size:
            index, first, second, _, number = _HEADER.unpack_from(data, place)
            place += _HEADER.size
            middle, end = place + first, place + first + second
            calls.append(Recorded(self._names[index], data[place:middle], data[middle:end], number))
            place = end
        return calls
