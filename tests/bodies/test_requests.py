"""Guests that work on the bodies of requests."""

from __future__ import annotations

from asyncio import StreamReader, StreamWriter

import pytest

from tests.bodies.guests import NIL, SLOW, STREAM, TRAP, buffer, on_request, replace, respond
from tests.bodies.support import begin, post, seen, wait_for_bodies
from tests.support.clients import Wire, fetch
from tests.support.clocks import wait_until
from tests.support.gateways import GatewayProcess
from tests.support.guests import answering as answering_heads
from tests.support.guests import edit_response
from tests.support.upstreams import Received, Upstream

_SET = [0, ["x-held", b"yes"]]

GUESTS = {
    "watch": on_request(STREAM, NIL),
    # Of one test: all of what it has logged is looked at.
    "told": on_request(STREAM, NIL),
    "slow": on_request(STREAM, (SLOW, replace(b"slowly"))),
    "first": on_request(STREAM, replace(b"1"), NIL),
    "empty": on_request(STREAM, replace(b"")),
    "answers": on_request(STREAM, respond(422, b"no", allow=b"x")),
    "late": on_request(STREAM, NIL, respond(422)),
    "hold": on_request(buffer(64), NIL),
    "edits": on_request(buffer(64), [2, [[[_SET], b"", "/edited", "q=1", "PUT"], b"whole"]]),
    "keeps": on_request(buffer(64), [2, [[[_SET]]]]),
    "judge": on_request(buffer(64), respond(422, b"no")),
    "early-edit": on_request(STREAM, [2, [[[_SET]]]]),
    "trap": on_request(STREAM, TRAP),
    "later-trap": on_request(STREAM, NIL, TRAP),
    "open-trap": on_request(STREAM, TRAP),
    "open-hold": on_request(buffer(64), TRAP),
    "open-later": on_request(STREAM, NIL, TRAP),
    "open-changed": on_request(STREAM, replace(b""), TRAP),
    "no-hook": on_request(STREAM, chunk_hook=False),
    "single": on_request(STREAM, NIL),
    "marks": answering_heads(response=edit_response(("append", "x-passed", b"yes"))),
}
KEYS = {"single": ["bodies = 1"]}
ROUTES = {f"/{name}": [name] for name in GUESTS} | {
    "/both": ["first", "watch"],
    "/stream-hold": ["first", "hold"],
    "/hold-stream": ["hold", "first"],
    "/marks-judge-marks": ["marks", "judge", "marks"],
    "/open-trap-watch": ["open-trap", "watch"],
    "/open-changed-hold": ["open-changed", "hold"],
    "/open-later-hold": ["open-later", "hold"],
}


def test_a_stream_passes_and_its_end_is_told_once(gateway: GatewayProcess, origin: Upstream) -> None:
    with post(gateway, "/told", b"abc", b"defg") as wire:
        assert wire.answer().status == 200
    gateway.wait(lambda: any(level == "info" for level, _ in seen(gateway, "told")), "end of the body")
    told = seen(gateway, "told")
    assert [level for level, _ in told] == ["warn"] * (len(told) - 1) + ["info"], told
    assert "".join(text for _, text in told) == "abcdefg"
    (request,) = origin.requests
    assert request.body == b"abcdefg"


@pytest.mark.parametrize("path", ["/first", "/both", "/slow"])
def test_what_guests_send_instead_gets_a_new_length(gateway: GatewayProcess, origin: Upstream, path: str) -> None:
    assert fetch(gateway.public, path, method="POST", body=b"abcdef").status == 200
    (request,) = origin.requests
    assert request.body == (b"slowly" if path == "/slow" else b"1")
    assert request.values("content-length") == [str(len(request.body))]
    assert request.values("transfer-encoding") == []


def test_a_body_in_pieces_is_sent_in_chunks_of_its_own(gateway: GatewayProcess, origin: Upstream) -> None:
    with begin(gateway, "/first", b"abc", 6) as wire:
        wait_until(lambda: bool(origin.requests), "request")
        wire.send(b"def")
        assert wire.answer().status == 200
    (request,) = origin.requests
    assert request.body == b"1def"
    assert request.values("transfer-encoding") == ["chunked"]
    assert request.values("content-length") == []


