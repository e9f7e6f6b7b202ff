"""What hooks are given and what they return."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from sentinel_sdk import _msgpack
from sentinel_sdk._text import encoded
from sentinel_sdk.headers import Field, HeaderEdits, Headers

Origin = Literal["upstream", "guest", "gateway"]
Outcome = Literal["completed", "client-aborted", "upstream-aborted", "gateway-aborted"]

ORIGINS: tuple[Origin, ...] = ("upstream", "guest", "gateway")
OUTCOMES: tuple[Outcome, ...] = ("completed", "client-aborted", "upstream-aborted", "gateway-aborted")

Fields = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]

_value, _array = _msgpack.value, _msgpack.array

_SKIP: tuple[int, ...] = (0,)
_STREAM: tuple[int, ...] = (1,)


def _only_edits(edits: list[_msgpack.Packed]) -> Any:
    """Going on with nothing but these changes to header fields."""
    return _msgpack.Packed(b"\x92\x00\x91" + _array(edits)) if edits else None


def _trimmed(fields: list[Any]) -> list[Any]:
    """A record without what has its default at its end. Edits of header fields, which come first,
    are packed, so that they stay even if there are none.
    """
    while not fields[-1] and fields[-1] != "":
        fields.pop()
    return fields


class Response:
    """A response made by a guest, or one that an HTTP service sent.

    ``status`` is 200 to 599. Text is sent as UTF-8; the gateway writes the body's length.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int = 200, headers: Fields = (), body: str | bytes = b"") -> None:
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        self.status = status
        self.headers: list[Field] = [(name.lower(), encoded(value)) for name, value in pairs]
        self.body = encoded(body)

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """A response whose body is ``value`` in JSON."""
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return cls(status, {"content-type": "application/json", **(headers or {})}, text)

    def header(self, name: str) -> str | None:
        """The first value of that name, as text."""
        name = name.lower()
        for field, value in self.headers:
            if field == name:
                return value.decode(errors="replace")
        return None

    def record(self) -> list[Any]:
        """The contract's ``response``."""
        return [self.status, self.headers, self.body]


class RequestEdits:
    """What a guest changes about a request's head."""

    __slots__ = ("_method", "_path", "_query", "_upstream")

    def __init__(self) -> None:
        self._path: str | None = None
        self._query: str | None = None
        self._method: str | None = None
        self._upstream: str | None = None

    def set_path(self, path: str) -> None:
        """A new path: canonical, beginning with ``/``. It does not choose another route."""
        self._path = path

    def set_query(self, query: str) -> None:
        """A new query, without ``?``; an empty one removes it."""
        self._query = query

    def set_method(self, method: str) -> None:
        """A new method; the gateway refuses ``CONNECT``."""
        self._method = method

    def set_upstream(self, name: str) -> None:
        """Choose a configured upstream; the guest's configuration has to allow it."""
        self._upstream = name


class HeldRequest(RequestEdits):
    """Changes to a request's head that is held while its body is buffered."""

    __slots__ = ("headers",)

    def __init__(self) -> None:
        super().__init__()
        self.headers = HeaderEdits()

    def record(self) -> list[Any]:
        """The contract's ``request-edits``."""
        edits = _array(self.headers.edits)
        return _trimmed([edits, b"", self._path, self._query, self._method, self._upstream])


class ClientCertificate(NamedTuple):
    """The certificate that a client showed in the TLS handshake.

    ``subject`` is the distinguished name as text (RFC 4514). ``names`` are the alternative names
    with their kind, such as ``DNS:a.example``. ``sha256`` is of the whole certificate, as 64
    lower-case hexadecimal digits. ``verified`` says whether one of the listener's authorities has
    signed it, and it was valid at the time of the handshake.
    """

    subject: str
    names: tuple[str, ...] = ()
    sha256: str = "00" * 32
    verified: bool = True


