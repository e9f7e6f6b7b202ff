"""The chunked transfer coding (RFC 9112 section 7.1), read strictly, of requests and of responses.

Rule 1: A size is 1 to 15 hexadecimal digits: no sign, no prefix, no overflow of 63 bits.
Rule 2: Every line ends in CRLF. A bare CR or LF is never a line's end.
Rule 3: Extensions are bounded and dropped.
Rule 4: The decoder knows the byte at which the message ends, which llhttp does not report.
Rule 5: If a received buffer is all data, the same object is passed on; nothing is copied.
Rule 6: Trailers are a list of their own, and never become header fields.
"""

from __future__ import annotations

import re
from typing import Final

from sentinel_host.grammar import FIELD, FIELD_LINE, FIELD_VALUE, TOKEN

Headers = list[tuple[bytes, bytes]]

_UNBOUNDED: Final = 1 << 62

_QUOTED: Final = rb"\"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+\""
_EXTENSIONS: Final = rb"((?:;" + TOKEN + rb"(?:=(?:" + TOKEN + rb"|" + _QUOTED + rb"))?)*+)"
_LOOSE_EXTENSIONS: Final = rb"((?:;" + FIELD_VALUE + rb")?)"
_SIZE: Final = rb"([0-9A-Fa-f]{1,15}+)"
_TRAILERS: Final = re.compile(rb"\r\n(?:" + FIELD_LINE + rb")*+\r\n")
_TRAILERS_END: Final = re.compile(rb"\n\r?\n")


class MalformedBody(Exception):
    """The bytes are not the chunked coding; the text says what was wrong."""


class BodyTooLarge(MalformedBody):
    """A chunk size exceeds the limit of the body."""


class TrailersTooLarge(MalformedBody):
    """The trailer section exceeds its limit."""


class ChunkRules:
    """How a size line is read: its bytes at most, and those of one body's extensions.

    ``padded`` allows white space after a size, and takes any text for extensions.
    """

    __slots__ = ("first", "first_begun", "max_extensions", "max_line", "next", "next_begun")

    def __init__(self, max_line: int, max_extensions: int, padded: bool) -> None:
        self.max_line = max_line
        self.max_extensions = max_extensions
        size = _SIZE + rb"[ \t]*+" if padded else _SIZE
        line = size + (_LOOSE_EXTENSIONS if padded else _EXTENSIONS) + rb"\r\n"
        # The form of an unfinished line. Anything else is refused without waiting for its end.
        begun = rb"(?:" + size + rb"(?:;" + FIELD_VALUE + rb")?\r?)?"
        self.first = re.compile(line)
        self.next = re.compile(rb"\r\n" + line)
        self.first_begun = re.compile(begun)
        self.next_begun = re.compile(rb"(?:\r(?:\n" + begun + rb")?)?")


# Node gives extensions 16 KiB per body since CVE-2024-22019: body limits do not see them.
OF_REQUESTS: Final = ChunkRules(max_line=256, max_extensions=16 * 1024, padded=False)
# Servers that pad sizes to a fixed width write spaces after them, and other clients accept that.
# The grammar forbids it, so in requests it is refused. Go's net/http and hyper allow lines of 4 and
# 16 KiB.
OF_RESPONSES: Final = ChunkRules(max_line=4096, max_extensions=_UNBOUNDED, padded=True)


class ChunkedDecoder:
    """Decodes one body. ``trailers`` are its trailer fields once ``done`` is true, names in lower
    case.
    """

    __slots__ = (
        "_begun",
        "_carry",
        "_extensions",
        "_in_chunk",
        "_in_trailers",
        "_left",
        "_line",
        "_max_trailers",
        "_rules",
        "done",
        "trailers",
    )

    def __init__(self, rules: ChunkRules, max_trailers: int, max_body: int | None = None) -> None:
        self.done = False
        self.trailers: Headers = []
        self._rules = rules
        self._max_trailers = max_trailers
        self._left = _UNBOUNDED if max_body is None else max_body
        self._in_chunk = 0
        self._carry = b""
        self._extensions = 0
        self._in_trailers = False
        self._line = rules.first
        self._begun = rules.first_begun

    def feed(self, data: bytes, pieces: list[bytes]) -> int:
        """Append the body's pieces in ``data`` to ``pieces``; answer how many bytes of ``data`` lie
        after the message.

        Raises MalformedBody. Pieces before the fault are appended all the same.
        """
        if self.done:
            return len(data)
        position = self._in_chunk
        if position:
            if position > len(data):
                self._in_chunk = position - len(data)
                pieces.append(data)
                return 0
            pieces.append(data if position == len(data) else data[:position])
            self._in_chunk = 0
        if self._carry:
            data = self._carry + data[position:]
            position = 0
            self._carry = b""
        rules = self._rules
        while not self._in_trailers:
            match = self._line.match(data, position, position + rules.max_line)
            if match is None:
                self._carry = data[position:]
                if len(self._carry) >= rules.max_line or self._begun.fullmatch(self._carry) is None:
                    raise MalformedBody("malformed chunk")
                return 0
            self._line = rules.next
            self._begun = rules.next_begun
            digits, extensions = match.groups()
            if extensions:
                self._extensions += len(extensions)
                if self._extensions > rules.max_extensions:
                    raise MalformedBody("too many chunk extensions")
            position = match.end()
            size = int(digits, 16)
            if not size:
                self._in_trailers = True
                # Begin with the size line's own CRLF, so that an empty trailer section is no
                # special case.
                position -= 2
                break
            # A size has at most 60 bits, so that a single chunk cannot reach _UNBOUNDED.
            if self._left != _UNBOUNDED:
                self._left -= size
                if self._left < 0:
                    raise BodyTooLarge("request body too large")
            chunk = data[position : position + size]
            if chunk:
                pieces.append(chunk)
            position += size
            if len(chunk) < size:
                self._in_chunk = size - len(chunk)
                return 0
        return self._read_trailers(data, position)

    def _read_trailers(self, data: bytes, position: int) -> int:
        end = _TRAILERS_END.search(data, position, position + self._max_trailers)
        if end is None:
            self._carry = data[position:]
            if len(self._carry) >= self._max_trailers:
                raise TrailersTooLarge("trailer section too large")
            return 0
        if _TRAILERS.fullmatch(data, position, end.end()) is None:
            raise MalformedBody("malformed trailer section")
        self.trailers = [(name.lower(), value.strip()) for name, value in FIELD.findall(data, position + 2, end.end())]
        self.done = True
        return len(data) - end.end()
