"""The chunked transfer coding of a response (RFC 9112 section 7.1), read strictly.

Rules:
1. It knows the exact byte at which the message ends, so that whatever follows can be told from it. llhttp does not say.
2. A piece of data that fills a received buffer is that buffer; nothing is copied.
3. No leniency but one: hexadecimal digits only, CRLF only, no control characters in extensions, bounded lines and
   trailers. Spaces and tabs may follow a size, as servers that pad it to a fixed width send them, and as other clients
   accept them. The grammar has none (RFC 9112 section 7.1), so that a request's are refused, by the lane.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

MAX_LINE: Final = 4096
"""Bytes of a chunk-size line with its extensions; Go's net/http and hyper allow 4 and 16 KiB."""

_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_LINE_BEGUN: Final = re.compile(rb"(?:[0-9A-Fa-f]{1,15}[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r?)?")


class MalformedBody(Exception):
    """The bytes are not the chunked coding; the text says what was wrong."""


class _State(IntEnum):
    SIZE = 0
    DATA = 1
    DATA_END = 2
    TRAILERS = 3
    DONE = 4


_SIZE, _DATA, _DATA_END, _TRAILERS, _DONE = _State


class ChunkedDecoder:
    """Decodes one body. ``trailers`` is the raw trailer section, final blank line included, ``b""`` if it is empty."""

    __slots__ = ("_left", "_max_trailers", "_partial", "_state", "trailers")

    def __init__(self, max_trailers: int) -> None:
        self._state = _SIZE
        self._left = 0
        self._partial = b""
        self._max_trailers = max_trailers
        self.trailers = b""

    @property
    def done(self) -> bool:
        return self._state is _DONE

    def feed(self, data: bytes, pieces: list[bytes]) -> int:
        """Append the body's pieces in ``data`` to ``pieces``; answer how many bytes of ``data`` lie after the message.

        Raises MalformedBody.
        """
        if self._partial:
            data = self._partial + data
            self._partial = b""
        at, end = 0, len(data)
        while at < end:
            state = self._state
            if state is _DATA:
                piece = data[at : at + self._left] if at or end > self._left else data
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _DATA_END
            elif state is _SIZE:
                line = _LINE.match(data, at)
                if line is None:
                    self._begin_line(data[at:])
                    return 0
                if line.end() - at > MAX_LINE:
                    raise MalformedBody("a chunk-size line is too long")
                at = line.end()
                self._left = int(line[1], 16)
                self._state = _DATA if self._left else _TRAILERS
            elif state is _DATA_END:
                if data.startswith(b"\r\n", at):
                    at += 2
                    self._state = _SIZE
                elif end - at == 1 and data[at] == 0x0D:
                    self._partial = b"\r"
                    return 0
                else:
                    raise MalformedBody("a chunk does not end with CRLF")
            elif state is _TRAILERS:
                after = self._end_of_trailers(data, at)
                if after < 0:
                    return 0
                at = after
                self._state = _DONE
            else:
                break
        return end - at

    def _begin_line(self, rest: bytes) -> None:
        if len(rest) > MAX_LINE:
            raise MalformedBody("a chunk-size line is too long")
        if _LINE_BEGUN.fullmatch(rest) is None:
            raise MalformedBody("a chunk size is malformed")
        self._partial = rest

    def _end_of_trailers(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            return at + 2
        found = data.find(b"\r\n\r\n", at)
        size = (len(data) if found < 0 else found + 4) - at
        if size > self._max_trailers:
            raise MalformedBody("the trailers are too long")
        if found < 0:
            self._partial = data[at:]
            return -1
        self.trailers = data[at : found + 4]
        return found + 4
