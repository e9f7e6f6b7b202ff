"""The buffer that guests' log lines wait in, filled by C during a call and drained between calls."""

from __future__ import annotations

import struct

from sentinel_host.native._native import ffi, lib
from sentinel_host.native.capi import ENGINE_TABLE
from sentinel_host.native.imports import ImportedFunction

# snt_log_line in host/native/src/log.h.
_HEADER = struct.Struct("<QQII")
assert _HEADER.size == lib.SNT_SIZEOF_LOG_LINE

# What an access log writes in a twentieth of a second, the time between two drains, at 60,000 requests a second.
DEFAULT_CAPACITY = 1024 * 1024


LogLine = tuple[int, str | None, int, bytes]
"""One line as the guest wrote it: the id that the guest is registered by, the call's label if any, level, message."""


class LogBuffer:
    """Lines of every guest in one worker, bounded: what does not fit is dropped and counted.

    ``labels`` maps a call's number to what the caller wants to find in that call's lines, the request's id. It is
    filled only for calls that wrote something, and cleared by `drain`.
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        handle = lib.snt_log_new(ENGINE_TABLE, capacity)
        if handle == ffi.NULL:
            raise MemoryError
        self._handle = ffi.gc(handle, lib.snt_log_free)
        self._scratch = ffi.new("uint8_t[]", capacity)
        self._view = ffi.buffer(self._scratch)
        self._dropped = ffi.new("uint64_t *")
        self._address = int(ffi.cast("uintptr_t", handle))
        self.labels: dict[int, str] = {}

    @property
    def write_import(self) -> ImportedFunction:
        """The function ``write``, for guests to import; the buffer must outlive them."""
        return ImportedFunction(lib.snt_log_write_address(), self._address)

    def drain(self) -> tuple[list[LogLine], int]:
        """Take every line out, oldest first, and the number of lines that were dropped since the last time."""
        size = lib.snt_log_drain(self._handle, self._scratch, self._dropped)
        data = self._view[:size]
        lines: list[LogLine] = []
        offset = 0
        while offset < size:
            guest, call, length, level = _HEADER.unpack_from(data, offset)
            start = offset + _HEADER.size
            offset = start + length
            lines.append((guest, self.labels.get(call), level, data[start:offset]))
        self.labels.clear()
        return lines, int(self._dropped[0])