class Request(RequestEdits):
    """A request as it reached this guest: the client's head as edited by the guests before.

    Header values are bytes; `Headers.get` gives text. What is not asked for is not decoded.
    """

    __slots__ = ("_body", "_context", "_data", "_rest", "headers", "method", "path", "query")

    def __init__(self, data: bytes) -> None:
        self._path = self._query = self._method = self._upstream = None
        self._context = b""
        self._body = _SKIP
        self._data = data
        self._rest: list[Any] | None = None
        self.method: str
        self.path: str
        self.query: str | None
        # An array of up to 15.
        self.method, at = _value(data, 1)
        self.path, at = _value(data, at)
        self.query, at = _value(data, at)
        self.headers = Headers(data, at)

    def _behind(self) -> list[Any]:
        """The fields behind the header fields."""
        if self._rest is None:
            self._rest, at = [], self.headers.end
            # Of as many fields as the array's first byte says, four are read already.
            for _ in range((self._data[0] & 0x0F) - 4):
                field, at = _value(self._data, at)
                self._rest.append(field)
        return self._rest

    def _later(self, index: int) -> str:
        """A field of text behind the header fields."""
        field: str = self._behind()[index]
        return field

    @property
    def scheme(self) -> str:
        """``http`` or ``https``: how the client reached the gateway."""
        return self._later(0)

    @property
    def authority(self) -> str:
        """Host and optional port that the client asked for."""
        return self._later(1)

    @property
    def client(self) -> str:
        """The client's address as text, after trusted proxies are resolved; empty when unknown."""
        return self._later(2)

    @property
    def request_id(self) -> str:
        """The request's id: 1 to 128 characters of ``[A-Za-z0-9._-]``."""
        return self._later(3)

    @property
    def route(self) -> str:
        """The name of the route that was chosen."""
        return self._later(4)

    @property
    def http_version(self) -> str:
        """``1.0``, ``1.1``, ``2`` or ``3``."""
        return self._later(5)

    @property
    def client_certificate(self) -> ClientCertificate | None:
        """The certificate that the client showed; None when it was asked for none, or showed
        none.
        """
        # Left out by a gateway whose client showed none.
        shown = (*self._behind(), None)[6]
        return None if shown is None else ClientCertificate(shown[0], tuple(shown[1]), shown[2], shown[3])

    def set_context(self, context: str | bytes) -> None:
        """Leave bytes for this guest's later hooks on the same request."""
        self._context = encoded(context)

    def stream_body(self) -> None:
        """Let ``on_request_chunk`` see the body chunk by chunk, as it arrives."""
        self._body = _STREAM

    def buffer_body(self, limit: int) -> None:
        """Let ``on_request_chunk`` see the body whole; more than ``limit`` bytes are answered
        413.
        """
        self._body = (2, limit)

    def skip_body(self) -> None:
        """Let the body pass by this guest, which is the default."""
        self._body = _SKIP

    def _plain(self) -> bool:
        """Whether nothing but header fields is changed."""
        return (
            self._body is _SKIP
            and not self._context
            and self._path is self._query is self._method is self._upstream is None
        )

    def action(self, response: Response | None) -> Any:
        """The contract's ``request-action``."""
        if response is not None:
            return [1, [response.record(), self._context] if self._context else [response.record()]]
        edits = self.headers.edits
        if self._plain():
            return _only_edits(edits)
        if self._body is _SKIP:
            fields = [_array(edits), self._context, self._path, self._query, self._method, self._upstream]
            return [0, _trimmed(fields)]
        return [0, [_array(edits), self._context, self._path, self._query, self._method, self._upstream, self._body]]


class HeldResponse:
    """Changes to a response's head that is held while its body is buffered."""

    __slots__ = ("_status", "headers")

    def __init__(self) -> None:
        self._status: int | None = None
        self.headers = HeaderEdits()

    def set_status(self, status: int) -> None:
        """A new status, 200 to 599."""
        self._status = status

    def record(self) -> list[Any]:
        """The contract's ``response-edits``."""
        return _trimmed([_array(self.headers.edits), self._status])


