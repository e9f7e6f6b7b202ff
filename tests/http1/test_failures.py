"""What goes wrong on either side of the server, and what the other side sees of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from typing import Any

import pytest

from sentinel_host.errors import ClientError, ResponseAborted
from sentinel_host.http.h1 import Http1Protocol
from tests.http1.harness import (
    answer,
    eventually,
    http_app,
    paused,
    read_body,
    read_to_end,
    read_until,
    response,
    run_worker,
    status_of,
)
from tests.support.clocks import PATIENCE

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED_POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
START = {"type": "http.response.start", "status": 200, "headers": []}


def body(data: Any, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


class Exploding:
    """Sends some messages and raises."""

    def __init__(self, error: Exception | None, *messages: dict[str, Any]) -> None:
        self.error = error
        self.messages = messages

    def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        return http_app(self._run)(scope, receive, send)

    async def _run(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        for message in self.messages:
            await send(message)
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("before", [(), (START,)], ids=["nothing", "head held"])
@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("boom"), 500), (ResponseAborted("upstream"), 500), (ClientError("too slow", 408), 408), (None, 500)],
    ids=["exception", "aborted", "client", "returned"],
)
def test_failure_before_the_head_is_answered(
    error: Exception | None, status: int, before: tuple[dict[str, Any], ...], caplog: pytest.LogCaptureFixture
) -> None:
    with run_worker(Exploding(error, *before)) as worker:
        reply = worker.talk(GET)
    assert status_of(reply) == status
    assert b"\r\nconnection: close\r\n" in reply
    assert b"boom" not in reply
    traceback = [record for record in caplog.records if record.exc_info]
    assert bool(traceback) == isinstance(error, ValueError)


def test_failure_of_a_head_request_has_no_body() -> None:
    with run_worker(Exploding(ResponseAborted("upstream"))) as worker:
        reply = worker.talk(GET.replace(b"GET", b"HEAD"))
    assert status_of(reply) == 500
    assert reply.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("error", [ValueError("boom"), ResponseAborted("upstream"), ClientError("late"), None])
def test_failure_after_the_head_ends_without_a_last_chunk(error: Exception | None) -> None:
    with run_worker(Exploding(error, START, body(b"part", True))) as worker:
        reply = worker.talk(GET)
    assert reply.endswith(b"\r\n\r\n4\r\npart\r\n")


def test_part_of_a_close_delimited_body_ends_in_a_reset() -> None:
    with (
        run_worker(Exploding(ResponseAborted("upstream"), START, body(b"part", True))) as worker,
        worker.connect() as sock,
    ):
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_until(sock, b"\r\n\r\n").endswith(b"connection: close\r\n\r\n")
        assert sock.recv(4) == b"part"
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_too_little_for_the_declared_length_ends_the_connection() -> None:
    head = START | {"headers": [(b"content-length", b"10")]}
    with run_worker(Exploding(None, head, body(b"part", True), body(b"ial"))) as worker:
        assert worker.talk(GET).endswith(b"\r\n\r\npart")


def test_too_much_for_the_declared_length_is_never_written() -> None:
    head = START | {"headers": [(b"content-length", b"4")]}
    with run_worker(Exploding(None, head, body(b"part", True), body(b"ial"))) as worker:
        assert worker.talk(GET).endswith(b"\r\n\r\npart")
    with run_worker(Exploding(None, head, body(b"partial"))) as worker:
        assert status_of(worker.talk(GET)) == 500


BAD_HEADERS = [
    (b"x", b"a\r\nset-cookie: evil=1"),
    (b"x", b"a\rb"),
    (b"x", b"a\nb"),
    (b"x", b"a\x00b"),
    (b"x", b"a\x7fb"),
    (b"x\r\ny", b"1"),
    (b"x: y", b"1"),
    (b"x ", b"1"),
    (b"", b"1"),
    (b"x", b"1\r\n\r\nHTTP/1.1 200 OK"),
    (b"content-length", b"1, 2"),
    (b"content-length", b"-1"),
    ("x", b"1"),
]


@pytest.mark.parametrize("header", BAD_HEADERS, ids=repr)
@pytest.mark.parametrize("where", ["http.response.start", "http.response.trailers", "http.response.informational"])
def test_header_that_would_inject_is_not_written(header: tuple[Any, Any], where: str) -> None:
    """The application hears of it, the client sees nothing of it."""
    errors: list[Exception] = []

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        status = 103 if where.endswith("informational") else 200
        try:
            if where.endswith("trailers"):
                await send(START | {"trailers": True})
                await send(body(b"x"))
            await send({"type": where, "status": status, "headers": [(b"good", b"1"), header]})
        except (ValueError, TypeError) as error:
            errors.append(error)
            raise

    with run_worker(app) as worker:
        reply = worker.talk(GET)
    if where.endswith("informational") and header[0] == b"content-length":
        assert b"content-length: 1, 2" not in reply
        return
    assert len(errors) == 1
    assert b"evil" not in reply
    assert reply.count(b"HTTP/1.1") == 1
    assert b"good" not in reply


@pytest.mark.parametrize("status", [99, 100, 101, 103, 199, 1000, "200", None])
def test_status_that_is_not_final_is_refused(status: Any) -> None:
    with run_worker(Exploding(None, START | {"status": status}, body(b"x"))) as worker:
        assert status_of(worker.talk(GET)) == 500


@pytest.mark.parametrize("status", [101, 200, 99])
def test_informational_that_is_not_is_refused(status: int) -> None:
    with run_worker(
        Exploding(None, {"type": "http.response.informational", "status": status, "headers": []})
    ) as worker:
        assert status_of(worker.talk(GET)) == 500


@pytest.mark.parametrize(
    "messages",
    [
        (body(b"x"),),
        (START, START),
        (START, body(b"x"), body(b"y")),
        (START, body(b"x", True), {"type": "http.response.informational", "status": 103, "headers": []}),
        (START, {"type": "http.response.trailers", "headers": []}),
        ({"type": "websocket.accept"},),
    ],
)
def test_messages_out_of_order_raise(messages: tuple[dict[str, Any], ...]) -> None:
    failures: list[BaseException] = []

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            for message in messages:
                await send(message)
        except RuntimeError as error:
            failures.append(error)

    with run_worker(app) as worker:
        worker.talk(GET.replace(b"Host", b"Connection: close\r\nHost"))
    assert len(failures) == 1


class Watched:
    """An application that streams or waits, and records how it ended."""

    def __init__(self, reads: bool = False, streams: bool = False, finishes: bool = False) -> None:
        self.entered = threading.Event()
        self.ended = threading.Event()
        self.how = ""
        self._reads, self._streams, self._finishes = reads, streams, finishes

    def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        return http_app(self._run)(scope, receive, send)

    async def _run(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.entered.set()
        try:
            if self._finishes:
                for message in answer(b"done"):
                    await send(message)
                self.how = (await receive())["type"]
                self.how = (await receive())["type"]
                await asyncio.sleep(0.2)
                self.how += " and not cancelled"
            elif self._reads:
                await read_body(receive)
                self.how = "read"
            elif self._streams:
                await send(START)
                while True:
                    await send(body(b"x" * 65536, True))
            else:
                await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            self.how = "cancelled"
            raise
        except ClientError as error:
            self.how = str(error.status)
            raise
        finally:
            self.ended.set()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("streams", [False, True])
def test_client_gone_cancels_the_application(streams: bool) -> None:
    app = Watched(streams=streams)
    with run_worker(app) as worker:
        sock = worker.connect()
        sock.sendall(GET)
        assert app.entered.wait(PATIENCE)
        reset(sock)
        assert app.ended.wait(PATIENCE)
        eventually(lambda: worker.connections.open == 0)
    assert app.how == "cancelled"


def test_client_gone_in_the_middle_of_a_body() -> None:
    app = Watched(reads=True)
    with run_worker(app) as worker:
        sock = worker.connect()
        sock.sendall(CHUNKED_POST + b"5\r\nhel")
        assert app.entered.wait(PATIENCE)
        sock.close()
        assert app.ended.wait(PATIENCE)
    assert app.how in ("400", "cancelled")


def test_client_gone_after_the_response_cancels_nothing() -> None:
    """What an application does after its response, writing the access log above all, must not be
    cut off.
    """
    app = Watched(finishes=True)
    with run_worker(app) as worker:
        with worker.connect() as sock:
            sock.sendall(GET)
            assert response(sock)[2] == b"done"
        assert app.ended.wait(PATIENCE)
    assert app.how == "http.disconnect and not cancelled"


def test_clients_gone_at_once_leave_nothing() -> None:
    """A transport that had failed dropped what an endless response wrote and never paused it: the
    loop stood still.
    """
    app = Watched(streams=True)
    with run_worker(app) as worker:
        for _ in range(200):
            sock = worker.connect()
            sock.sendall(GET)
            reset(sock)
        eventually(lambda: worker.connections.open == 0 and not worker.connections.active)


def test_send_after_the_client_left_raises_oserror() -> None:
    caught: list[BaseException] = []
    done = threading.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        try:
            await receive()
        except asyncio.CancelledError:
            try:
                await send(START)
            except OSError as error:
                caught.append(error)
            done.set()

    with run_worker(app) as worker:
        sock = worker.connect()
        sock.sendall(GET)
        reset(sock)
        assert done.wait(PATIENCE)
    assert len(caught) == 1


def send_until_stuck(sock: socket.socket, data: bytes) -> int:
    """How much of ``data`` the peer takes before it takes nothing for half a second."""
    sent = 0
    sock.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        while sent < len(data):
            sent += sock.send(data[sent : sent + 65536])
    sock.settimeout(PATIENCE)
    assert sent < len(data), "it took everything"
    return sent


class TestBackpressure:
    def test_an_unread_body_stops_the_client(self) -> None:
        go = threading.Event()
        size = 0

        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            nonlocal size
            await asyncio.to_thread(go.wait, PATIENCE)
            size = len(await read_body(receive))
            for message in answer(b"ok"):
                await send(message)

        total = 32 * 1024 * 1024
        with run_worker(app) as worker, worker.connect() as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % total)
            sent = send_until_stuck(sock, b"x" * total)
            # What the two kernels hold, and the server's buffer with one read beyond it.
            assert sent < 16 * 1024 * 1024
            (protocol,) = worker.connections.active
            assert isinstance(protocol, Http1Protocol)
            assert protocol.connection.held < 600_000
            go.set()
            sock.sendall(b"x" * (total - sent))
            assert response(sock)[2] == b"ok"
        assert size == total

    def test_client_that_does_not_read_stops_the_application(self) -> None:
        sent = 0

        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            nonlocal sent
            await send(START)
            for _ in range(1000):
                await send(body(b"x" * 65536, True))
                sent += 1
            await send(body(b""))

        with run_worker(app) as worker, worker.connect(receive_buffer=65536) as sock:
            sock.sendall(GET)
            eventually(lambda: paused(worker))
            assert sent < 1000
            assert len(response(sock)[2]) == 65_536_000

    def test_requests_behind_a_busy_one_stop_the_client(self) -> None:
        go = threading.Event()

        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await asyncio.to_thread(go.wait, PATIENCE)
            for message in answer(b"x"):
                await send(message)

        with run_worker(app) as worker, worker.connect() as sock:
            assert send_until_stuck(sock, GET * 500_000) < 16 * 1024 * 1024
            (protocol,) = worker.connections.active
            assert isinstance(protocol, Http1Protocol)
            assert len(protocol.connection.buffer) < 600_000
            assert worker.connections.limits_hit["pipelined_requests"] == 1
            assert worker.connections.requests == 1
            go.set()
            reset(sock)


def test_read_until_is_exact() -> None:
    with run_worker(Exploding(None, START, body(b"x"))) as worker, worker.connect() as sock:
        sock.sendall(GET)
        assert read_until(sock, b"\r\n\r\n").endswith(b"content-length: 1\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        assert read_to_end(sock) == b"x"
