"""The buffer that guests' log lines wait in, filled by C during a call and drained between
calls.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator
from typing import Final, NamedTuple

from sentinel_host.native._native import ffi, lib
from sentinel_host.native.capi import ENGINE_TABLE
from sentinel_host.native.imports import ImportedFunction

# snt_log_line in host/native/src/log.h.
_HEADER: Final = struct.Struct("<4H")
_HEADER_SIZE: Final = _HEADER.size
assert lib.SNT_SIZEOF_LOG_LINE == _HEADER_SIZE

# What an access log writes at 60,000 requests a second until a drain: two fifths of a second after
# a silence. Memory is taken as it is written to.
DEFAULT_CAPACITY = 8 << 20
_new_uncleared = ffi.new_allocator(should_clear_after_alloc=False)
# Bytes of JSON that C makes at a time; one line takes less than a third of them.
_ROOM: Final = 65536


class LogLine(NamedTuple):
    """One line as the guest wrote it: level, the guest's name, the call's label if any, message.

    ``end`` is where the next one begins.
    """

    level: int
    guest: bytes
    label: bytes
    message: bytes
    end: int


def lines_of(data: bytes, start: int = 0) -> Iterator[LogLine]:
    """What was drained, line by line, beginning at one of them."""
    while start < len(data):
        level, *lengths = _HEADER.unpack_from(data, start)
        guest = start + _HEADER.size
        label = guest + lengths[0]
        message = label + lengths[1]
        start = message + lengths[2]
        yield LogLine(level, data[guest:label], data[label:message], data[message:start], start)


def labelled_lines(data: bytes, labels: Container[bytes]) -> list[LogLine]:
    """Of what was drained, the lines with one of these labels."""
    found: list[LogLine] = []
    start = 0
    while start < len(data):
        level, guest_size, label_size, size = _HEADER.unpack_from(data, start)
        guest = start + _HEADER_SIZE
        label_at = guest + guest_size
        message = label_at + label_size
        start = message + size
        label = data[label_at:message]
        if label in labels:
            found.append(LogLine(level, data[guest:label_at], label, data[message:start], start))
    return found


def relabel(data: bytes, label: bytes) -> bytes:
    """The same lines, each with that label."""
    pieces = []
    for line in lines_of(data):
        header = _HEADER.pack(line.level, len(line.guest), len(label), len(line.message))
        pieces.append(header + line.guest + label + line.message)
    return b"".join(pieces)


class LogBuffer:
    """Lines of guests, those of a worker or one in its self-test, bounded: what does not fit is
    dropped and counted.
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        handle = lib.snt_log_new(ENGINE_TABLE, capacity)
        if handle == ffi.NULL:
            raise MemoryError
        self.handle = ffi.gc(handle, lib.snt_log_free)
        self._scratch = _new_uncleared("uint8_t[]", capacity)
        self._view = ffi.buffer(self._scratch)
        self._dropped = ffi.new("uint64_t *")
        self._json = ffi.new("uint8_t[]", _ROOM)
        self._json_view = ffi.buffer(self._json)
        self._offset = ffi.new("size_t *")
        self._address = int(ffi.cast("uintptr_t", handle))

    @property
    def write_import(self) -> ImportedFunction:
        """The function ``write``, for guests to import; the buffer must outlive them."""
        return ImportedFunction(lib.snt_log_write_address(), self._address)

    def drain(self) -> tuple[bytes, int]:
        """Take every line out, for `lines_of`, and the number of lines that were dropped since the
        last time.
        """
        size = lib.snt_log_drain(self.handle, self._scratch, self._dropped)
        return self._view[:size], int(self._dropped[0])

    def render(self, data: bytes, start: int, least: int, milliseconds: int) -> tuple[bytes, int]:
        """Drained lines from the one at ``start`` on, but for those below a level, as lines of JSON
        that tell a time, in milliseconds since 1970.

        Returns some of them, and where the first begins that is not among them. Where that is
        ``start``, C does not write that one, because it is not all printable ASCII.
        """
        self._offset[0] = start
        size = lib.snt_log_render(data, len(data), self._offset, least, milliseconds, self._json, _ROOM)
        return self._json_view[:size], int(self._offset[0])