def test_trailers_pass_a_body_guest(gateway: GatewayProcess, origin: Upstream) -> None:
    with post(gateway, "/first", b"abc", trailer="X-Sum: 3\r\n") as wire:
        assert wire.answer().status == 200
    (request,) = origin.requests
    assert request.body[:1] == b"1"
    assert request.trailers == [("x-sum", "3")]


def test_a_request_without_a_body_shows_its_end(gateway: GatewayProcess, origin: Upstream) -> None:
    """A validator must be able to refuse what is missing."""
    assert fetch(gateway.public, "/judge").status == 422
    assert fetch(gateway.public, "/first").status == 200
    (request,) = origin.requests
    assert request.body == b"1"


def test_an_emptied_body_still_has_a_length(gateway: GatewayProcess, origin: Upstream) -> None:
    assert fetch(gateway.public, "/empty", method="POST", body=b"abc").status == 200
    (request,) = origin.requests
    assert request.body == b""
    assert request.values("content-length") == ["0"]


@pytest.mark.parametrize("path", ["/answers", "/judge"])
def test_an_answer_keeps_the_request_from_the_upstream(gateway: GatewayProcess, origin: Upstream, path: str) -> None:
    answer = fetch(gateway.public, path, method="POST", body=b"abc")
    assert (answer.status, answer.body) == (422, b"no")
    assert origin.requests == []


def test_an_answer_passes_the_hooks_of_the_guests_before(gateway: GatewayProcess, origin: Upstream) -> None:
    answer = fetch(gateway.public, "/marks-judge-marks", method="POST", body=b"abc")
    assert answer.status == 422
    assert answer.values("x-passed") == ["yes"]


def test_a_held_head_may_be_edited(gateway: GatewayProcess, origin: Upstream) -> None:
    with post(gateway, "/edits", b"abc", b"def") as wire:
        assert wire.answer().status == 200
    assert fetch(gateway.public, "/keeps?a=1", method="POST", body=b"abc").status == 200
    edited, kept = origin.requests
    assert (edited.line, edited.body) == ("PUT /edited?q=1 HTTP/1.1", b"whole")
    assert edited.values("content-length") == ["5"]
    assert (kept.line, kept.body) == ("POST /keeps?a=1 HTTP/1.1", b"abc")
    assert edited.values("x-held") == kept.values("x-held") == ["yes"]


@pytest.mark.parametrize("path", ["/stream-hold", "/hold-stream"])
def test_modes_may_be_mixed(gateway: GatewayProcess, origin: Upstream, path: str) -> None:
    assert fetch(gateway.public, path, method="POST", body=b"abcdef").status == 200
    (request,) = origin.requests
    assert request.body == b"1"
    assert request.values("content-length") == ["1"]


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_beyond_what_a_guest_takes_is_413(gateway: GatewayProcess, origin: Upstream, declared: bool) -> None:
    if declared:
        with Wire(gateway.public) as wire:
            # Nothing of the body is sent: the length alone is enough.
            wire.send(b"POST /hold HTTP/1.1\r\nHost: test.example\r\nContent-Length: 65\r\n\r\n")
            assert wire.answer().status == 413
    else:
        with post(gateway, "/hold", b"x" * 40, b"x" * 25) as wire:
            assert wire.answer().status == 413
    assert origin.requests == []
    assert fetch(gateway.public, "/hold", method="POST", body=b"x" * 64).status == 200
    assert origin.requests[0].body == b"x" * 64


@pytest.mark.parametrize("path", ["/trap", "/early-edit", "/no-hook"])
def test_a_failure_while_the_head_is_held_is_503(gateway: GatewayProcess, origin: Upstream, path: str) -> None:
    assert fetch(gateway.public, path, method="POST", body=b"abc").status == 503
    assert origin.requests == []


