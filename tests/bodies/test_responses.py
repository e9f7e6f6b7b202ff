"""Guests that work on the bodies of responses."""

from __future__ import annotations

import random
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable

import pytest

from sentinel_host.pipeline.filters import MOST_AT_ONCE
from tests.bodies.guests import NIL, SLOW, STREAM, TRAP, buffer, on_response, replace, respond
from tests.bodies.support import in_two_steps, seen
from tests.support.clients import Wire, fetch
from tests.support.clocks import wait_until
from tests.support.gateways import GatewayProcess
from tests.support.guests import answering as answering_heads
from tests.support.guests import edit_response
from tests.support.guests import respond as respond_to_head
from tests.support.upstreams import Received, Upstream
from tests.support.upstreams import answering as saying

_SET = [0, ["x-held", b"yes"]]

GUESTS = {
    "watch": on_response(STREAM, NIL),
    # Of one test: all of what it has logged is looked at.
    "told": on_response(STREAM, NIL),
    "slow": on_response(STREAM, (SLOW, replace(b"slowly"))),
    "first": on_response(STREAM, replace(b"1"), NIL),
    "empty": on_response(STREAM, replace(b"")),
    "answers": on_response(STREAM, respond(500, b"no", allow=b"x")),
    "late": on_response(STREAM, NIL, respond(500)),
    "hold": on_response(buffer(16), NIL),
    "none": on_response(buffer(0), NIL),
    "edits": on_response(buffer(64), [2, [[[_SET], 201], b"whole"]]),
    "clears": on_response(buffer(64), [2, [[[], 204]]]),
    "early-edit": on_response(STREAM, [2, [[[_SET]]]]),
    "trap": on_response(STREAM, TRAP),
    "later-trap": on_response(STREAM, NIL, TRAP),
    "open-trap": on_response(STREAM, TRAP),
    "open-later": on_response(STREAM, NIL, TRAP),
    "no-hook": on_response(STREAM, chunk_hook=False),
    "large": on_response(STREAM, NIL, lines=False),
    "marks": answering_heads(response=edit_response(("append", "x-passed", b"yes"))),
    "teapot": answering_heads(respond_to_head(418, [("content-type", b"text/plain")], b"short and stout")),
}
ROUTES = {f"/{name}": [name] for name in GUESTS} | {
    "/watch-first": ["watch", "first"],
    "/marks-answers-marks": ["marks", "answers", "marks"],
    "/marks-trap": ["marks", "trap"],
    "/first-teapot": ["first", "teapot"],
    "/edits-teapot": ["edits", "teapot"],
    "/watch-large": ["large"],
    "/hold-edits": ["hold", "edits"],
}
_CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"


