"""Heads, bodies and services that are odd in their content and whole in their form, each made from
a source of chance: what a gateway lets through, and no ordinary client or upstream sends.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from sentinel_host.abi.contract import HTTP_ERRORS
from sentinel_host.messages import OutboundRequest, Response

_NAMES: Final = (
    "accept", "authorization", "content-encoding", "content-length", "content-type", "cookie", "host", "if-none-match",
    "origin", "range", "referer", "user-agent", "vary", "x-api-key", "x-forwarded-for", "x-principal",
)  # fmt: skip
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "M" * 32)
_PATHS: Final = ("/", "//", "/.", "/a/b/c", "/%00", "/%e2%82%ac", "/a;b=c", "/*", "/api/v1/users/1", "/" + "x" * 4000)
_VALUES: Final = (
    b"", b" ", b"*", b"0", b"-1", b"18446744073709551616", b"NaN", b"Bearer ", b"Basic !!!!", b"Bearer a.b.c",
    b"application/json; charset=utf-8", b"text/html;q=0.1, */*", b"=;=,", b'"', b"\\", b"\xff\xfe", b"\xc3\xa9",
    b"bytes=0-,-1", b"W/\"x\"", b"a" * 8000, b",,,,", b"192.0.2.1, unknown", b"\t",
)  # fmt: skip
_BODIES: Final = (
    b"", b"{}", b"[]", b"null", b'{"a":', b'{"a":1e999}', b"[" * 2000, b'"\xed\xa0\x80"', b"a=b&c", b"\0" * 64,
    b"\xff" * 64, b'{"a":"' + b"x" * 5000 + b'"}', b"data: x\n\n",
)  # fmt: skip


def request_head(chance: Random) -> dict[str, Any]:
    """A request's head, as cases write it."""
    return {
        "method": chance.choice(_METHODS),
        "path": _path(chance),
        "query": chance.choice((None, "", "a=1&a=2", "%", "&&==", "q=" + "y" * 2000, "a[]=%F0%9F%98%80")),
        "headers": _headers(chance),
        "authority": chance.choice(("localhost", "example.com:8443", "[::1]:80", "a" * 255)),
        "client": chance.choice(("127.0.0.1", "2001:db8::1", "192.0.2.255")),
        "http-version": chance.choice(("1.0", "1.1", "2", "3")),
    }


def response_head(chance: Random) -> dict[str, Any]:
    """A response's head, as cases write it."""
    return {
        "status": chance.choice((200, 204, 206, 301, 304, 400, 404, 429, 500, 503, 599, 999)),
        "headers": _headers(chance),
        "origin": chance.choice(("upstream", "guest", "gateway")),
    }


def summary(chance: Random) -> dict[str, Any]:
    """What happened to a request, as cases write it."""
    return {
        "path": _path(chance),
        "status": chance.choice((0, 200, 499, 502)),
        "duration": chance.choice((0, 1, 1 << 40)),
        "request-bytes": chance.choice((0, 1 << 50)),
        "outcome": chance.choice(("completed", "client-aborted", "upstream-aborted", "gateway-aborted")),
        "origin": chance.choice(("upstream", "guest", "gateway")),
        "upstream": chance.choice((None, "origin")),
    }


def body(chance: Random) -> list[bytes]:
    """The chunks of a body, one at least."""
    whole = chance.choice(_BODIES)
    size = chance.choice((1, 3, 64, len(whole) or 1))
    return [whole[place : place + size] for place in range(0, len(whole), size)] or [b""]


def service(chance: Random) -> Callable[[OutboundRequest], Response | str]:
    """A service that answers anything, and at times nothing."""

    def answer(request: OutboundRequest) -> Response | str:
        if chance.random() < 0.3:
            return chance.choice(HTTP_ERRORS)
        headers = [(name.encode(), value.encode()) for name, value in _headers(chance)]
        return Response(chance.choice((200, 200, 204, 302, 404, 500)), headers, chance.choice(_BODIES))

    return answer


def _headers(chance: Random) -> list[list[str]]:
    # Text, as cases have it: bytes beyond ASCII become two each.
    return [[_name(chance), _value(chance).decode("latin-1")] for _ in range(chance.choice((0, 0, 1, 2, 5, 20)))]


def _name(chance: Random) -> str:
    return chance.choice(_NAMES) if chance.random() < 0.8 else f"x-{chance.randrange(1 << 32):x}"


def _value(chance: Random) -> bytes:
    if chance.random() < 0.7:
        return chance.choice(_VALUES)
    return bytes(
        chance.choice(b"\t !\"#%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~\x80\xff") for _ in range(chance.randrange(40))
    )


def _path(chance: Random) -> str:
    return chance.choice(_PATHS) if chance.random() < 0.7 else f"/{chance.randrange(1 << 32):x}"