@pytest.mark.parametrize(("guest", "status"), [("open-changed", 503), ("open-later", 200)])
def test_half_of_a_guests_work_never_looks_whole(
    gateway: GatewayProcess, origin: Upstream, guest: str, status: int
) -> None:
    """The guest after it holds the head, so that one that has changed nothing can be left out even
    now.
    """
    with begin(gateway, f"/{guest}-hold", b"abc", 6) as wire:
        gateway.wait(lambda: bool(seen(gateway, guest)), "first piece")
        wire.send(b"def")
        assert wire.answer().status == status
    assert [request.body for request in origin.requests] == [b"abcdef"] * (status == 200)


@pytest.mark.parametrize("path", ["/open-trap", "/open-hold", "/open-trap-watch"])
def test_a_guest_that_fails_open_is_left_out_of_the_body(gateway: GatewayProcess, origin: Upstream, path: str) -> None:
    assert fetch(gateway.public, path, method="POST", body=b"abcdef").status == 200
    (request,) = origin.requests
    assert request.body == b"abcdef"


@pytest.mark.parametrize("guest", ["later-trap", "open-later", "late"])
def test_a_failure_after_the_first_piece_breaks_the_request_off(
    gateway: GatewayProcess, origin: Upstream, guest: str
) -> None:
    """Whatever ``on_failure`` says; the client has got no head yet, and hears of it by 503."""
    with begin(gateway, f"/{guest}", b"abc", 6) as wire:
        wait_for_bodies(origin, b"abc")
        wire.send(b"def")
        assert wire.answer().status == 503
    assert [request.body for request in origin.requests] == [b"abc"]
    gateway.wait_for_log(f"guest {guest}: on-request-chunk")


def test_each_body_has_an_instance_of_its_own(gateway: GatewayProcess, origin: Upstream) -> None:
    """Bodies that overlap each see their own first chunk first; the guest counts in a global."""
    wires = [begin(gateway, "/first", b"abc", 6) for _ in range(3)]
    wait_until(lambda: len(origin.requests) == 3, "requests")
    for wire in wires:
        wire.send(b"def")
        assert wire.answer().status == 200
        wire.close()
    assert [request.body for request in origin.requests] == [b"1def"] * 3


def test_a_client_that_leaves_takes_its_half_of_a_body_along(gateway: GatewayProcess, origin: Upstream) -> None:
    """The instance would take the next body's first chunk for its second."""
    broken_off: list[bool] = []

    async def wait_for_the_end(received: Received, reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read()
        broken_off.append(True)

    origin.read_bodies = False
    origin.handler = wait_for_the_end
    with begin(gateway, "/first", b"abc", 6) as wire:
        wait_until(lambda: bool(origin.requests), "request")
        wire.reset()
    wait_until(lambda: bool(broken_off), "end of the upstream's request")
    origin.reset()
    assert fetch(gateway.public, "/first", method="POST", body=b"xyz").status == 200
    assert origin.requests[-1].body == b"1"


def test_slow_bodies_do_not_hold_up_heads(gateway: GatewayProcess, origin: Upstream) -> None:
    """They would share eight instances with heads: eight slow uploads, and every request of the
    route got 503.
    """
    wires = [begin(gateway, "/watch", b"abc", 6) for _ in range(64)]
    wait_until(lambda: len(origin.requests) == 64, "requests")
    assert fetch(gateway.public, "/watch", method="GET").status == 503
    assert fetch(gateway.public, "/first", method="POST", body=b"abc").status == 200
    for wire in wires:
        wire.send(b"def")
        assert wire.answer().status == 200
        wire.close()
    assert fetch(gateway.public, "/watch", method="POST", body=b"abc").status == 200


def test_more_bodies_than_a_guest_may_work_on_are_503(gateway: GatewayProcess, origin: Upstream) -> None:
    with begin(gateway, "/single", b"abc", 6) as wire:
        gateway.wait(lambda: bool(seen(gateway, "single")), "first piece")
        refused = fetch(gateway.public, "/single", method="POST", body=b"abcdef")
        assert (refused.status, refused.header("retry-after")) == (503, "1")
        wire.send(b"def")
        assert wire.answer().status == 200