def test_a_stream_passes_and_its_end_is_told_once(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = saying(_CHUNKED + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
    answer = fetch(gateway.public, "/told")
    assert answer.body == b"abcdefg"
    gateway.wait(lambda: any(level == "info" for level, _ in seen(gateway, "told")), "end of the body")
    told = seen(gateway, "told")
    assert [level for level, _ in told] == ["warn"] * (len(told) - 1) + ["info"], told
    assert "".join(text for _, text in told) == "abcdefg"


@pytest.mark.parametrize(
    ("path", "body"), [("/first", b"1"), ("/watch-first", b"1"), ("/slow", b"slowly"), ("/empty", b"")]
)
def test_what_guests_send_instead_gets_a_new_length(
    gateway: GatewayProcess, origin: Upstream, path: str, body: bytes
) -> None:
    answer = fetch(gateway.public, path)
    assert (answer.status, answer.body) == (200, body)
    assert answer.values("content-length") == [str(len(body))]


def test_pieces_come_out_as_they_come_in(gateway: GatewayProcess, origin: Upstream) -> None:
    go_on, origin.handler = in_two_steps(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc", b"def")
    with Wire(gateway.public) as wire:
        wire.get("/first")
        head = wire.head()
        assert head.header("content-length") is None
        assert wire.chunk() == b"1"
        go_on.set()
        assert wire.chunk() == b"def"
        assert wire.chunk() == b""


@pytest.mark.parametrize("size", [4 * MOST_AT_ONCE - 1, 4 * MOST_AT_ONCE, 4 * MOST_AT_ONCE + 1])
def test_what_comes_at_once_is_sent_as_the_guest_returns_it(
    size: int, gateway: GatewayProcess, origin: Upstream
) -> None:
    body = random.Random(size).randbytes(size)
    go_on, origin.handler = in_two_steps(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\nabc" % (3 + size), body)
    with Wire(gateway.public) as wire:
        wire.get("/first")
        wire.head()
        assert wire.chunk() == b"1"
        go_on.set()
        chunks = list(iter(wire.chunk, b""))
        assert b"".join(chunks) == body
        assert max(map(len, chunks)) <= MOST_AT_ONCE


def test_an_event_streams_head_waits_for_no_event(gateway: GatewayProcess, origin: Upstream) -> None:
    """The first event may be the client's own doing, which begins once it has seen the head."""
    go_on, origin.handler = in_two_steps(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        b"3\r\nabc\r\n0\r\n\r\n",
    )
    with Wire(gateway.public) as wire:
        wire.get("/watch")
        assert wire.head().status == 200
        go_on.set()
        assert wire.chunk() == b"abc"


def test_trailers_pass_a_body_guest(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = saying(_CHUNKED + b"3\r\nabc\r\n0\r\nx-sum: 3\r\n\r\n")
    with Wire(gateway.public) as wire:
        wire.get("/first", "TE: trailers")
        answer = wire.answer()
    assert answer.body == b"1"
    assert answer.trailers == [("x-sum", "3")]


def test_http_1_0_gets_the_body_and_then_the_end(gateway: GatewayProcess, origin: Upstream) -> None:
    go_on, origin.handler = in_two_steps(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc", b"def")
    with Wire(gateway.public) as wire:
        wire.send(b"GET /first HTTP/1.0\r\nHost: test.example\r\n\r\n")
        assert wire.head().header("transfer-encoding") is None
        assert wire.exactly(1) == b"1"
        go_on.set()
        assert wire.rest() == b"def"


def pass_one_byte(gateway: GatewayProcess, origin: Upstream, guest: str, byte: str) -> int:
    """Wait until a guest has logged all that it sees of a body of one byte; returns how many lines
    it has logged.
    """

    def logged() -> bool:
        lines = seen(gateway, guest)
        at = next((at for at, line in enumerate(lines) if line[1] == byte), len(lines))
        # The end may be told by itself; one that traps does not live to see that.
        return any(level == "info" or guest == "trap" for level, _ in lines[at:])

    origin.handler = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n" + byte.encode())
    fetch(gateway.public, f"/{guest}")
    gateway.wait(logged, f"line of {guest} with {byte!r}")
    return len(seen(gateway, guest))


@pytest.mark.parametrize("path", ["/watch", "/first", "/trap", "/hold"])
def test_a_response_without_a_body_calls_no_body_hook(gateway: GatewayProcess, origin: Upstream, path: str) -> None:
    """What earlier tests made the guest log comes late: only lines between two that are awaited
    count.
    """
    guest = path[1:]
    before = pass_one_byte(gateway, origin, guest, "<")
    origin.reset()
    head = fetch(gateway.public, path, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.header("content-length") is None
    for status in (b"204 No Content", b"304 Not Modified"):
        origin.handler = saying(b"HTTP/1.1 %b\r\n\r\n" % status)
        assert fetch(gateway.public, path).status == int(status[:3])
    pass_one_byte(gateway, origin, guest, ">")
    assert seen(gateway, guest)[before][1] == ">"


def test_an_answer_replaces_the_response(gateway: GatewayProcess, origin: Upstream) -> None:
    answer = fetch(gateway.public, "/answers")
    assert (answer.status, answer.body, answer.header("content-type")) == (500, b"no", None)


def test_an_answer_passes_the_hooks_of_the_guests_before(gateway: GatewayProcess, origin: Upstream) -> None:
    answer = fetch(gateway.public, "/marks-answers-marks")
    assert answer.status == 500
    assert answer.values("x-passed") == ["yes"]


def test_a_held_head_may_be_edited(gateway: GatewayProcess, origin: Upstream) -> None:
    answer = fetch(gateway.public, "/edits")
    assert (answer.status, answer.body, answer.header("x-held")) == (201, b"whole", "yes")
    assert answer.values("content-length") == ["5"]
    assert fetch(gateway.public, "/hold-edits").body == b"whole"


def test_a_status_without_a_body_drops_it(gateway: GatewayProcess, origin: Upstream) -> None:
    with Wire(gateway.public) as wire:
        wire.get("/clears")
        answer = wire.answer()
        assert (answer.status, answer.header("content-length")) == (204, None)
        wire.get("/watch")
        assert wire.answer().body == b"hello"


@pytest.mark.parametrize(("path", "status", "body"), [("/first-teapot", 418, b"1"), ("/edits-teapot", 201, b"whole")])
def test_the_body_of_a_guests_response_passes_too(
    gateway: GatewayProcess, origin: Upstream, path: str, status: int, body: bytes
) -> None:
    answer = fetch(gateway.public, path)
    assert (answer.status, answer.body) == (status, body)
    assert origin.requests == []


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_beyond_what_a_guest_takes_is_502(gateway: GatewayProcess, origin: Upstream, declared: bool) -> None:
    if declared:
        # Nothing of the body is sent: the length alone is enough.
        origin.handler = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n")
    else:
        origin.handler = saying(_CHUNKED + b"11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n")
    assert fetch(gateway.public, "/hold").status == 502
    gateway.wait_for_log("guest hold: the response's body is larger than the 16 bytes that it takes")
    origin.handler = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n" + b"x" * 16)
    assert fetch(gateway.public, "/hold").body == b"x" * 16


def test_a_refusal_that_is_too_large_itself_comes_to_an_end(gateway: GatewayProcess, origin: Upstream) -> None:
    """A guest that takes no byte would find the 502 too large again, and so on for ever."""
    assert fetch(gateway.public, "/none").status == 502
    origin.handler = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    assert fetch(gateway.public, "/none").status == 200


def test_an_upstream_that_breaks_off_while_the_head_is_held_is_502(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", then_close=True)
    assert fetch(gateway.public, "/edits").status == 201, "the guest edits the 502 as well"
    gateway.wait_for_log("upstream")


@pytest.mark.parametrize("path", ["/trap", "/marks-trap", "/early-edit", "/no-hook"])
def test_a_failure_while_the_head_is_held_is_503(gateway: GatewayProcess, origin: Upstream, path: str) -> None:
    answer = fetch(gateway.public, path)
    assert answer.status == 503
    assert answer.values("x-passed") == ["yes"] * (path == "/marks-trap")


def test_a_guest_that_fails_open_is_left_out_of_the_body(gateway: GatewayProcess, origin: Upstream) -> None:
    assert fetch(gateway.public, "/open-trap").body == b"hello"


@pytest.mark.parametrize("guest", ["later-trap", "open-later", "late"])
def test_a_failure_after_the_first_piece_breaks_the_response_off(
    gateway: GatewayProcess, origin: Upstream, guest: str
) -> None:
    """Whatever ``on_failure`` says: half of a body must not look whole."""
    go_on, origin.handler = in_two_steps(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc", b"def")
    with Wire(gateway.public) as wire:
        wire.get(f"/{guest}")
        assert wire.head().status == 200
        assert wire.chunk() == b"abc"
        go_on.set()
        assert wire.rest() == b""


def test_slow_readers_hold_the_upstream_back(gateway: GatewayProcess, origin: Upstream) -> None:
    # Far more than the kernel's buffers, which may take dozens of MiB as it thinks fit.
    size = 512 << 20
    before = gateway.memory()
    written = 0

    async def handler(received: Received, reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size >> 16):
            writer.write(bytes(65536))
            await writer.drain()
            written += 65536

    origin.handler = handler
    with Wire(gateway.public, receive_buffer=65536) as wire:
        wire.get("/watch-large")
        assert wire.head().status == 200
        wait_until(lambda: written > 0 and stands_still(lambda: written), "standstill")
        assert written < size
        assert gateway.memory() - before < 24 << 20


def stands_still(value: Callable[[], int]) -> bool:
    """Whether it does not change for a while: that nothing happens cannot be waited for in another
    way.
    """
    first = value()
    time.sleep(0.3)
    return value() == first
