"""From the bytes of one connection to the heads of its requests; `head` has the rules."""

from __future__ import annotations

from typing import Final

from sentinel_host.errors import ClientError
from sentinel_host.fields import read_head
from sentinel_host.http._heads import read_request
from sentinel_host.http.h1.head import as_http11, refusal
from sentinel_host.http.h1.llhttp import parse_head
from sentinel_host.http.h1.parsed_head import ParsedHead
from sentinel_host.http.methods import METHODS
from sentinel_host.http.server.limits import ServerLimits

# What `HeadReader.read` finds.
INCOMPLETE: Final = 0
"""More bytes are needed; ``rest`` are those to read again with them."""
COMPLETE: Final = 1
"""A head: ``head``, ``method``, ``http11``; ``rest`` follows it."""
REFUSED: Final = 2
"""A head that is refused with ``error``."""
PREFACE: Final = 3
"""HTTP/2's preface."""

_read_request: Final = read_request
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class HeadReader:
    """Reads one head after another. The attributes that belong to a result are named with it
    above.
    """

    __slots__ = ("_limits", "_skipped_line", "_upgradable", "error", "head", "http11", "method", "rest")

    error: ClientError

    def __init__(self, limits: ServerLimits, *, upgradable: bool) -> None:
        """If ``upgradable``, HTTP/2's preface is recognised in place of the first head."""
        self._limits = limits
        self._upgradable = upgradable
        self._skipped_line = False
        self.head: ParsedHead | None = None
        self.method = ""
        self.http11 = True
        self.rest = b""

    def read(self, data: bytes) -> int:
        """Look for a head at the start of ``data``."""
        limits = self._limits
        plain = _read_request(data)
        if plain is not None:
            end, method, target, headers, length, close = plain
            if end <= limits.head_bytes and len(headers) <= limits.header_count:
                self.head = ParsedHead(target, headers, length, close, False, b"")
                return self._complete(method, True, data[end:] if end < len(data) else b"")
        return self._read_unusual(data)

    def _read_unusual(self, data: bytes) -> int:
        """Read what is not plain, with llhttp if `read_head` accepts its bytes."""
        found = read_head(data, self._limits.head_bytes, self._limits.header_count)
        if found is not None:
            end, name, http11 = found
            method = METHODS.get(name)
            if method is not None:
                try:
                    self.head = parse_head(data[:end], http11)
                except ClientError as error:
                    return self._refuse(error)
                return self._complete(method, http11, data[end:])
        return self._read_odd(data)

    def _read_odd(self, data: bytes) -> int:
        """Read what `read_head` did not accept.

        That is an incomplete head, one after an empty line, one of another HTTP version, HTTP/2's
        preface, or a head to refuse.
        """
        if self._upgradable and _PREFACE.startswith(data[: len(_PREFACE)]):
            if len(data) >= len(_PREFACE):
                return PREFACE
        elif data[:2] == b"\r\n" and not self._skipped_line:
            self._skipped_line = True
            if len(data) > 2:
                return self.read(data[2:])
            data = b""
        elif data != b"\r" or self._skipped_line:
            known = as_http11(data)
            if known is not None:
                return self.read(known)
            error = refusal(data, self._limits.head_bytes, self._limits.header_count)
            if error is not None:
                return self._refuse(error)
        self.rest = data
        return INCOMPLETE

    def _complete(self, method: str, http11: bool, rest: bytes) -> int:
        self.method = method
        self.http11 = http11
        self.rest = rest
        self._upgradable = self._skipped_line = False
        return COMPLETE

    def _refuse(self, error: ClientError) -> int:
        self.error = error
        return REFUSED
