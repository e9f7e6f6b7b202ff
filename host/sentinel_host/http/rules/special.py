"""The request header fields that need more than being passed on."""

from __future__ import annotations

import re
from typing import Final

from sentinel_host.errors import ClientError
from sentinel_host.http.rules.fields import Field
from sentinel_host.messages import Headers

# A member of an enum costs as much to look up as the whole comparison; these are looked at for
# every header.
_HOST: Final = int(Field.HOST)
_CONNECTION: Final = int(Field.CONNECTION)
_CONTENT_LENGTH: Final = int(Field.CONTENT_LENGTH)
_TRANSFER_ENCODING: Final = int(Field.TRANSFER_ENCODING)
_COOKIE: Final = int(Field.COOKIE)
_FORWARDED: Final = int(Field.FORWARDED)
_REQUEST_ID: Final = int(Field.REQUEST_ID)
_ALIAS: Final = int(Field.ALIAS)
_MAX_FORWARDS: Final = int(Field.MAX_FORWARDS)
_TE: Final = int(Field.TE)
_VOUCHED: Final = int(Field.VOUCHED)
_TRACE_PARENT: Final = int(Field.TRACE_PARENT)
_TRACE_STATE: Final = int(Field.TRACE_STATE)
_EXPLAIN: Final = int(Field.EXPLAIN)

_DIGITS: Final = re.compile(rb"[0-9]{1,18}").fullmatch
_REQUEST_ID_FORM: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}").fullmatch
# What a Max-Forwards beyond it becomes: RFC 9110 section 7.6.2 speaks of the largest value that a
# recipient supports.
_MOST_FORWARDS: Final = 10**18 - 1
_OWN_CONNECTION: Final = frozenset((b"", b"close", b"keep-alive", b"upgrade", b"te"))

SpecialField = tuple[int, bytes, bytes]
"""A field's kind (`Field` as a number), name and value."""


class ObservedFields:
    """What a request says to whoever records requests.

    ``trace_parent`` and ``trace_state`` are those of a trusted peer; two parents are none, and two
    states one list (W3C Trace Context, sections 3.2 and 3.3). ``explain`` is a token.
    """

    __slots__ = ("_parents", "explain", "trace_parent", "trace_state")

    def __init__(self) -> None:
        self._parents = 0
        self.explain = b""
        self.trace_parent = b""
        self.trace_state = b""

    def read(self, kind: int, value: bytes) -> None:
        """Read one of the fields."""
        if kind == _EXPLAIN:
            self.explain = value
        elif kind == _TRACE_PARENT:
            self._parents += 1
            self.trace_parent = value if self._parents == 1 else b""
        elif value:
            self.trace_state = self.trace_state + b"," + value if self.trace_state else value


class SpecialFields:
    """What a request's special fields say.

    ``content_length`` is ``None`` if there is none. ``connection`` holds the names that
    ``Connection`` lists. ``forwarded`` holds the forwarded fields of a trusted peer, ``request_id``
    the id that it sent. ``may_forward`` is false if Max-Forwards is used up. ``takes_trailers`` is
    true if the client said so (RFC 9110 section 10.1.4). ``observed`` is there if a field was for
    whoever records requests.
    """

    __slots__ = (
        "chunked",
        "connection",
        "content_length",
        "cookies",
        "forwarded",
        "has_more_hosts",
        "max_forwards",
        "may_forward",
        "observed",
        "request_id",
        "takes_trailers",
    )

    def __init__(self) -> None:
        self.chunked = False
        self.connection: set[bytes] | None = None
        self.content_length: int | None = None
        self.cookies: list[bytes] | None = None
        self.forwarded: Headers = []
        self.has_more_hosts = False
        self.max_forwards: bytes | None = None
        self.may_forward = True
        self.observed: ObservedFields | None = None
        self.request_id = ""
        self.takes_trailers = False

    def read(
        self,
        fields: list[SpecialField],
        headers: Headers,
        method: str,
        version: str,
        trusted: bool,
        refuse_aliases: bool,
    ) -> None:
        """Read the fields of one request, and bring ``headers``, what is passed on, up to date.

        Raises `ClientError`.
        """
        for kind, name, value in fields:
            if kind == _CONNECTION:
                self.connection = (self.connection or set()) | _connection_names(value)
            elif kind == _CONTENT_LENGTH:
                self._read_content_length(value)
            elif kind == _TRANSFER_ENCODING:
                if value.lower() != b"chunked" or self.chunked:
                    raise ClientError("Transfer-Encoding is not chunked", 501)
                self.chunked = True
            elif kind == _COOKIE:
                if self.cookies is None:
                    self.cookies = []
                self.cookies.append(value)
            elif kind == _FORWARDED:
                if trusted:
                    self.forwarded.append((name, value))
            elif kind == _VOUCHED:
                if trusted:
                    headers.append((name, value))
            elif kind == _MAX_FORWARDS:
                if method == "OPTIONS":
                    self._read_max_forwards(value)
                else:
                    headers.append((name, value))
            elif kind == _TE:
                self.takes_trailers = self.takes_trailers or (version != "1.0" and _has_member(value, b"trailers"))
            elif kind == _REQUEST_ID:
                if trusted and _REQUEST_ID_FORM(value):
                    self.request_id = value.decode("ascii")
            elif kind == _HOST:
                self.has_more_hosts = True
            elif kind == _EXPLAIN or (trusted and kind in (_TRACE_PARENT, _TRACE_STATE)):
                if self.observed is None:
                    self.observed = ObservedFields()
                self.observed.read(kind, value)
            elif kind == _ALIAS and refuse_aliases:
                raise ClientError(f"header name {name[:64]!r} holds '_' or '.'")
        if self.chunked and (self.content_length is not None or version == "1.0"):
            raise ClientError("Transfer-Encoding beside Content-Length, or on HTTP/1.0")
        self._finish(headers)

    def _read_content_length(self, value: bytes) -> None:
        if self.content_length is not None or not _DIGITS(value):
            raise ClientError("Content-Length is not one number")
        self.content_length = int(value)

    def _read_max_forwards(self, value: bytes) -> None:
        if self.max_forwards is not None or not value.isdigit():
            raise ClientError("Max-Forwards is not one number")
        self.max_forwards = value

    def _finish(self, headers: Headers) -> None:
        """Write the fields that are passed on in another form, and drop those that ``Connection``
        lists.
        """
        if self.cookies is not None:
            # RFC 9113 section 8.2.3: crumbs of one cookie string may travel apart on HTTP/2, and go
            # on as one field.
            headers.append((b"cookie", b"; ".join(self.cookies)))
        if self.max_forwards is not None:
            digits = self.max_forwards
            left = int(digits) if len(digits) <= 18 else _large_number(digits)
            self.may_forward = left > 0
            headers.append((b"max-forwards", b"%d" % max(0, left - 1)))
        if self.connection:
            headers[:] = [field for field in headers if field[0] not in self.connection]


NO_SPECIAL_FIELDS: Final = SpecialFields()
"""What a request without special fields says; shared, so nobody changes it."""


def _connection_names(value: bytes) -> set[bytes]:
    return {name.strip(b" \t").lower() for name in value.split(b",")} - _OWN_CONNECTION


def _has_member(value: bytes, wanted: bytes) -> bool:
    return wanted in [member.strip(b" \t") for member in value.lower().split(b",")]


def _large_number(digits: bytes) -> int:
    """A number of many digits, up to a bound: reading thousands of them takes time."""
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) <= 18 else _MOST_FORWARDS
