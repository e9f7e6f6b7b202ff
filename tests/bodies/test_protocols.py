"""Guests that work on bodies, over HTTP/2 and under a stock Hypercorn: what they do is no matter of
who serves.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.bodies.guests import NIL, STREAM, TRAP, buffer, on_request, on_response, replace, respond
from tests.bodies.support import in_two_steps, wait_for_bodies
from tests.http2.peer import Peer, data, request
from tests.support.clients import Wire
from tests.support.clocks import PATIENCE, wait_until
from tests.support.gateways import GatewayProcess, sentinel_run, stock_hypercorn, write_config
from tests.support.upstreams import Upstream
from tests.support.upstreams import answering as saying

_SET = [0, ["x-held", b"yes"]]
GUESTS = {
    "in-first": on_request(STREAM, replace(b"1"), NIL),
    "in-hold": on_request(buffer(16), NIL),
    "in-answers": on_request(buffer(16), respond(422, b"no")),
    "in-edits": on_request(buffer(16), [2, [[[_SET], b"", "/edited", None, "PUT"], b"whole"]]),
    "in-trap": on_request(STREAM, NIL, TRAP),
    "out-first": on_response(STREAM, replace(b"1"), NIL),
    "out-hold": on_response(buffer(16), NIL),
    "out-answers": on_response(buffer(16), respond(500, b"no")),
    "out-edits": on_response(buffer(16), [2, [[[_SET], 201], b"whole"]]),
    "out-trap": on_response(STREAM, NIL, TRAP),
}


@dataclass
class Outcome:
    """What a client got; ``whole`` is whether its response came to a proper end."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool


# Sends a body in pieces, calling ``between`` before each but the first, and takes the response.
# Without a body, ``between`` is called once the response has begun.
Ask = Callable[..., Outcome]


def nothing() -> None:
    pass


def over_http1(gateway: GatewayProcess, path: str, *pieces: bytes, between: Callable[[], None] = nothing) -> Outcome:
    with Wire(gateway.public) as wire:
        method = "POST" if pieces else "GET"
        framing = "Transfer-Encoding: chunked\r\n" if pieces else ""
        wire.send(f"{method} {path} HTTP/1.1\r\nHost: test.example\r\n{framing}\r\n".encode())
        for number, piece in enumerate(pieces):
            if number:
                between()
            wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        if pieces:
            wire.send(b"0\r\n\r\n")
        head = wire.head()
        body, whole = b"", False
        with contextlib.suppress(EOFError, ConnectionError, ValueError):
            if head.header("content-length") is not None:
                body = wire.exactly(int(head.header("content-length") or 0))
            else:
                while chunk := wire.chunk():
                    body += chunk
                    if not pieces:
                        between()
            whole = True
        return Outcome(head.status, dict(head.headers), body, whole)


def over_http2(gateway: GatewayProcess, path: str, *pieces: bytes, between: Callable[[], None] = nothing) -> Outcome:
    with Peer(socket.create_connection(gateway.public, PATIENCE)) as peer:
        method = b"POST" if pieces else b"GET"
        peer.send(peer.headers(1, request(method, path.encode()), end=not pieces))
        for number, piece in enumerate(pieces):
            if number:
                between()
            peer.send(data(1, piece, end=number == len(pieces) - 1))
        got = peer.of(1)
        if not pieces:
            peer.until(lambda: got.body or got.over)
            between()
        # A stock Hypercorn resets no stream: it closes the connection in the end.
        while not got.over and peer.read():
            pass
        head = {name.decode(): value.decode() for name, value in got.heads[0].items()}
        return Outcome(got.status, head, got.body, got.ended)


SERVERS = {"sentinel": sentinel_run, "hypercorn": stock_hypercorn}


@pytest.fixture(scope="module", params=sorted(SERVERS))
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream
) -> Iterator[GatewayProcess]:
    """A route for each guest."""
    lines = ["[server]", 'bind = ["127.0.0.1:0"]']
    lines += ["[[upstream]]", 'name = "origin"', f'targets = ["{shared_upstream.url}"]']
    for name in GUESTS:
        lines += ["[[route]]", f'path = "/{name}"', 'upstream = "origin"', f'chain = ["{name}"]']
    folder = tmp_path_factory.mktemp("gateway")
    with SERVERS[request.param](write_config(folder, "\n".join(lines), GUESTS)) as running:
        yield running


@pytest.fixture(params=[over_http1, over_http2], ids=["http1", "http2"])
def ask(request: pytest.FixtureRequest, gateway: GatewayProcess) -> Ask:
    """A client of one protocol, which both servers speak on the same port."""
    return lambda *arguments, **options: request.param(gateway, *arguments, **options)


def test_a_request_in_pieces(ask: Ask, origin: Upstream) -> None:
    assert ask("/in-first", b"abc", b"def", between=lambda: wait_until(lambda: bool(origin.requests), "request")).whole
    (received,) = origin.requests
    assert received.body == b"1def"


def test_a_request_that_is_held(ask: Ask, origin: Upstream) -> None:
    assert ask("/in-hold", b"abc", b"def").status == 200
    (received,) = origin.requests
    assert (received.body, received.values("content-length")) == (b"abcdef", ["6"])


def test_a_request_that_is_too_large(ask: Ask, origin: Upstream) -> None:
    assert ask("/in-hold", b"x" * 17).status == 413
    assert origin.requests == []


def test_a_request_that_is_answered(ask: Ask, origin: Upstream) -> None:
    got = ask("/in-answers", b"abc")
    assert (got.status, got.body, got.whole) == (422, b"no", True)
    assert origin.requests == []


def test_a_request_whose_head_is_edited(ask: Ask, origin: Upstream) -> None:
    assert ask("/in-edits", b"abc", b"def").status == 200
    (received,) = origin.requests
    assert (received.line, received.body) == ("PUT /edited HTTP/1.1", b"whole")
    assert received.values("x-held") == ["yes"]


def test_a_request_that_breaks_off(ask: Ask, origin: Upstream) -> None:
    got = ask("/in-trap", b"abc", b"def", between=lambda: wait_for_bodies(origin, b"abc"))
    assert got.status == 503
    assert [received.body for received in origin.requests] == [b"abc"]


def test_a_response_in_pieces(ask: Ask, origin: Upstream) -> None:
    go_on, origin.handler = in_two_steps(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc", b"def")
    got = ask("/out-first", between=go_on.set)
    assert (got.status, got.body, got.whole) == (200, b"1def", True)


def test_a_response_that_is_held(ask: Ask, origin: Upstream) -> None:
    got = ask("/out-hold")
    assert (got.status, got.body, got.headers["content-length"]) == (200, b"hello", "5")


def test_a_response_that_is_too_large(ask: Ask, origin: Upstream) -> None:
    origin.handler = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n" + b"x" * 17)
    assert ask("/out-hold").status == 502


def test_a_response_that_is_answered(ask: Ask, origin: Upstream) -> None:
    got = ask("/out-answers")
    assert (got.status, got.body) == (500, b"no")


def test_a_response_whose_head_is_edited(ask: Ask, origin: Upstream) -> None:
    got = ask("/out-edits")
    assert (got.status, got.body, got.headers["x-held"]) == (201, b"whole", "yes")


def test_a_response_that_breaks_off(ask: Ask, origin: Upstream) -> None:
    go_on, origin.handler = in_two_steps(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc", b"def")
    got = ask("/out-trap", between=go_on.set)
    assert (got.status, got.body, got.whole) == (200, b"abc", False)
