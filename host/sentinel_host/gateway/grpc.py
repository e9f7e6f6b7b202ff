"""gRPC: which requests are calls, their deadlines, and how a call is told that it failed (gRPC's
document PROTOCOL-HTTP2).

Rule: whatever the gateway or a guest answers instead of the service becomes a response of trailers
      only: 200, and ``grpc-status`` in its head. What the upstream answers is passed on.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from sentinel_host.messages import Headers

_CONTENT_TYPE: Final = b"application/grpc"

# gRPC's status codes.
_UNKNOWN: Final = 2
_DEADLINE_EXCEEDED: Final = 4
_PERMISSION_DENIED: Final = 7
_RESOURCE_EXHAUSTED: Final = 8
_UNIMPLEMENTED: Final = 12
_INTERNAL: Final = 13
_UNAVAILABLE: Final = 14
_UNAUTHENTICATED: Final = 16

# As gRPC's clients map them by themselves (http-grpc-status-mapping), but for 413, 429 and 504,
# which say here what they are.
_STATUSES: Final = {
    400: _INTERNAL,
    401: _UNAUTHENTICATED,
    403: _PERMISSION_DENIED,
    404: _UNIMPLEMENTED,
    413: _RESOURCE_EXHAUSTED,
    429: _RESOURCE_EXHAUSTED,
    431: _RESOURCE_EXHAUSTED,
    502: _UNAVAILABLE,
    503: _UNAVAILABLE,
    504: _DEADLINE_EXCEEDED,
}
_TIMEOUT: Final = re.compile(rb"([0-9]{1,8})([HMSmun])").fullmatch
_UNITS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
# What describes the body that is not sent.
_OF_THE_BODY: Final = frozenset((b"content-type", b"content-length", b"content-encoding", b"etag", b"last-modified"))


def is_call(headers: Headers) -> bool:
    """Whether a POST with these fields is a call."""
    for name, value in headers:
        if name == b"content-type":
            # Not gRPC-Web, whose bodies are others.
            return value.startswith(_CONTENT_TYPE) and value[16:17] in (b"", b"+", b";")
    return False


def deadline_of(headers: Headers) -> float | None:
    """Seconds from ``grpc-timeout``; None without it, or for one that is malformed."""
    for name, value in headers:
        if name == b"grpc-timeout":
            match = _TIMEOUT(value)
            return None if match is None else int(match[1]) * _UNITS[match[2]]
    return None


def status_of(status: int) -> int:
    """The gRPC status that stands for an HTTP status."""
    return _STATUSES.get(status, _UNKNOWN)


def trailers_only(status: int, headers: Headers, body: bytes) -> Headers:
    """The head of a response of trailers only, in place of one with this status, these fields and
    this body.
    """
    kept = [field for field in headers if field[0] not in _OF_THE_BODY]
    return [
        *kept,
        (b"content-type", _CONTENT_TYPE),
        (b"grpc-status", b"%d" % status_of(status)),
        (b"grpc-message", quote(_reason(status, body), safe=" !#$&'()*+,/:;<=>?@[]^`{|}~").encode("ascii")),
    ]


def _reason(status: int, body: bytes) -> str:
    """What an error says for people, as `sentinel_host.http.server.replies` writes it."""
    try:
        said = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        said = None
    if isinstance(said, str):
        return said
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP status {status}"
