"""HTTP/1.1 as clients speak it: persistence, pipelining, every framing of requests and
responses.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from sentinel_host.http.server import ServerLimits
from tests.http1.harness import (
    Worker,
    answer,
    echo,
    http_app,
    read_body,
    read_to_end,
    read_until,
    response,
    run_worker,
    status_of,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\n"
CLOSE = b"Connection: close\r\n"


def target(name: str, more: bytes = b"") -> bytes:
    return b"GET /" + name.encode() + b" HTTP/1.1\r\nHost: a\r\n" + more + b"\r\n"


@pytest.fixture(scope="module")
def echoing() -> Iterator[Worker]:
    with run_worker(echo) as worker:
        yield worker


def test_connection_is_kept_and_reused(echoing: Worker) -> None:
    accepted = echoing.connections.accepted
    with echoing.connect() as sock:
        for n in range(3):
            sock.sendall(target(str(n)))
            status, headers, body = response(sock)
            assert (status, body) == (200, b"GET /%d " % n)
            assert "connection" not in headers
            assert headers["date"].endswith("GMT")
    assert echoing.connections.accepted == accepted + 1


def test_pipelined_requests_are_answered_in_order(echoing: Worker) -> None:
    raw = b"".join(target(str(n)) for n in range(99)) + target("last", CLOSE)
    reply = echoing.talk(raw)
    positions = [reply.index(b"GET /%d " % n) for n in range(99)]
    assert positions == sorted(positions)
    assert reply.endswith(b"GET /last ")


def test_two_thousand_pipelined_requests_in_one_read(echoing: Worker) -> None:
    """llhttp cannot pause: fed everything at once it would make 2,000 requests before the first is
    answered.
    """
    raw = target("x") * 2000 + target("last", CLOSE)
    assert echoing.talk(raw).count(b"HTTP/1.1 200 OK") == 2001


def test_pipelined_bodies_of_both_framings(echoing: Worker) -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    counted = POST + b"Content-Length: 4\r\n\r\nwxyz"
    reply = echoing.talk(chunked + counted + chunked + target("end", CLOSE))
    bodies = [part.partition(b"\r\n\r\n")[2] for part in reply.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [b"POST /p abcde", b"POST /p wxyz", b"POST /p abcde", b"GET /end "]


def test_client_that_half_closes_is_still_answered(echoing: Worker) -> None:
    assert echoing.talk(target("x"), half_close=True).endswith(b"GET /x ")
    assert echoing.talk(target("a") + target("b"), half_close=True).endswith(b"GET /b ")
    assert echoing.talk(POST + b"Content-Length: 2\r\n\r\nhi", half_close=True).endswith(b"POST /p hi")


@pytest.mark.parametrize(
    "raw", [GET, POST + b"Content-Length: 9\r\n\r\nhi", POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhe"]
)
def test_request_that_ends_early_is_400(echoing: Worker, raw: bytes) -> None:
    assert status_of(echoing.talk(raw, half_close=True)) == 400


def test_nothing_sent_is_nothing_answered(echoing: Worker) -> None:
    assert echoing.talk(half_close=True) == b""


@pytest.mark.parametrize("minor", [2, 9])
def test_a_later_minor_version_is_answered_as_1_1(echoing: Worker, minor: int) -> None:
    """RFC 9110 section 2.5. It was refused with 505, which is for another major version."""
    raw = b"POST /p HTTP/1.%d\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n" % minor
    for pieces in ([raw], [raw[at : at + 1] for at in range(len(raw))]):
        reply = echoing.talk(*pieces, target("next", CLOSE))
        assert reply.count(b"HTTP/1.1 200 OK") == 2
        assert b"POST /p hi" in reply


def test_connection_close_is_honoured(echoing: Worker) -> None:
    reply = echoing.talk(target("x", CLOSE))
    assert b"\r\nconnection: close\r\n" in reply
    assert reply.endswith(b"GET /x ")


class TestHttp10:
    def test_closes_after_one(self, echoing: Worker) -> None:
        reply = echoing.talk(b"GET /x HTTP/1.0\r\n\r\n")
        assert b"\r\nconnection: close\r\n" in reply
        assert reply.endswith(b"GET /x ")

    def test_kept_alive_on_request(self, echoing: Worker) -> None:
        with echoing.connect() as sock:
            for _ in range(2):
                sock.sendall(b"GET /x HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
                status, headers, body = response(sock)
                assert (status, headers["connection"], body) == (200, "keep-alive", b"GET /x ")

    def test_body_of_unknown_length_ends_with_the_connection(self) -> None:
        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"one ", "more_body": True})
            await send({"type": "http.response.body", "body": b"two"})

        with run_worker(app) as worker:
            reply = worker.talk(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"transfer-encoding" not in reply
        assert b"\r\nconnection: close\r\n" in reply
        assert reply.endswith(b"\r\n\r\none two")


class TestExpect:
    def test_continue_comes_when_the_application_reads(self, echoing: Worker) -> None:
        with echoing.connect() as sock:
            sock.sendall(POST + b"Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n")
            assert read_until(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            sock.sendall(b"hi")
            assert response(sock)[2] == b"POST /p hi"
            sock.sendall(target("next"))
            assert response(sock)[2] == b"GET /next "

    def test_no_continue_and_a_close_when_it_does_not(self) -> None:
        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            for message in answer(b"no", 401):
                await send(message)
            assert (await receive())["type"] == "http.disconnect"

        with run_worker(app, ServerLimits(linger=0.2)) as worker:
            reply = worker.talk(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert b"100 Continue" not in reply
        assert status_of(reply) == 401
        assert b"\r\nconnection: close\r\n" in reply

    def test_no_continue_when_the_body_is_there(self, echoing: Worker) -> None:
        reply = echoing.talk(POST + CLOSE + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
        assert status_of(reply) == 200

    def test_no_continue_for_1_0(self, echoing: Worker) -> None:
        with echoing.connect() as sock:
            sock.sendall(b"POST /p HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            sock.sendall(b"hi")
            assert response(sock)[0] == 200


def responding(*messages: dict[str, Any]) -> Any:
    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return app


def start(status: int, *headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(data: Any, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


class TestResponses:
    def test_pieces_are_chunked(self) -> None:
        app = responding(
            start(200), body(b"hello", True), body(b"", True), body(memoryview(b"x" * 20), True), body(b"")
        )
        with run_worker(app) as worker:
            reply = worker.talk(GET + CLOSE + b"\r\n")
        head, _, rest = reply.partition(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head
        assert rest == b"5\r\nhello\r\n14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n"

    def test_large_pieces_arrive_whole(self) -> None:
        piece = bytes(range(256)) * 400
        app = responding(start(200), *[body(piece, True)] * 20, body(bytearray(piece)))
        with run_worker(app) as worker, worker.connect() as sock:
            sock.sendall(GET + b"\r\n")
            assert response(sock)[2] == piece * 21
            sock.sendall(GET + b"\r\n")
            assert response(sock)[2] == piece * 21

    def test_trailers(self) -> None:
        trailers = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]}
        app = responding(start(200, trailers=True), body(b"hello"), trailers)
        with run_worker(app) as worker:
            reply = worker.talk(GET + CLOSE + b"\r\n")
            assert reply.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n")
            old = worker.talk(b"GET / HTTP/1.0\r\n\r\n")
            assert old.endswith(b"\r\n\r\nhello")

    def test_informational(self) -> None:
        hints = {"type": "http.response.informational", "status": 103, "headers": [(b"link", b"</a>")]}
        with run_worker(responding(hints, hints, start(200), body(b"x"))) as worker:
            reply = worker.talk(GET + CLOSE + b"\r\n")
            assert reply.startswith(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 2 + b"HTTP/1.1 200 OK\r\n")
            assert worker.talk(b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")

    def test_head_goes_out_early_when_asked(self) -> None:
        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await send(start(200))
            await send(body(b"", True))
            assert await read_body(receive) == b"go"
            await send(body(b"done"))

        with run_worker(app) as worker, worker.connect() as sock:
            sock.sendall(POST + b"Content-Length: 2\r\n\r\n")
            assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 200")
            sock.sendall(b"go")
            assert read_until(sock, b"0\r\n\r\n") == b"4\r\ndone\r\n0\r\n\r\n"


class TestScope:
    @pytest.mark.parametrize(
        ("raw", "path", "raw_path", "query"),
        [
            (b"/a/b?c=d?e", "/a/b", b"/a/b", b"c=d?e"),
            (b"/a%20b%2Fc%C3%A9", "/a b/cé", b"/a%20b%2Fc%C3%A9", b""),
            (b"/?", "/", b"/", b""),
            (b"http://h:1/x?y", "http://h:1/x", b"http://h:1/x", b"y"),
        ],
    )
    def test_target(self, raw: bytes, path: str, raw_path: bytes, query: bytes) -> None:
        scopes: list[dict[str, Any]] = []

        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            scopes.append(scope)
            for message in answer(b""):
                await send(message)

        with run_worker(app) as worker:
            worker.talk(b"M-SEARCH " + raw + b" HTTP/1.1\r\nHost: a\r\nX-Y: Z\r\nConnection: close\r\n\r\n")
            port = worker.port
        (scope,) = scopes
        assert (scope["path"], scope["raw_path"], scope["query_string"]) == (path, raw_path, query)
        assert (scope["type"], scope["method"], scope["scheme"], scope["root_path"]) == ("http", "M-SEARCH", "http", "")
        assert scope["headers"] == [(b"host", b"a"), (b"x-y", b"Z"), (b"connection", b"close")]
        assert scope["server"] == ("127.0.0.1", port)
        assert scope["client"][0] == "127.0.0.1"
        assert scope["extensions"]["sentinel.listener"] == {"name": "public"}
        assert "sentinel.cancel_on_disconnect" in scope["extensions"]
        # ASGI has no word for it: RFC 3986 section 6.2.3.
        assert ("sentinel.empty_query" in scope["extensions"]) is raw.endswith(b"?")

    def test_upgrade_is_an_ordinary_request(self, echoing: Worker) -> None:
        upgrade = target("ws", b"Connection: upgrade\r\nUpgrade: websocket\r\n")
        reply = echoing.talk(upgrade + target("after", CLOSE))
        assert b"GET /ws " in reply
        assert reply.endswith(b"GET /after ")


def test_request_trailers_are_not_headers() -> None:
    seen: list[Any] = []

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        while (message := await receive())["more_body"]:
            assert "trailers" not in message
        seen.append((message["trailers"], dict(scope["headers"])))
        for reply in answer(b""):
            await send(reply)

    chunks = b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-User: eve\r\n\r\n"
    with run_worker(app) as worker:
        worker.talk(POST + CLOSE + chunks)
    trailers, headers = seen[0]
    assert trailers == [(b"x-user", b"eve")]
    assert b"x-user" not in headers


class TestEarlyAnswers:
    """The application answers before the body is read."""

    @staticmethod
    @http_app
    async def refuse(scope: dict[str, Any], receive: Any, send: Any) -> None:
        for message in answer(b"no", 403):
            await send(message)

    def test_small_rest_is_drained_and_the_connection_kept(self) -> None:
        with run_worker(self.refuse) as worker, worker.connect() as sock:
            sock.sendall(POST + b"Content-Length: 1000\r\n\r\nbegun")
            assert response(sock)[0] == 403
            sock.sendall(b"x" * 995 + GET + b"\r\n")
            assert response(sock)[0] == 403

    @pytest.mark.parametrize(
        "framing", [b"Content-Length: 100000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n5000000\r\n"]
    )
    def test_large_rest_is_not_and_the_answer_arrives(self, framing: bytes) -> None:
        with run_worker(self.refuse, ServerLimits(linger=0.3)) as worker, worker.connect() as sock:
            sock.sendall(POST + framing)
            sock.sendall(b"x" * 300_000)
            reply = read_to_end(sock)
        assert status_of(reply) == 403
        assert b"\r\nconnection: close\r\n" in reply
        assert reply.endswith(b"no")


def test_curl_uploads_and_downloads(echoing: Worker) -> None:
    url = f"http://127.0.0.1:{echoing.port}/up"
    big = b"z" * 3_000_000
    for more in ([], ["-H", "Transfer-Encoding: chunked"], ["-0"]):
        done = subprocess.run(
            ["curl", "-sS", "--data-binary", "@-", *more, url], input=big, capture_output=True, check=True
        )
        assert done.stdout == b"POST /up " + big
