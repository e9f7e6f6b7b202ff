"""What one stream of HTTP/2 says of its response, without I/O (RFC 9113 section 8.1).

Rules:
1. A response is interim heads, one final head, DATA, and perhaps trailers, which end it. Anything
   else is `Malformed`.
2. What DATA brings is as long as Content-Length says, and nothing where there is no body.
3. Interim heads may together take what one head may.

What each state makes of what comes is `_TABLE`. `END` is the state after END_STREAM, whichever
frame had it.
"""

from __future__ import annotations

from typing import Final

from sentinel_host.http.client.h2_fields import read_response, read_trailers
from sentinel_host.http.field_section import Fields, Malformed, section_size

HEAD: Final = 0
BODY: Final = 1
END: Final = 2

# What came.
_INTERIM: Final = 0
_FINAL: Final = 1
_SECTION: Final = 2  # one without a status
_DATA: Final = 3
# With END_STREAM, the same numbers are these higher.
_ENDING: Final = 4

# What it is.
INFORMATIONAL: Final = 0
RESPONSE: Final = 1
PIECE: Final = 2
TRAILERS: Final = 3
_FAULT: Final = 4

# By state, for what came: without END_STREAM, then with it.
# As bytes: compiled, a tuple would be made anew for each look-up.
_TABLE: Final = bytes(
    (
        *(INFORMATIONAL, RESPONSE, _FAULT, _FAULT, _FAULT, RESPONSE, _FAULT, _FAULT),  # HEAD
        *(_FAULT, _FAULT, _FAULT, PIECE, _FAULT, _FAULT, TRAILERS, PIECE),  # BODY
        *(_FAULT, _FAULT, _FAULT, _FAULT, _FAULT, _FAULT, _FAULT, _FAULT),  # END
    )
)
_WAYS: Final = 8
_STATUSES: Final = frozenset((204, 304))


class ResponseReader:
    """``status``, ``headers`` and ``trailers`` are what came; ``informational`` counts the bytes of
    interim heads.
    """

    __slots__ = ("_has_body", "_left", "_max_head_bytes", "headers", "informational", "state", "status", "trailers")

    def __init__(self, method: bytes, max_head_bytes: int) -> None:
        self.state = HEAD
        self.status = 0
        self.headers: Fields = []
        self.trailers: Fields = []
        self.informational = 0
        self._max_head_bytes = max_head_bytes
        self._has_body = method != b"HEAD"
        # Of the body, by Content-Length; -1: that is not known.
        self._left = -1

    def section(self, fields: Fields, is_whole: bool, ended: bool) -> int:
        """Read a field section: INFORMATIONAL, RESPONSE or TRAILERS. Raises `Malformed`."""
        if not is_whole:
            raise Malformed(f"the response head is larger than {self._max_head_bytes} bytes")
        if self.state != HEAD:
            what = self._look_up(_SECTION, ended)
            self.trailers = read_trailers(fields)
            self._end()
            return what
        self.status, self.headers, length = read_response(fields)
        what = self._look_up(_INTERIM if self.status < 200 else _FINAL, ended)
        if what == INFORMATIONAL:
            self._inform(fields)
            return what
        self.state = BODY
        if self.status in _STATUSES:
            self._has_body = False
        if self._has_body:
            self._left = length
        if ended:
            self._end()
        return what

    def data(self, size: int, ended: bool) -> None:
        """Read so many bytes of the body. Raises `Malformed`."""
        self._look_up(_DATA, ended)
        if size and not self._has_body:
            raise Malformed("the response has a body where there is none")
        if self._left >= 0:
            self._left -= size
            if self._left < 0:
                raise Malformed("the response's body is longer than its Content-Length")
        if ended:
            self._end()

    def _look_up(self, came: int, ended: bool) -> int:
        what = _TABLE[self.state * _WAYS + came + (_ENDING if ended else 0)]
        if what == _FAULT:
            raise Malformed("a frame that the response cannot have there")
        return what

    def _inform(self, fields: Fields) -> None:
        if self.status == 101:
            raise Malformed("it answered 101, which HTTP/2 does not have")
        self.informational += section_size(fields)
        if self.informational > self._max_head_bytes:
            raise Malformed(f"the informational responses are larger than {self._max_head_bytes} bytes")

    def _end(self) -> None:
        if self._left > 0:
            raise Malformed("the response's body is shorter than its Content-Length")
        self.state = END
