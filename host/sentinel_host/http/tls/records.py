"""Where TLS records begin and end in a stream of bytes."""

from __future__ import annotations

from typing import Final

_HEADER: Final = 5
"""Type, version and length of a record (RFC 8446 section 5.1; RFC 5246 section 6.2.1)."""


class RecordBoundaries:
    """Follows the headers of records, which are never encrypted.

    OpenSSL keeps the first bytes of a record until the rest is there. Only the record headers show
    that.
    """

    __slots__ = ("_header", "_left")

    def __init__(self) -> None:
        self._left = 0
        self._header = b""

    @property
    def inside(self) -> bool:
        """Whether a record has begun that has not ended."""
        return self._left > 0 or bool(self._header)

    def follow(self, data: memoryview) -> None:
        """Take the next bytes of the stream."""
        size = len(data)
        at = self._left
        if self._header:
            missing = _HEADER - len(self._header)
            header = self._header + bytes(data[:missing])
            if len(header) < _HEADER:
                self._header = header
                return
            self._header = b""
            at = missing + (header[3] << 8 | header[4])
        while at + _HEADER <= size:
            at += _HEADER + int.from_bytes(data[at + 3 : at + _HEADER], "big")
        if at >= size:
            self._left = at - size
        else:
            self._left = 0
            self._header = bytes(data[at:])
