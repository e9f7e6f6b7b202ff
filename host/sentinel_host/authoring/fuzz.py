"""Odd calls for a guest, each made from a seed: what makes it trap, run out of time, or break the
contract.

Every call is one that a gateway can make: odd in its content, and whole in its form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from sentinel_host.abi.contract import CONFIGURE, HTTP_ERRORS
from sentinel_host.abi.rules import AbiError
from sentinel_host.authoring.workbench import Setup, StartedGuest, Workbench, guest_failure
from sentinel_host.errors import GuestError
from sentinel_host.messages import OutboundRequest, Response
from sentinel_host.sandbox.cases import head_record, told_answer

# What is found once is found again: so many different findings are enough to begin with.
_MOST_FINDINGS: Final = 10

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


@dataclass(frozen=True, slots=True)
class Finding:
    """A call that a guest failed: ``request`` is it as a self-test writes it, ``number`` its place
    in the sequence.
    """

    number: int
    reason: str
    request: dict[str, object]


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """How many calls were made, and the first of each kind that failed."""

    calls: int
    seed: int
    findings: tuple[Finding, ...]


def fuzz(bench: Workbench, config: bytes, calls: int, seed: int) -> Fuzzed:
    """Make so many calls of the hooks that the guest exports.

    Raises `GuestError` for a guest that does not start with ``config``.
    """
    chance = Random(seed)
    hooks = [hook for hook in bench.guest.hooks if hook != CONFIGURE.name]
    started = bench.start(config, Setup(http=_service(chance), seed=seed))
    findings: dict[tuple[str, str], Finding] = {}
    made = 0
    while hooks and made < calls and len(findings) < _MOST_FINDINGS:
        made += 1
        hook = chance.choice(hooks)
        request, call = _CALLS[hook](chance)
        reason = _failure(bench, started, hook, call)
        if reason is not None:
            findings.setdefault((hook, _kind(reason)), Finding(made, reason, {"hook": hook, **request}))
        started.advance(chance.choice((0, 1_000_000, 3_600_000_000_000)))
        started.take_logs()
        started.take_calls()
    return Fuzzed(made, seed, tuple(findings.values()))


_Made = tuple[dict[str, object], Callable[[StartedGuest], bytes | None]]


def _failure(
    bench: Workbench, started: StartedGuest, hook: str, call: Callable[[StartedGuest], bytes | None]
) -> str | None:
    try:
        told_answer(hook, call(started), bench.guest.blueprint.limits.answers)
    except GuestError as error:
        return guest_failure(error)
    except AbiError as error:
        return f"{hook}: an answer that the contract does not allow: {error}"
    return None


def _kind(reason: str) -> str:
    """The same for failures at one place: the reason's first line and the innermost frame."""
    return "\n".join(reason.splitlines()[:2])


def _request(chance: Random) -> _Made:
    head: dict[str, Any] = {
        "method": chance.choice(_METHODS),
        "path": _path(chance),
        "query": chance.choice((None, "", "a=1&a=2", "%", "&&==", "q=" + "y" * 2000, "a[]=%F0%9F%98%80")),
        "headers": _headers(chance),
        "authority": chance.choice(("localhost", "example.com:8443", "[::1]:80", "a" * 255)),
        "client": chance.choice(("127.0.0.1", "2001:db8::1", "192.0.2.255")),
        "http-version": chance.choice(("1.0", "1.1", "2", "3")),
    }
    return _head("on-request", head)


def _response(chance: Random) -> _Made:
    head: dict[str, Any] = {
        "status": chance.choice((200, 204, 206, 301, 304, 400, 404, 429, 500, 503, 599, 999)),
        "headers": _headers(chance),
        "origin": chance.choice(("upstream", "guest", "gateway")),
    }
    return _head("on-response", head, _context(chance))


def _summary(chance: Random) -> _Made:
    head: dict[str, Any] = {
        "path": _path(chance),
        "status": chance.choice((0, 200, 499, 502)),
        "duration": chance.choice((0, 1, 1 << 40)),
        "request-bytes": chance.choice((0, 1 << 50)),
        "outcome": chance.choice(("completed", "client-aborted", "upstream-aborted", "gateway-aborted")),
        "origin": chance.choice(("upstream", "guest", "gateway")),
        "upstream": chance.choice((None, "origin")),
    }
    return _head("on-complete", head, _context(chance))


def _head(hook: str, head: dict[str, Any], context: bytes = b"") -> _Made:
    record = head_record(hook, head)
    told: dict[str, object] = {"head": head}
    if context:
        told["context"] = context.decode(errors="backslashreplace")
    return told, lambda started: started.call(hook, record, context)


def _chunks(hook: str) -> Callable[[Random], _Made]:
    def make(chance: Random) -> _Made:
        body, context = chance.choice(_BODIES), _context(chance)
        size = chance.choice((1, 3, 64, len(body) or 1))
        pieces = [body[place : place + size] for place in range(0, len(body), size)] or [b""]

        def call(started: StartedGuest) -> bytes | None:
            answer = None
            for place, piece in enumerate(pieces, 1):
                answer = started.call(hook, piece, context, place == len(pieces))
            return answer

        return {"chunk": body.decode(errors="backslashreplace"), "pieces": len(pieces)}, call

    return make


_CALLS: Final[dict[str, Callable[[Random], _Made]]] = {
    "on-request": _request,
    "on-response": _response,
    "on-complete": _summary,
    "on-request-chunk": _chunks("on-request-chunk"),
    "on-response-chunk": _chunks("on-response-chunk"),
}


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


def _context(chance: Random) -> bytes:
    return chance.choice((b"", b"x", b"\xff\0", b"{}", chance.randbytes(16)))


def _service(chance: Random) -> Callable[[OutboundRequest], Response | str]:
    """A service that answers anything, and at times nothing."""

    def answer(request: OutboundRequest) -> Response | str:
        if chance.random() < 0.3:
            return chance.choice(HTTP_ERRORS)
        headers = [(name.encode(), value.encode()) for name, value in _headers(chance)]
        return Response(chance.choice((200, 200, 204, 302, 404, 500)), headers, chance.choice(_BODIES))

    return answer
