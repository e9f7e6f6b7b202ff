"""The calls of hooks that ended last, kept in C, so that a request can be looked into when it is
over.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from sentinel_host.native._native import ffi, lib

if TYPE_CHECKING:
    from sentinel_host.native._native import TrailHandle

# 80 bytes each: what one request looks back at while others go on, at 10,000 calls a second for
# more than a second.
_CAPACITY: Final = 16_384
# Calls of one request: a body of many pieces has more, of which the last are told.
_MOST: Final = 256
# Marks are numbers of 16 bits, given again when all are used up.
_MARKS: Final = 1 << 16
# `snt_trail_call` of host/native/src/trail.h: its label is passed over.
_CALL: Final = Struct(f"={ffi.offsetof('snt_trail_call', 'began_ns')}xQQQqIHH")


class TrailCall:
    """A call that has ended: of whose hook, when, and how.

    Times are nanoseconds of the performance counter; ``running`` is the guest's own running time.
    ``result`` is the answer's size in bytes, or a failure's number; ``taken`` the size of the first
    list.
    """

    __slots__ = ("began", "ended", "guest", "result", "running", "slot", "taken", "version")

    def __init__(
        self, guest: str, version: str, slot: int, began: int, ended: int, running: int, result: int, taken: int
    ) -> None:
        self.guest = guest
        self.version = version
        self.slot = slot
        self.began = began
        self.ended = ended
        self.running = running
        self.result = result
        self.taken = taken


class Trail:
    """The trail of one worker's guests; off until somebody sets ``is_enabled``."""

    __slots__ = ("_found", "_marked", "_next", "handle")

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self.handle: TrailHandle = lib.snt_trail_new(capacity)
        if self.handle == ffi.NULL:
            raise MemoryError
        self.handle = ffi.gc(self.handle, lib.snt_trail_free)
        self._found = ffi.new("snt_trail_call[]", _MOST)
        self._marked: dict[int, tuple[str, str]] = {}
        self._next = 0

    @property
    def is_enabled(self) -> bool:
        """Whether calls are noted."""
        return self.handle.enabled

    @is_enabled.setter
    def is_enabled(self, enabled: bool) -> None:
        self.handle.enabled = enabled

    def mark(self, guest: str, version: str) -> int:
        """The number by which calls of a guest's version are known."""
        mark, self._next = self._next, (self._next + 1) % _MARKS
        self._marked[mark] = (guest, version)
        return mark

    def find(self, label: bytes, since: int) -> list[TrailCall]:
        """The calls with this label that ended at ``since`` or later, oldest first; of many, the
        last.
        """
        count: int = lib.snt_trail_find(self.handle, label, since, self._found, _MOST)
        calls: list[TrailCall] = []
        # One look at the bytes costs a tenth of what each field of each struct does by itself.
        for began, ended, running, result, taken, mark, hook in _CALL.iter_unpack(
            ffi.buffer(self._found, count * _CALL.size)[:]
        ):
            guest, version = self._marked[mark]
            calls.append(TrailCall(guest, version, hook, began, ended, running, result, taken))
        calls.reverse()
        return calls
