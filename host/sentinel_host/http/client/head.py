"""The head of a response: where it ends, what it says, and how its body is framed (RFC 9112
sections 4 to 6).

Rules:
1. A plain head, that is whole, is read in C (`read_plain`). Any other is read by llhttp, which says
   the same of a plain one.
2. llhttp reads the head only, in a new parser for each message, and never a byte after the blank
   line. So its state about bodies, upgrades or the next message does not matter, and trailers
   cannot arrive as headers.
3. Limits count bytes and fields, whatever the pieces in which they arrive.
4. What can be read in two ways is refused: both length and coding, two codings, any coding but
   ``chunked``.
"""

from __future__ import annotations

from typing import Final

import httptools

from sentinel_host.fields import field
from sentinel_host.grammar import MAX_LENGTH_DIGITS
from sentinel_host.http._heads import read_response
from sentinel_host.http.client.request import Headers

MAX_FIELDS: Final = 200
"""Header fields of a response; Apache's LimitRequestFields is 100, and applications set many
cookies.
"""

# Never added to.
_NO_FIELDS: Final[Headers] = []

_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding", b"connection"))

_field: Final = field
_read_response: Final = read_response
_MINOR: Final = len(b"HTTP/1.")
_LATER: Final = frozenset(b"%d" % digit for digit in range(2, 10))


class MalformedHead(Exception):
    """The bytes are not an HTTP/1.x response head that has one reading; the text says what was
    wrong.
    """


class UpstreamHead:
    """What a response's head says. Names are lower-case; ``content_length`` is -1 without the
    field; ``size`` is in bytes, the blank line included. ``is_end_to_end``: all of ``headers`` may
    be passed on, and none is called X-Request-Id.
    """

    __slots__ = (
        "chunked",
        "content_length",
        "headers",
        "http_version",
        "is_end_to_end",
        "keep_alive",
        "size",
        "status",
    )

    def __init__(
        self,
        size: int,
        status: int,
        headers: Headers,
        content_length: int,
        chunked: bool,
        keep_alive: bool,
        http_version: bytes,
        is_end_to_end: bool,
    ) -> None:
        self.size = size
        self.status = status
        self.headers = headers
        self.content_length = content_length
        self.chunked = chunked
        self.keep_alive = keep_alive
        self.http_version = http_version
        self.is_end_to_end = is_end_to_end


def no_head() -> UpstreamHead:
    """A head that says nothing yet, for `read_plain`."""
    return UpstreamHead(0, 0, _NO_FIELDS, -1, False, False, b"1.1", False)


def read_plain(data: bytes, max_bytes: int, head: UpstreamHead) -> bool:
    """Read the final response's head at the start of ``data`` into ``head``, without its hop-by-hop
    fields.

    False, and ``head`` is as it was, unless it is whole, plain, and not larger than ``max_bytes``.
    """
    plain = _read_response(data)
    if plain is None:
        return False
    size, status, headers, content_length, chunked, keep_alive, is_end_to_end = plain
    if size > max_bytes:
        return False
    head.size = size
    head.status = status
    head.headers = headers
    head.content_length = content_length
    head.chunked = chunked
    head.keep_alive = keep_alive
    head.is_end_to_end = is_end_to_end
    return True


class ResponseHeadParser:
    """Parses one response head, which may come in pieces: ``head``, once it is whole."""

    __slots__ = ("_begin", "_ended", "_headers", "_http_version", "_max_bytes", "_parser", "_size", "_tail", "head")

    head: UpstreamHead

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._headers: Headers = []
        self._http_version = b"1.1"
        self._size = 0  # bytes so far
        self._begin = b""
        self._tail = b""
        self._ended = False
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> int:
        """Read on; answer the offset in ``data`` of the first byte after the head, -1 if the head
        goes on.

        Raises MalformedHead.
        """
        tail = self._tail
        searched = tail + data if tail else data
        found = searched.find(b"\r\n\r\n")
        end = found + 4 - len(tail) if found >= 0 else len(data)
        size = self._size + end
        if size > self._max_bytes:
            raise MalformedHead(f"the response head is larger than {self._max_bytes} bytes")
        if self._size < 9 and (self._size or not data.startswith(b"HTTP/1.1 ")):
            data = self._check_version(data)
        parser = self._parser
        assert parser is not None
        try:
            parser.feed_data(data if end == len(data) else data[:end])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            # llhttp stops at every 101, which is no fault of the head.
            if not self._ended or parser.get_status_code() != 101:
                raise MalformedHead(f"the response head is malformed: {error}") from None
        self._size = size
        if len(self._headers) > MAX_FIELDS:
            raise MalformedHead(f"the response head has more than {MAX_FIELDS} fields")
        if found < 0:
            self._tail = searched[-3:]
            return -1
        if not self._ended:
            raise MalformedHead("the response head is malformed")
        # They hold each other: left alone, each of them would wait for the collector.
        self._parser = None
        self.head = self._read(parser.get_status_code())
        return end

    def _check_version(self, data: bytes) -> bytes:
        """What the parser is to read in place of ``data``: a later HTTP/1.x is read as 1.1 (RFC
        9110 section 2.5).
        """
        minor = _MINOR - self._size
        if 0 <= minor < len(data) and data[minor : minor + 1] in _LATER:
            data = data[:minor] + b"1" + data[minor + 1 :]
        self._begin = (self._begin + data[:9])[:9]
        if not b"HTTP/1.1 ".startswith(self._begin):
            if not b"HTTP/1.0 ".startswith(self._begin):
                raise MalformedHead("the response does not begin with HTTP/1.x")
            self._http_version = b"1.0"
        return data

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append(_field(name, value))

    def on_headers_complete(self) -> None:
        self._ended = True

    def _read(self, status: int) -> UpstreamHead:
        """RFC 9112 sections 6.1 to 6.3 and 9.3."""
        if status < 100:
            raise MalformedHead(f"the response status {status} is not one")
        content_length = -1
        coded = False
        keep_alive = self._http_version == b"1.1"
        for name, value in self._headers:
            if name in _FRAMING:
                if name == b"connection":
                    if b"close" in [option.strip() for option in value.lower().split(b",")]:
                        keep_alive = False
                elif name == b"content-length":
                    if content_length >= 0 or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
                        raise MalformedHead("the response has more than one Content-Length, or a malformed one")
                    content_length = int(value)
                elif coded or value.lower() != b"chunked":
                    raise MalformedHead("the response has a Transfer-Encoding other than chunked")
                else:
                    coded = True
        if coded and (content_length >= 0 or self._http_version == b"1.0"):
            raise MalformedHead("the response has a Transfer-Encoding beside Content-Length, or on HTTP/1.0")
        return UpstreamHead(
            self._size, status, self._headers, content_length, coded, keep_alive, self._http_version, False
        )
