"""The head of a response: where it ends, what it says, and how its body is framed (RFC 9112
sections 4 to 6).

Rules:
1. llhttp reads the head only, in a new parser for each message, and never a byte after the blank
   line. So its state about bodies, upgrades or the next message does not matter, and trailers
   cannot arrive as headers.
2. Limits count bytes and fields, whatever the pieces in which they arrive.
3. What can be read in two ways is refused: both length and coding, two codings, any coding but
   ``chunked``.
"""

from __future__ import annotations

from typing import Final

import httptools

from sentinel_host.fields import field
from sentinel_host.grammar import MAX_LENGTH_DIGITS
from sentinel_host.http.client.request import Headers

MAX_FIELDS: Final = 200
"""Header fields of a response; Apache's LimitRequestFields is 100, and applications set many
cookies.
"""

_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding", b"connection"))


_field: Final = field
_MINOR: Final = len(b"HTTP/1.")
_LATER: Final = frozenset(b"%d" % digit for digit in range(2, 10))


class MalformedHead(Exception):
    """The bytes are not an HTTP/1.x response head that has one reading; the text says what was
    wrong.
    """


class ResponseHeadParser:
    """One response head. Names are lower-case; ``content_length`` is -1 without the field; ``size``
    is bytes so far.
    """

    # Defaults live on the class: most heads arrive whole and never differ from them.
    status = 0
    http_version = b"1.1"
    content_length = -1
    chunked = False
    keep_alive = True
    size = 0
    _begin = b""
    _tail = b""
    _ended = False
    _parser: httptools.HttpResponseParser | None

    def __init__(self, max_bytes: int) -> None:
        self.headers: Headers = []
        self._max_bytes = max_bytes
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> int:
        """Read on; answer the offset in ``data`` of the first byte after the head, -1 if the head
        goes on.

        Raises MalformedHead.
        """
        tail = self._tail
        searched = tail + data if tail else data
        found = searched.find(b"\r\n\r\n")
        end = found + 4 - len(tail) if found >= 0 else len(data)
        size = self.size + end
        if size > self._max_bytes:
            raise MalformedHead(f"the response head is larger than {self._max_bytes} bytes")
        if self.size < 9 and (self.size or not data.startswith(b"HTTP/1.1 ")):
            data = self._check_version(data)
        parser = self._parser
        assert parser is not None
        try:
            parser.feed_data(data if end == len(data) else data[:end])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            # llhttp stops at every 101, which is no fault of the head.
            if not self._ended or parser.get_status_code() != 101:
                raise MalformedHead(f"the response head is malformed: {error}") from None
        self.size = size
        if len(self.headers) > MAX_FIELDS:
            raise MalformedHead(f"the response head has more than {MAX_FIELDS} fields")
        if found < 0:
            self._tail = searched[-3:]
            return -1
        if not self._ended:
            raise MalformedHead("the response head is malformed")
        self.status = parser.get_status_code()
        # Parser and head hold each other: left alone, every response would wait for the collector.
        self._parser = None
        self._read_framing()
        return end

    def _check_version(self, data: bytes) -> bytes:
        """What the parser is to read in place of ``data``: a later HTTP/1.x is read as 1.1 (RFC
        9110 section 2.5).
        """
        minor = _MINOR - self.size
        if 0 <= minor < len(data) and data[minor : minor + 1] in _LATER:
            data = data[:minor] + b"1" + data[minor + 1 :]
        self._begin = (self._begin + data[:9])[:9]
        if not b"HTTP/1.1 ".startswith(self._begin):
            if not b"HTTP/1.0 ".startswith(self._begin):
                raise MalformedHead("the response does not begin with HTTP/1.x")
            self.http_version = b"1.0"
            self.keep_alive = False
        return data

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append(_field(name, value))

    def on_headers_complete(self) -> None:
        self._ended = True

    def _read_framing(self) -> None:
        """RFC 9112 sections 6.1 to 6.3 and 9.3."""
        status = self.status
        if status < 100:
            raise MalformedHead(f"the response status {status} is not one")
        coded = False
        for name, value in self.headers:
            if name in _FRAMING:
                if name == b"connection":
                    if value != b"keep-alive" and b"close" in [option.strip() for option in value.lower().split(b",")]:
                        self.keep_alive = False
                elif name == b"content-length":
                    if self.content_length >= 0 or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
                        raise MalformedHead("the response has more than one Content-Length, or a malformed one")
                    self.content_length = int(value)
                elif coded or value.lower() != b"chunked":
                    raise MalformedHead("the response has a Transfer-Encoding other than chunked")
                else:
                    coded = True
        if coded and (self.content_length >= 0 or self.http_version == b"1.0"):
            raise MalformedHead("the response has a Transfer-Encoding beside Content-Length, or on HTTP/1.0")
        self.chunked = coded
