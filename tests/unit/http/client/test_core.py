"""The state of a connection to an upstream: bytes and times in, numbers and pieces out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from sentinel_host.errors import Progress
from sentinel_host.http.client.h1 import (
    BROKEN_OFF,
    CHUNKED,
    CLOSED,
    EXPIRED,
    HALF_CLOSED,
    HEAD,
    HEAD_CAME,
    IDLE,
    IN_TIME,
    LENGTH,
    MALFORMED,
    NO_RESPONSE,
    NOT_SENT,
    NOTHING,
    OVER,
    OVERDUE,
    QUEUED,
    SILENT,
    STOP_UPLOAD,
    TUNNEL,
    UNASKED,
    UNTIL_CLOSE,
    ClientCore,
)
from sentinel_host.http.client.head import UpstreamHead
from sentinel_host.http.client.request import Headers, UpstreamRequest
from sentinel_host.http.client.target import Timeouts

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LATER = b"HTTP/1.1 200 OK\r\n"
CODED = LATER + b"Transfer-Encoding: chunked\r\n\r\n"
LONG = bytes(range(250)) * 80
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n"
TIMEOUTS = Timeouts(response=80.0, idle=40.0, keepalive=20.0)


def get(method: bytes = b"GET", **more) -> UpstreamRequest:
    return UpstreamRequest(method, b"/", [], b"origin.test", **more)


def asked(request: UpstreamRequest | None = None, *, uploading: bool = False, timeouts: Timeouts = TIMEOUTS):
    """A core whose request was sent at the time 0."""
    core = ClientCore(timeouts, 65536, 0.0)
    core.begin(request or get(), 0.0)
    core.sent(uploading)
    return core


@dataclass
class Read:
    """What a core made of the bytes of one response, and of those after it."""

    status: int = 0
    headers: Headers = field(default_factory=list)
    version: bytes = b""
    body: bytes = b""
    events: int = 0
    kept: bool = False


def read(core: ClientCore, pieces: list[bytes]) -> Read:
    """Do what a connection does, up to a fault."""
    got = Read()
    for piece in pieces:
        events = core.receive(piece, 0.0)
        got.events |= events
        if events & HEAD_CAME:
            assert core.head is not None
            got.status, got.headers, got.version = core.head.status, core.head.headers, core.head.http_version
        got.body += b"".join((core.first or b"", *core.pieces))
        core.first = None
        core.pieces.clear()
        if events & OVER:
            got.kept = core.finish(True)
        if events & (MALFORMED | UNASKED) or (events & OVER and not got.kept):
            core.close()
            got.kept = False
    return got


def ways(raw: bytes) -> Iterator[list[bytes]]:
    """Whole, in single bytes, and in two pieces cut at every place; of what is long, only some of
    these.
    """
    yield [raw]
    if len(raw) < 3000:
        yield [raw[at : at + 1] for at in range(len(raw))]
    for at in range(1, min(len(raw), 200)):
        yield [raw[:at], raw[at:]]


# name, method, bytes, status, body, trailers, whether the connection may be kept
RESPONSES = [
    ("length", b"GET", OK, 200, b"ok", [], True),
    ("empty", b"GET", LATER + b"Content-Length: 0\r\n\r\n", 200, b"", [], True),
    ("no reason", b"GET", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b"", [], True),
    ("extension", b"GET", LATER + b"Transfer-Encoding: Chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n", 200, b"ok", [], True),
    (
        "trailers",
        b"GET",
        CODED + b"2\r\nok\r\n0\r\nX-Sum: 1 \r\nY:\r\n\r\n",
        200,
        b"ok",
        [(b"x-sum", b"1"), (b"y", b"")],
        True,
    ),
    ("HEAD", b"HEAD", LATER + b"Content-Length: 99\r\n\r\n", 200, b"", [], True),
    ("HEAD chunked", b"HEAD", CODED, 200, b"", [], True),
    ("204", b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", [], True),
    ("304", b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, b"", [], True),
    (
        "1xx",
        b"GET",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + OK,
        200,
        b"ok",
        [],
        True,
    ),
    ("close", b"GET", LATER + b"Content-Length: 2\r\nConnection: foo, Close\r\n\r\nok", 200, b"ok", [], False),
    (
        "close, then keep-alive",
        b"GET",
        LATER + b"Content-Length: 2\r\nConnection: close\r\nConnection: keep-alive\r\n\r\nok",
        200,
        b"ok",
        [],
        False,
    ),
    # RFC 9110 section 2.5: as 1.1.
    ("1.2", b"GET", b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", [], True),
    ("1.0", b"GET", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", 200, b"ok", [], False),
    ("stray byte", b"GET", OK + b"\n", 200, b"ok", [], False),
    ("stray CRLF after chunks", b"GET", CODED + b"0\r\n\r\n\r\n", 200, b"", [], False),
    ("body on HEAD", b"HEAD", OK, 200, b"", [], False),
    ("body on 204", b"GET", b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok", 204, b"", [], False),
    ("long", b"GET", LATER + b"Content-Length: %d\r\n\r\n" % len(LONG) + LONG, 200, LONG, [], True),
    (
        "long, stray byte",
        b"GET",
        LATER + b"Content-Length: %d\r\n\r\n" % len(LONG) + LONG + b"\n",
        200,
        LONG,
        [],
        False,
    ),
    ("long body on HEAD", b"HEAD", LATER + b"Content-Length: 2\r\n\r\n" + LONG, 200, b"", [], False),
    ("second response", b"GET", OK + LATER + b"Content-Length: 6\r\n\r\npoison", 200, b"ok", [], False),
]


@pytest.mark.parametrize(
    ("method", "raw", "status", "body", "trailers", "kept"),
    [row[1:] for row in RESPONSES],
    ids=[row[0] for row in RESPONSES],
)
def test_responses(method, raw, status, body, trailers, kept):
    for pieces in ways(raw):
        core = asked(get(method))
        got = read(core, pieces)
        assert (got.status, got.body, core.trailers) == (status, body, trailers)
        assert (got.kept, core.state) == ((True, IDLE) if kept else (False, CLOSED))
        assert got.events & OVER
        assert not got.events & MALFORMED


BAD_HEADS = {
    "garbage": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n\r\n",
    "RTSP": b"RTSP/1.0 200 OK\r\n\r\n",
    "status 99": b"HTTP/1.1 099 Odd\r\n\r\n",
    "status 2000": b"HTTP/1.1 2000 OK\r\n\r\n",
    "empty line first": b"\r\n" + OK,
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "bare LF in the middle": b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\r\nok",
    "obs-fold": LATER + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "space before colon": LATER + b"Content-Length : 0\r\n\r\n",
    "NUL": LATER + b"A: \0\r\nContent-Length: 0\r\n\r\n",
    "two lengths": LATER + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "unequal lengths": LATER + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "length list": LATER + b"Content-Length: 2, 2\r\n\r\nok",
    "signed length": LATER + b"Content-Length: +2\r\n\r\nok",
    "huge length": LATER + b"Content-Length: 99999999999999999999999\r\n\r\nok",
    "length and coding": LATER + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding and length": LATER + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "gzip, chunked": LATER + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": LATER + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "xchunked": LATER + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked on 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "101": SWITCH,
    "101 bare": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "endless 1xx": b"HTTP/1.1 102 Processing\r\n\r\n" * 2622,
    "201 fields": LATER + b"A: b\r\n" * 201 + b"\r\n",
    "large head": LATER + b"A: " + b"x" * 65536,
}


@pytest.mark.parametrize("raw", BAD_HEADS.values(), ids=BAD_HEADS.keys())
def test_bad_heads(raw):
    for pieces in ways(raw):
        core = asked()
        got = read(core, pieces)
        assert got.events == MALFORMED, pieces
        assert (got.body, core.state) == (b"", CLOSED)
        assert core.fault
        assert "\n" not in core.fault


BAD_BODIES = {
    "bad size": b"zz\r\n",
    "negative size": b"-1\r\n",
    "0x size": b"0x2\r\nok\r\n",
    "huge size": b"ffffffffffffffffff\r\n",
    "bare LF": b"2\nok\r\n",
    "bad trailer": b"0\r\nA : b\r\n\r\n",
    "endless trailers": b"0\r\nA: " + b"x" * 70000,
    "201 trailers": b"0\r\n" + b"A: b\r\n" * 201 + b"\r\n",
}


@pytest.mark.parametrize("raw", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_bad_bodies_after_what_came(raw):
    for pieces in ways(CODED + b"2\r\nok\r\n" + raw):
        core = asked()
        got = read(core, pieces)
        assert got.events == HEAD_CAME | MALFORMED, pieces
        assert (got.status, got.body, core.state) == (200, b"ok", CLOSED)


def test_a_piece_of_a_body_is_passed_on_itself():
    core = asked()
    core.receive(LATER + b"Content-Length: 1000\r\n\r\n", 0.0)
    piece = bytes(500)
    assert core.receive(piece, 0.0) == NOTHING
    assert core.pieces[0] is piece


def test_each_response_has_fields_of_its_own_and_an_idle_connection_has_none():
    core = asked()
    assert core.receive(LATER + b"A: 1\r\nContent-Length: 0\r\n\r\n", 0.0) == HEAD_CAME | OVER
    assert core.head is not None
    first = core.head.headers
    assert core.finish(True)
    assert not [each for each in gc.get_referrers(first) if isinstance(each, UpstreamHead)]
    core.begin(get(), 0.0)
    core.sent(False)
    assert core.receive(LATER + b"B: 2\r\nContent-Length: 0\r\n\r\n", 0.0) == HEAD_CAME | OVER
    assert first == [(b"a", b"1"), (b"content-length", b"0")]
    assert core.head.headers == [(b"b", b"2"), (b"content-length", b"0")]


def test_long_bytes_that_came_with_the_head_are_not_copied():
    core = asked()
    data = LATER + b"Content-Length: %d\r\n\r\n" % (len(LONG) + 1) + LONG
    assert core.receive(data, 0.0) == HEAD_CAME
    assert isinstance(core.first, memoryview)
    assert core.first.obj is data
    assert core.first == LONG
    assert core.left == 1


# What happens in each state: how to get there, and what comes of bytes, an end of stream, a loss
# without an error and one with an error.
def idle() -> ClientCore:
    return ClientCore(TIMEOUTS, 65536, 0.0)


def queued() -> ClientCore:
    core = idle()
    core.begin(get(), 0.0)
    return core


def after(raw: bytes, **more) -> Callable[[], ClientCore]:
    def make() -> ClientCore:
        core = asked(get(**more))
        read(core, [raw])
        return core

    return make


def closed() -> ClientCore:
    core = asked()
    core.close()
    return core


STATES = [
    (IDLE, idle, UNASKED, UNASKED, UNASKED, UNASKED),
    (IDLE, after(OK), UNASKED, UNASKED, UNASKED, UNASKED),
    (QUEUED, queued, NOT_SENT, NOT_SENT, NOT_SENT, NOT_SENT),
    (HEAD, asked, NOTHING, NO_RESPONSE, NO_RESPONSE, NO_RESPONSE),
    (HEAD, after(b"HTTP/1.1 200 OK\r\nA"), NOTHING, NO_RESPONSE, NO_RESPONSE, NO_RESPONSE),
    (LENGTH, after(LATER + b"Content-Length: 9\r\n\r\nok"), NOTHING, BROKEN_OFF, BROKEN_OFF, BROKEN_OFF),
    (CHUNKED, after(CODED + b"9\r\nok"), NOTHING, BROKEN_OFF, BROKEN_OFF, BROKEN_OFF),
    (UNTIL_CLOSE, after(LATER + b"\r\nok"), NOTHING, OVER, OVER, BROKEN_OFF),
    (UNTIL_CLOSE, after(b"HTTP/1.0 200 OK\r\n\r\n"), NOTHING, OVER, OVER, BROKEN_OFF),
    (TUNNEL, after(SWITCH, upgrade=b"websocket"), NOTHING, HALF_CLOSED, OVER, BROKEN_OFF),
    (CLOSED, closed, NOTHING, NOTHING, NOTHING, NOTHING),
]


@pytest.mark.parametrize(("state", "make", "by_bytes", "at_end", "when_lost", "when_broken"), STATES)
def test_what_each_state_makes_of_what_happens(state, make, by_bytes, at_end, when_lost, when_broken):
    for happen, event in (
        (lambda core: core.receive(b"x" if state > HEAD else b"H", 0.0), by_bytes),
        (lambda core: core.ended(), at_end),
        (lambda core: core.lost(True), when_lost),
        (lambda core: core.lost(False), when_broken),
    ):
        core = make()
        assert core.state == state
        assert happen(core) == event
        if event == OVER:
            assert not core.finish(True), "what ended with the connection leaves none"


def test_a_connection_serves_one_request_after_the_other():
    core = idle()
    for number in range(3):
        assert core.used == (number > 0)
        core.begin(get(), 0.0)
        core.sent(False)
        raw = CODED + b"1\r\n%d\r\n0\r\nT: 1\r\n\r\n" % number if number < 2 else OK
        got = read(core, [raw])
        assert got.kept
        assert core.trailers == ([(b"t", b"1")] if number < 2 else [])


# whether a body is uploaded, whether the transport is fit for another request, whether the
# connection is kept
@pytest.mark.parametrize(
    ("uploading", "reusable", "kept"), [(False, True, True), (False, False, False), (True, True, False)]
)
def test_a_response_that_is_over(uploading, reusable, kept):
    core = asked(get(b"POST"), uploading=uploading)
    assert core.receive(OK, 0.0) == HEAD_CAME | OVER
    assert core.finish(reusable) is kept
    assert not core.uploading


@pytest.mark.parametrize(
    ("status", "uploading", "stops"),
    [(200, True, False), (307, True, False), (399, True, False)]
    + [(status, True, True) for status in (400, 413, 499, 500, 503)]
    + [(413, False, False)],
)
@pytest.mark.parametrize("interim", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=["", "after 100"])
def test_an_early_answer(status, uploading, stops, interim):
    core = asked(get(b"POST"), uploading=uploading)
    head = interim + b"HTTP/1.1 %d X\r\nContent-Length: 3\r\n\r\n" % status
    assert core.receive(head, 0.0) == (HEAD_CAME | STOP_UPLOAD if stops else HEAD_CAME)
    assert core.uploading == (uploading and not stops)
    if core.uploading:
        core.uploaded(0.0)
    assert core.receive(b"no!", 0.0) == OVER
    assert core.finish(True) is not stops


def test_informational_responses_reach_the_callback_and_are_not_counted():
    """The ninth was a 502. RFC 9110 section 15.2 sets no number: what is bounded is their bytes,
    and the time.
    """
    seen: list[tuple[int, Headers]] = []
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n"
    times = 65536 // len(hint)
    core = idle()
    for _ in range(2):  # what was read counts for its own response only
        core.begin(get(informed=SimpleNamespace(pass_informational=lambda *said: seen.append(said))), 0.0)
        core.sent(False)
        got = read(core, [hint * times + OK])
        assert (got.status, got.headers, got.body) == (200, [(b"content-length", b"2")], b"ok")
    assert seen == [(103, [(b"link", b"</a>"), (b"link", b"</b>")])] * 2 * times
    core.begin(get(), 0.0)
    core.sent(False)
    assert core.receive(hint * (times + 1), 0.0) == MALFORMED


def test_what_the_callback_closes_reads_no_further():
    core = asked(get(informed=SimpleNamespace(pass_informational=lambda *_: core.close())))
    assert core.receive(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, 0.0) == NOTHING
    assert (core.state, core.pieces) == (CLOSED, [])


@pytest.mark.parametrize(
    ("upgrade", "raw", "switches"),
    [
        (b"websocket", SWITCH, True),
        (b"WEBSOCKET", SWITCH, True),
        (b"websocket", SWITCH.replace(b"Upgrade: WebSocket", b"Upgrade: other"), False),
        (b"websocket", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", False),
        (b"", SWITCH, False),
    ],
)
@pytest.mark.parametrize("rest", [b"", b"\0frames\r\n\r\n"])
def test_a_change_of_protocol(upgrade, raw, switches, rest):
    for pieces in ways(raw + rest):
        core = asked(get(upgrade=upgrade))
        got = read(core, pieces)
        if switches:
            assert (got.events, got.status, got.body, core.state) == (HEAD_CAME, 101, rest, TUNNEL)
        else:
            assert (got.events, core.state) == (MALFORMED, CLOSED)


def test_an_upgrade_that_is_declined_is_an_ordinary_response():
    got = read(asked(get(upgrade=b"websocket")), [OK])
    assert (got.status, got.body, got.kept) == (200, b"ok", True)


@pytest.mark.parametrize(
    ("make", "progress"),
    [
        (queued, Progress.UNSENT),
        (asked, Progress.SENT),
        (after(b"H"), Progress.ANSWERED),
        (after(b"HTTP/1.1 103 Early Hints\r\n\r\n"), Progress.ANSWERED),
        (after(LATER + b"Content-Length: 1\r\n\r\n"), Progress.RESPONDED),
        (after(SWITCH, upgrade=b"websocket"), Progress.RESPONDED),
    ],
)
def test_how_far_a_request_has_come(make, progress):
    assert make().progress == progress


BODY = after(LATER + b"Content-Length: 9\r\n\r\n")


# state, seconds of silence, verdict
@pytest.mark.parametrize(
    ("make", "silent", "verdict"),
    [
        (idle, 19.9, IN_TIME),
        (idle, 20.0, EXPIRED),
        (asked, 9.9, IN_TIME),
        (asked, 10.0, SILENT),
        (asked, 79.9, SILENT),
        (asked, 80.0, OVERDUE),
        (queued, 80.0, OVERDUE),
        (after(b"HTTP/1.1 200 OK\r\nContent-"), 80.0, OVERDUE),
        (after(b"HTTP/1.1 100 Continue\r\n\r\n"), 80.0, OVERDUE),
        (BODY, 4.9, IN_TIME),
        (BODY, 5.0, SILENT),
        (BODY, 40.0, OVERDUE),
        (after(SWITCH, upgrade=b"websocket"), 1e9, IN_TIME),
        (closed, 1e9, IN_TIME),
    ],
)
def test_deadlines(make, silent, verdict):
    assert make().check(silent, False) == verdict


@pytest.mark.parametrize(
    ("make", "said"),
    [(asked, "no response within 80 s"), (BODY, "the response fell silent within 40 s")],
)
def test_what_was_late(make, said):
    assert make().lateness() == said


def test_a_response_may_be_silent_for_ever_where_nothing_bounds_it():
    core = asked(timeouts=Timeouts(response=80.0, idle=None))
    core.receive(LATER + b"Content-Length: 9\r\n\r\n", 0.0)
    assert core.check(1e9, False) == IN_TIME


def test_single_bytes_of_a_head_gain_no_time_and_a_whole_one_does():
    core = asked()
    core.receive(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n", 70.0)
    assert core.check(80.0, False) == OVERDUE
    core.receive(b"Content-Length: 9\r\n\r\n", 80.0)
    assert core.check(84.0, False) == IN_TIME
    core.receive(b"x", 119.0)
    assert core.check(123.0, False) == IN_TIME


def test_what_gains_time():
    for happen in (
        lambda core: core.progressed(79.0),
        lambda core: core.uploaded(79.0),
        lambda core: core.resume(79.0),
        lambda core: core.check(79.0, True),
    ):
        core = asked(get(b"POST"), uploading=True)
        happen(core)
        assert core.check(159.0 - 0.1, False) == SILENT
        assert core.check(159.0, False) == OVERDUE


def test_nothing_is_late_while_the_reader_pauses():
    core = BODY()
    core.pause()
    for now in (100.0, 200.0, 300.0):
        assert core.check(now, False) == IN_TIME
    core.resume(310.0)
    assert core.check(350.0, False) == OVERDUE


def test_a_source_that_is_waited_for_counts_only_while_it_is_uploaded():
    core = asked(get(b"POST"), uploading=True)
    core.uploaded(0.0)
    assert core.check(80.0, True) == OVERDUE
