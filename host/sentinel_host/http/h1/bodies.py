"""The bytes of request bodies, by their framing: a counted length, or the chunked coding read strictly (RFC 9112 7.1).

Rule 1: A size is 1 to 15 hexadecimal digits: no sign, no prefix, no white space, and no overflow of 63 bits.
Rule 2: Extensions are read by their grammar, without the optional bad white space, and dropped. A size line is bounded,
        and so is what one body may spend on extensions, which body limits do not see.
Rule 3: Every line ends in CRLF. A bare CR or LF is never a line's end.
Rule 4: Data that lies wholly inside a body or a chunk is passed on as the object it came in.
Rule 5: Trailers are a list of their own and never become headers.
"""

from __future__ import annotations

import re
from math import inf
from typing import Final

from sentinel_host.errors import ClientError
from sentinel_host.http.h1.head import FIELD, FIELD_LINE, TOKEN
from sentinel_host.http.server.limits import LimitExceeded

# Node gives extensions 16 KiB per body since CVE-2024-22019.
_MAX_EXTENSIONS: Final = 16 * 1024
_MAX_LINE: Final = 256
# A quarter of what a head may have: trailers are checksums and timings.
_MAX_TRAILERS: Final = 8 * 1024

_EXTENSION: Final = rb";" + TOKEN + rb"(?:=(?:" + TOKEN + rb"|\"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+\"))?"
_LINE: Final = rb"([0-9A-Fa-f]{1,15}+)((?:" + _EXTENSION + rb")*+)\r\n"
_FIRST_SIZE: Final = re.compile(_LINE)
_NEXT_SIZE: Final = re.compile(rb"\r\n" + _LINE)
# What an unfinished size line may look like: anything else is refused without waiting for its end.
_UNFINISHED: Final = rb"(?:[0-9A-Fa-f]{1,15}+(?:;[\t -~\x80-\xff]*+)?\r?)?"
_FIRST_UNFINISHED: Final = re.compile(_UNFINISHED)
_NEXT_UNFINISHED: Final = re.compile(rb"(?:\r(?:\n" + _UNFINISHED + rb")?)?")
_TRAILER_END: Final = re.compile(rb"\n\r?\n")
_TRAILERS: Final = re.compile(rb"\r\n(?:" + FIELD_LINE + rb")*+\r\n")


class LengthDecoder:
    """Counts a body of a known length down; the same face as `ChunkDecoder`."""

    __slots__ = ("done", "remaining", "rest", "trailers")

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.done = False
        self.rest = b""
        self.trailers: list[tuple[bytes, bytes]] = []

    def feed(self, data: bytes) -> bytes:
        """The body bytes in ``data``; what follows the end of the message is left in ``rest``."""
        size = len(data)
        if size >= self.remaining:
            self.done = True
            if size > self.remaining:
                self.rest = data[self.remaining :]
                data = data[: self.remaining]
            self.remaining = 0
        else:
            self.remaining -= size
        return data


class ChunkDecoder:
    """Takes a chunked body's bytes as they come; ``done`` is true once the last trailer was read."""

    __slots__ = (
        "_carry",
        "_extensions",
        "_in_chunk",
        "_in_trailers",
        "_left",
        "_size_line",
        "_unfinished",
        "done",
        "remaining",
        "rest",
        "trailers",
    )

    def __init__(self, max_bytes: int | None) -> None:
        self.done = False
        self.rest = b""
        self.trailers: list[tuple[bytes, bytes]] = []
        # Unknown until the last chunk: no bounded drain can count on it.
        self.remaining: float = inf
        self._left: float = inf if max_bytes is None else max_bytes
        self._in_chunk = 0
        self._carry = b""
        self._extensions = 0
        self._in_trailers = False
        self._size_line = _FIRST_SIZE
        self._unfinished = _FIRST_UNFINISHED

    def feed(self, data: bytes) -> bytes:
        """The body bytes in ``data``. What follows the end of the message is left in ``rest``.

        Raises `ClientError` where a rule is broken: 400, 413 for a chunk that announces too much, 431 for trailers.
        """
        if self._in_chunk > len(data):
            self._in_chunk -= len(data)
            return data
        pieces: list[bytes] = []
        position = self._in_chunk
        if position:
            pieces.append(data[:position])
            self._in_chunk = 0
        if self._carry:
            data = self._carry + data[position:]
            position = 0
            self._carry = b""
        while not self._in_trailers:
            match = self._size_line.match(data, position, position + _MAX_LINE)
            if match is None:
                self._carry = data[position:]
                if len(self._carry) >= _MAX_LINE or self._unfinished.fullmatch(self._carry) is None:
                    raise ClientError("malformed chunk")
                break
            self._size_line = _NEXT_SIZE
            self._unfinished = _NEXT_UNFINISHED
            self._extensions += len(match[2])
            if self._extensions > _MAX_EXTENSIONS:
                raise ClientError("too many chunk extensions")
            position = match.end()
            size = int(match[1], 16)
            if not size:
                self._in_trailers = True
                # The size line's own CRLF stands in front, so that an empty trailer section is not a special case.
                position -= 2
                break
            self._left -= size
            if self._left < 0:
                raise LimitExceeded("body_bytes", "request body too large", 413)
            chunk = data[position : position + size]
            if chunk:
                pieces.append(chunk)
            position += size
            if len(chunk) < size:
                self._in_chunk = size - len(chunk)
                break
        if self._in_trailers:
            self._read_trailers(data[position:])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_trailers(self, data: bytes) -> None:
        end = _TRAILER_END.search(data, 0, _MAX_TRAILERS)
        if end is None:
            if len(data) >= _MAX_TRAILERS:
                raise LimitExceeded("head_bytes", "trailer section too large", 431)
            self._carry = data
            return
        section = data[: end.end()]
        if _TRAILERS.fullmatch(section) is None:
            raise ClientError("malformed trailer section")
        self.trailers = [(name.lower(), value.strip()) for name, value in FIELD.findall(section, 2)]
        self.rest = data[end.end() :]
        self.done = True