class IncomingResponse:
    """A response before it goes to the client: as edited by the guests further down the chain.

    ``context`` is what this guest's ``on_request`` left.
    """

    __slots__ = ("_body", "_data", "_status", "context", "headers", "status")

    def __init__(self, data: bytes, context: bytes) -> None:
        self._status: int | None = None
        self._body = _SKIP
        self._data = data
        self.context = context
        self.status: int
        self.status, at = _value(data, 1)
        self.headers = Headers(data, at)

    @property
    def origin(self) -> Origin:
        """Who made it."""
        index: int = _value(self._data, self.headers.end)[0]
        return ORIGINS[index]

    def set_status(self, status: int) -> None:
        """A new status, 200 to 599."""
        self._status = status

    def stream_body(self) -> None:
        """Let ``on_response_chunk`` see the body chunk by chunk, as it arrives."""
        self._body = _STREAM

    def buffer_body(self, limit: int) -> None:
        """Let ``on_response_chunk`` see the body whole; one of more than ``limit`` bytes is a
        502.
        """
        self._body = (2, limit)

    def skip_body(self) -> None:
        """Let the body pass by this guest, which is the default."""
        self._body = _SKIP

    def action(self, response: Response | None) -> Any:
        """The contract's ``response-action``."""
        if response is not None:
            return [1, response.record()]
        if self._body is _SKIP:
            if self._status is None:
                return _only_edits(self.headers.edits)
            return [0, [_array(self.headers.edits), self._status]]
        return [0, [_array(self.headers.edits), self._status, self._body]]


class _Chunk:
    """A piece of a message's body. ``data`` is empty for an end that comes alone."""

    __slots__ = ("_instead", "context", "data", "is_last")

    def __init__(self, data: bytes, is_last: bool, context: bytes) -> None:
        self._instead: bytes | None = None
        self.data = data
        self.is_last = is_last
        self.context = context

    def replace(self, data: str | bytes) -> None:
        """Send something else in place of this chunk; something empty sends nothing for it."""
        self._instead = encoded(data)

    def _action(self, response: Response | None, held: HeldRequest | HeldResponse | None) -> Any:
        if response is not None:
            return [1, response.record()]
        if held is not None:
            return [2, [held.record()] if self._instead is None else [held.record(), self._instead]]
        return None if self._instead is None else [0, self._instead]


class RequestChunk(_Chunk):
    """A piece of a request's body, for a guest whose ``on_request`` asked for it."""

    __slots__ = ("_held",)

    def __init__(self, data: bytes, is_last: bool, context: bytes) -> None:
        super().__init__(data, is_last, context)
        self._held: HeldRequest | None = None

    @property
    def head(self) -> HeldRequest:
        """The request's head, to change it while it is held: after ``buffer_body`` only."""
        if self._held is None:
            self._held = HeldRequest()
        return self._held

    def action(self, response: Response | None) -> Any:
        """The contract's ``request-body-action``."""
        return self._action(response, self._held)


class ResponseChunk(_Chunk):
    """A piece of a response's body, for a guest whose ``on_response`` asked for it."""

    __slots__ = ("_held",)

    def __init__(self, data: bytes, is_last: bool, context: bytes) -> None:
        super().__init__(data, is_last, context)
        self._held: HeldResponse | None = None

    @property
    def head(self) -> HeldResponse:
        """The response's head, to change it while it is held: after ``buffer_body`` only."""
        if self._held is None:
            self._held = HeldResponse()
        return self._held

    def action(self, response: Response | None) -> Any:
        """The contract's ``response-body-action``."""
        return self._action(response, self._held)


class Summary:
    """What happened to a request. Times are microseconds; ``status`` is 0 when the client got
    none.
    """

    __slots__ = (
        "authority",
        "client",
        "context",
        "duration",
        "endpoint",
        "http_version",
        "method",
        "origin",
        "outcome",
        "path",
        "query",
        "request_bytes",
        "request_id",
        "response_bytes",
        "route",
        "started_at",
        "status",
        "tries",
        "upstream",
        "upstream_duration",
    )

    def __init__(self, record: list[Any], context: bytes) -> None:
        self.context = context
        self.request_id: str = record[0]
        self.method: str = record[1]
        self.path: str = record[2]
        self.query: str | None = record[3]
        self.route: str = record[4]
        self.authority: str = record[5]
        self.client: str = record[6]
        self.http_version: str = record[7]
        self.started_at: int = record[8]
        self.duration: int = record[9]
        self.status: int = record[10]
        self.request_bytes: int = record[11]
        self.response_bytes: int = record[12]
        self.outcome: Outcome = OUTCOMES[record[13]]
        self.origin: Origin = ORIGINS[record[14]]
        rest = record[15:] + [None, None, None, 0][len(record) - 15 :]
        self.upstream: str | None = rest[0]
        self.upstream_duration: int | None = rest[1]
        self.endpoint: str | None = rest[2]
        self.tries: int = rest[3]
