"""The values that travel between guests, the pipeline and HTTP: plain data, no behaviour.

Header fields are ``list[tuple[bytes, bytes]]``, names in lower case, in the order of the wire, as
in ASGI. The shapes mirror the records of ``wit/types.wit``. A guest's answer is validated before it
becomes one of these.

Values that every request makes have written constructors, because mypyc does not compile those of
`dataclass`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

Headers = list[tuple[bytes, bytes]]


class Edit(enum.IntEnum):
    """The case of a ``header-edit``, numbered as in WIT."""

    SET = 0
    APPEND = 1
    REMOVE = 2


HeaderEdit = tuple[int, bytes, bytes]
"""``(Edit, name, value)``; the value of a removal is empty. A tuple because every request makes
some.
"""


class Origin(enum.IntEnum):
    """Who made a response (``response-origin``)."""

    UPSTREAM = 0
    GUEST = 1
    GATEWAY = 2


class Outcome(enum.IntEnum):
    """How an exchange ended (``outcome``)."""

    COMPLETED = 0
    CLIENT_ABORTED = 1
    UPSTREAM_ABORTED = 2
    GATEWAY_ABORTED = 3


# A member of an enum takes two look-ups by its own name.
_COMPLETED: Final = Outcome.COMPLETED
_GATEWAY: Final = Origin.GATEWAY


class BodyKind(enum.IntEnum):
    """The case of a ``body-mode``."""

    SKIP = 0
    STREAM = 1
    BUFFER = 2


@dataclass(frozen=True, slots=True)
class BodyMode:
    """Whether a guest sees a body; ``limit`` is the largest body in bytes when it is buffered, else
    0.
    """

    kind: BodyKind
    limit: int = 0


SKIP: Final = BodyMode(BodyKind.SKIP)


@dataclass(slots=True)
class RequestEdits:
    """``request-edits``: what a guest changes about a request; ``None`` leaves a part as it is."""

    headers: list[HeaderEdit] = field(default_factory=list)
    context: bytes = b""
    path: str | None = None
    query: str | None = None
    method: str | None = None
    upstream: str | None = None
    body: BodyMode = SKIP


@dataclass(slots=True, init=False)
class Response:
    """``response``: a whole response made by a guest or by the gateway."""

    status: int
    headers: Headers
    body: bytes

    def __init__(self, status: int, headers: Headers, body: bytes = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body


@dataclass(slots=True)
class Answer:
    """``answer``: a guest's response to a request, and the context for its ``on-complete``."""

    response: Response
    context: bytes = b""


@dataclass(slots=True)
class ResponseEdits:
    """``response-edits``: what a guest changes about a response."""

    headers: list[HeaderEdit] = field(default_factory=list)
    status: int | None = None
    body: BodyMode = SKIP


@dataclass(slots=True)
class HeldRequest:
    """``held-request``: changes to a head that is still held, and the chunk to send; ``None`` sends
    the one given.
    """

    edits: RequestEdits
    chunk: bytes | None = None


@dataclass(slots=True)
class HeldResponse:
    """``held-response``: changes to a head that is still held, and the chunk to send; ``None``
    sends the one given.
    """

    edits: ResponseEdits
    chunk: bytes | None = None


RequestAction = RequestEdits | Answer
ResponseAction = ResponseEdits | Response

# Bytes are sent in place of the chunk.
RequestBodyAction = bytes | Response | HeldRequest
ResponseBodyAction = bytes | Response | HeldResponse


@dataclass(slots=True, init=False)
class RequestHead:
    """``request-head``: the request as guests see it. The pipeline edits it in place, one guest
    after the other.

    ``client_certificate`` is the record ``client-certificate`` in MessagePack, which a connection
    makes once for all of its requests.
    """

    method: str
    path: str
    query: str | None
    headers: Headers
    scheme: str
    authority: str
    client: str
    request_id: str
    route: str
    http_version: str
    client_certificate: bytes | None

    def __init__(
        self,
        method: str,
        path: str,
        query: str | None,
        headers: Headers,
        scheme: str,
        authority: str,
        client: str,
        request_id: str,
        route: str,
        http_version: str,
        client_certificate: bytes | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.scheme = scheme
        self.authority = authority
        self.client = client
        self.request_id = request_id
        self.route = route
        self.http_version = http_version
        self.client_certificate = client_certificate


@dataclass(slots=True, init=False)
class ResponseHead:
    """``response-head``: the response as guests see it. The pipeline edits it in place, guest by
    guest, in reverse.
    """

    status: int
    headers: Headers
    origin: Origin

    def __init__(self, status: int, headers: Headers, origin: Origin) -> None:
        self.status = status
        self.headers = headers
        self.origin = origin


@dataclass(slots=True, init=False)
class Summary:
    """``summary``: what happened to a request. Times are microseconds, sizes bytes of body."""

    request_id: str
    method: str
    path: str
    query: str | None
    route: str
    authority: str
    client: str
    http_version: str
    started_at: int
    duration: int
    status: int
    request_bytes: int
    response_bytes: int
    outcome: Outcome
    origin: Origin
    upstream: str | None
    upstream_duration: int | None
    endpoint: str | None
    tries: int

    def __init__(
        self,
        request_id: str,
        method: str,
        path: str,
        query: str | None,
        route: str,
        authority: str,
        client: str,
        http_version: str,
        started_at: int,
        duration: int = 0,
        status: int = 0,
        request_bytes: int = 0,
        response_bytes: int = 0,
        outcome: Outcome = _COMPLETED,
        origin: Origin = _GATEWAY,
        upstream: str | None = None,
        upstream_duration: int | None = None,
        endpoint: str | None = None,
        tries: int = 0,
    ) -> None:
        self.request_id = request_id
        self.method = method
        self.path = path
        self.query = query
        self.route = route
        self.authority = authority
        self.client = client
        self.http_version = http_version
        self.started_at = started_at
        self.duration = duration
        self.status = status
        self.request_bytes = request_bytes
        self.response_bytes = response_bytes
        self.outcome = outcome
        self.origin = origin
        self.upstream = upstream
        self.upstream_duration = upstream_duration
        self.endpoint = endpoint
        self.tries = tries


@dataclass(slots=True)
class OutboundRequest:
    """What a guest asks an HTTP service; ``timeout`` is milliseconds."""

    method: str
    url: str
    headers: Headers
    body: bytes = b""
    timeout: int | None = None


class HttpError(enum.IntEnum):
    """Why a guest's HTTP call failed."""

    DENIED = 0
    INVALID = 1
    TOO_MANY = 2
    TIMEOUT = 3
    UNREACHABLE = 4
    TOO_LARGE = 5
