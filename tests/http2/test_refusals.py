"""What is no HTTP/2 message ends its stream, what is not served is answered; the connection's other
streams live.
"""

from __future__ import annotations

from typing import Any

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    GoAwayFrame,
    PriorityFrame,
)

from sentinel_host.http.server import ServerLimits
from tests.http1.harness import echo, http_app, run_worker
from tests.http2.peer import Fields, Peer, data, request

PROTOCOL_ERROR, REFUSED_STREAM = 1, 7


def changed(name: bytes, value: bytes | None) -> Fields:
    """An ordinary request in which one pseudo-header is another, or is missing."""
    return [(key, value if key == name else old) for key, old in request() if key != name or value is not None]  # type: ignore[misc]


MALFORMED: dict[str, Fields] = {
    "no method": changed(b":method", None),
    "no scheme": changed(b":scheme", None),
    "no path": changed(b":path", None),
    "empty path": changed(b":path", b""),
    "empty method": changed(b":method", b""),
    "method with a space": changed(b":method", b"GET /x"),
    "method with CRLF": changed(b":method", b"GET\r\nx: y"),
    "path with CRLF": changed(b":path", b"/\r\nx: y"),
    "path with NUL": changed(b":path", b"/\0"),
    "authority with LF": changed(b":authority", b"a\nb"),
    "two methods": [*request(), (b":method", b"GET")],
    "two paths": [(b":path", b"/"), *request()],
    "unknown pseudo-header": [(b":unknown", b"1"), *request()],
    "response pseudo-header": [(b":status", b"200"), *request()],
    "pseudo-header after a field": [*request()[:3], (b"x", b"1"), request()[3]],
    "protocol without CONNECT": [(b":protocol", b"websocket"), *request()],
    "name in upper case": request(b"GET", b"/", (b"X-Up", b"1")),
    "empty name": request(b"GET", b"/", (b"", b"1")),
    "name with a space": request(b"GET", b"/", (b"x y", b"1")),
    "name with a colon": request(b"GET", b"/", (b"x:y", b"1")),
    "name with LF": request(b"GET", b"/", (b"x\ny", b"1")),
    "name with obs-text": request(b"GET", b"/", (b"x\xff", b"1")),
    "value with CR": request(b"GET", b"/", (b"x", b"1\r2")),
    "value with LF": request(b"GET", b"/", (b"x", b"1\n2")),
    "value with NUL": request(b"GET", b"/", (b"x", b"1\0")),
    "value with a control character": request(b"GET", b"/", (b"x", b"1\x01")),
    "value that begins with a space": request(b"GET", b"/", (b"x", b" 1")),
    "value that ends with a tab": request(b"GET", b"/", (b"x", b"1\t")),
    "connection": request(b"GET", b"/", (b"connection", b"x")),
    "keep-alive": request(b"GET", b"/", (b"keep-alive", b"1")),
    "proxy-connection": request(b"GET", b"/", (b"proxy-connection", b"close")),
    "transfer-encoding": request(b"POST", b"/", (b"transfer-encoding", b"chunked")),
    "upgrade": request(b"GET", b"/", (b"upgrade", b"h2c")),
    "te": request(b"GET", b"/", (b"te", b"gzip")),
    "content-length twice": request(b"GET", b"/", (b"content-length", b"0"), (b"content-length", b"0")),
    "content-length with a sign": request(b"GET", b"/", (b"content-length", b"+0")),
    "content-length without a body": request(b"POST", b"/", (b"content-length", b"5")),
}
REFUSED: dict[str, tuple[Fields, int]] = {
    "path with a space": (changed(b":path", b"/a b"), 400),
    "path without a slash": (changed(b":path", b"a"), 400),
    "path with a fragment": (changed(b":path", b"/#x"), 400),
    "path with obs-text": (changed(b":path", b"/\xff"), 400),
    "absolute path": (changed(b":path", b"http://b/"), 400),
    "asterisk for another method": (changed(b":path", b"*"), 400),
    "userinfo in authority": (changed(b":authority", b"user@a.example"), 400),
    "space in authority": (changed(b":authority", b"a b"), 400),
    "path in authority": (changed(b":authority", b"a/b"), 400),
    "empty authority": (changed(b":authority", b""), 400),
    "no authority": (changed(b":authority", None), 400),
    "host that differs": (request(b"GET", b"/", (b"host", b"b.example")), 400),
    "two hosts": (request(b"GET", b"/", (b"host", b"a.example"), (b"host", b"a.example")), 400),
    "another scheme": (changed(b":scheme", b"ftp"), 400),
    "method in lower case": (changed(b":method", b"get"), 501),
    "unknown method": (changed(b":method", b"BREW"), 501),
    "CONNECT": ([(b":method", b"CONNECT"), (b":authority", b"a:80")], 501),
    "another expectation": (request(b"GET", b"/", (b"expect", b"the best")), 417),
    "too many fields": (request(b"GET", b"/", *((b"x", b"%d" % number) for number in range(101))), 431),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_heads_reset_their_stream_alone(case: str) -> None:
    with run_worker(echo) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST")))
        peer.send(peer.headers(3, MALFORMED[case], end=True))
        got = peer.answer(3)
        assert (got.reset, got.heads) == (PROTOCOL_ERROR, [])
        peer.send(data(1, b"lives", end=True))
        assert peer.answer(1).body == b"POST / lives"
        assert (worker.connections.requests, worker.connections.limits_hit) == (1, {"refused": 1})


@pytest.mark.parametrize("case", REFUSED)
def test_an_unserved_request_is_answered_and_the_others_live(case: str) -> None:
    fields, status = REFUSED[case]
    with run_worker(echo) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST")))
        peer.send(peer.headers(3, fields, end=True))
        got = peer.answer(3)
        assert (got.status, got.reset) == (status, None)
        peer.send(data(1, b"lives", end=True))
        assert peer.answer(1).body == b"POST / lives"
        assert worker.connections.requests == 1


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize(("fields", "status"), [(1, 431), (0, 200)])
def test_heads_beyond_the_limit_get_431_however_they_are_cut(count: int, fields: int, status: int) -> None:
    """60 KiB of headers against 32."""
    large = [(b"x-%d" % number, b"%05d" % number * 200) for number in range(60)] if fields else [(b"x", b"y" * 30000)]
    with run_worker(echo) as worker, Peer(worker.connect()) as peer:
        peer.get(1)
        frames = peer.pieces(3, request(b"GET", b"/", *large), max(count, 5))
        if count == 1:
            peer.send(*frames)
        else:
            for frame in frames:
                peer.send(frame)
        assert peer.answer(3).status == status
        assert peer.get(5, b"/after", *large[:1][:fields]).status == 200


def test_an_early_refusal_of_an_upload_stops_it() -> None:
    with run_worker(echo, ServerLimits(body_bytes=1000)) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST", b"/", (b"content-length", b"1001"))), data(1, b"x" * 500))
        got = peer.answer(1)
        assert got.status == 413
        peer.until(lambda: peer.of(1).reset == 0)
        peer.send(data(1, b"x" * 501, end=True))
        assert peer.get(3).status == 200


def test_a_body_beyond_the_limit_that_no_length_announced() -> None:
    with run_worker(echo, ServerLimits(body_bytes=1000)) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST")), data(1, b"x" * 1001))
        assert peer.answer(1).status == 413
        assert peer.get(3).status == 200
        assert worker.connections.limits_hit["body_bytes"] == 1


@pytest.mark.parametrize(("sent", "end"), [(4, True), (6, False)])
def test_a_body_that_is_not_of_its_length_resets_the_stream(sent: int, end: bool) -> None:
    with run_worker(echo) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST", b"/", (b"content-length", b"5"))), data(1, b"x" * sent, end=end))
        assert peer.answer(1).reset == PROTOCOL_ERROR
        assert peer.get(3).status == 200


@pytest.mark.parametrize("fields", [[(b":path", b"/")], [(b"x", b"1\n")], [(b"host", b"a")], [(b"Up", b"1")]])
def test_malformed_trailers_reset_the_stream(fields: Fields) -> None:
    with run_worker(echo) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST")), peer.headers(1, fields, end=True))
        assert peer.answer(1).reset == PROTOCOL_ERROR
        assert peer.get(3).status == 200


def test_streams_beyond_the_limit_are_refused_and_may_be_tried_again() -> None:
    with run_worker(echo, ServerLimits(streams_per_connection=2)) as worker, Peer(worker.connect()) as peer:
        peer.send(*(peer.headers(number, request(b"POST")) for number in (1, 3, 5)))
        assert peer.answer(5).reset == REFUSED_STREAM
        peer.send(data(1, end=True))
        assert peer.answer(1).status == 200
        assert peer.get(7).status == 200
        assert worker.connections.limits_hit == {"streams_per_connection": 1}


@pytest.mark.parametrize(
    "headers", [[(b"x", b"1\r\ny: z")], [(b"x", b"1\0")], [(b"x y", b"1")], [(b":path", b"/")], [(b"x\n", b"1")]]
)
def test_what_an_application_may_not_say_is_not_said(headers: Fields, caplog: pytest.LogCaptureFixture) -> None:
    """The last line of defence: a header block carries any byte, and a peer may make HTTP/1 of
    it.
    """

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x"})

    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        got = peer.get(1)
        assert (got.status, got.body) == (500, b'{"error": "internal error"}')
    assert "ValueError" in caplog.text


def test_a_fault_of_the_connection_ends_it_with_its_name() -> None:
    """Which faults there are, the core's own tests tell."""
    with run_worker(echo) as worker, Peer(worker.connect()) as peer:
        peer.send(ContinuationFrame(1, b"x"))
        peer.read_to_end()
        assert [frame.error_code for frame in peer.goaways] == [PROTOCOL_ERROR]


def test_no_settings_after_the_preface() -> None:
    with run_worker(echo) as worker, worker.connect() as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + PriorityFrame(1).serialize())
        received = b""
        while piece := sock.recv(65536):
            received += piece
        assert GoAwayFrame(0, last_stream_id=0, error_code=PROTOCOL_ERROR).serialize()[9:17] in received
