"""Every way to be slow ends at its own deadline, and a healthy client beside it notices nothing."""

from __future__ import annotations

import asyncio
import socket
import threading
from math import inf
from typing import Any

import pytest

from tests.http1.harness import (
    Worker,
    echo,
    eventually,
    http_app,
    leap_to_end,
    read_body,
    read_to_end,
    read_until,
    response,
    run_worker,
    status_of,
    timed,
)
from tests.support.clocks import PATIENCE
from tests.support.loops import MINUTES, leap

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


# What a client lets pass at a time: three times that is more than a limit of `MINUTES`.
WHILE = 0.4 * MINUTES


def closed_late(worker: Worker, first: bytes, drip: bytes = b"") -> bytes:
    """Send ``first``, and then ``drip`` again and again while time passes; what the server said
    before it closed.
    """
    with worker.connect() as sock:
        sock.sendall(first)
        eventually(lambda: worker.connections.open == 1)
        worker.leap(WHILE)
        assert worker.connections.limits_hit == {}
        return leap_to_end(worker, sock, WHILE, drip)


@pytest.mark.parametrize("drip", [b"", b"x: 1\r\n"], ids=["silent", "dripping"])
def test_slow_head(drip: bytes) -> None:
    with run_worker(echo, timed(head_time=MINUTES), leaps=True) as worker:
        assert status_of(closed_late(worker, GET, drip)) == 408
        assert worker.connections.limits_hit["head_time"] == 1


@pytest.mark.parametrize("drip", [b"", b"1\r\nx\r\n"], ids=["silent", "dripping"])
def test_slow_body(drip: bytes) -> None:
    """A byte now and then is no progress: a body that drips would otherwise hold its connection for
    ever.
    """
    with run_worker(echo, timed(body_idle=MINUTES), leaps=True) as worker:
        reply = closed_late(worker, POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", drip)
        assert status_of(reply) == 408
        assert worker.connections.limits_hit["body_idle"] == 1


@http_app
async def duplex(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Sends pieces while nothing comes, for several times as long as a body may be idle, and then
    waits for its end.
    """
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(10):
        await leap(WHILE)
        await send({"type": "http.response.body", "body": b"tick.", "more_body": True})
    rest = await read_body(receive)
    await send({"type": "http.response.body", "body": rest})


@pytest.mark.parametrize("drip", [b"", b"x"], ids=["silent", "dripping"])
def test_body_that_is_idle_while_its_response_flows(drip: bytes) -> None:
    """A stream both ways, on which one side may be silent for long, was cut off after 30 s of
    it.
    """
    limits = timed(body_idle=MINUTES)
    with run_worker(duplex, limits, leaps=True) as worker, worker.connect() as sock:
        sock.sendall(POST + b"Content-Length: 20\r\n\r\n")
        for _ in range(10):
            read_until(sock, b"tick.")
            sock.sendall(drip)
        sock.sendall(b"y" * (20 - 10 * len(drip)))
        assert read_until(sock, b"0\r\n\r\n").count(b"y") == 20 - 10 * len(drip)
        assert worker.connections.limits_hit == {}


def test_body_that_is_idle_after_its_response_has_stopped() -> None:
    limits = timed(body_idle=MINUTES)
    with run_worker(duplex, limits, leaps=True) as worker, worker.connect() as sock:
        sock.sendall(POST + b"Content-Length: 20\r\n\r\n")
        assert leap_to_end(worker, sock, WHILE).count(b"tick.") == 10
        assert worker.connections.limits_hit == {"body_idle": 1}


def test_application_that_does_not_read_is_not_the_clients_idleness() -> None:
    go_on = threading.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await asyncio.to_thread(go_on.wait, PATIENCE)
        await echo(scope, receive, send)

    body = b"x" * 2_000_000
    limits = timed(body_idle=MINUTES)
    with run_worker(app, limits, leaps=True) as worker, worker.connect() as sock:
        sock.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body))
        sender = threading.Thread(target=sock.sendall, args=(body,))
        sender.start()
        # Paused: nothing is expected of the client any more.
        eventually(lambda: [each.next_deadline() for each in worker.connections.active] == [inf])
        worker.leap(3 * MINUTES)
        go_on.set()
        assert response(sock)[2].endswith(body)
        sender.join()


def test_slow_reader() -> None:
    ended = threading.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        finally:
            ended.set()

    limits = timed(write_stalled=MINUTES)
    with run_worker(app, limits, leaps=True) as worker, worker.connect(receive_buffer=4096) as sock:
        sock.sendall(GET + b"\r\n")
        while not ended.wait(0.02):
            worker.leap(WHILE)
        assert worker.connections.limits_hit == {"write_stalled": 1}
        eventually(lambda: worker.connections.open == 0)


def test_reader_of_the_last_bytes_is_watched_after_the_close() -> None:
    """The rest of a complete response may be small enough for the transport to call itself writable
    again.
    """
    body = b"x" * 4_000_000

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": body})

    def is_given_up() -> bool:
        worker.leap(WHILE)
        return worker.connections.limits_hit.get("write_stalled") == 1

    limits = timed(write_stalled=MINUTES)
    with run_worker(app, limits, leaps=True) as worker, worker.connect(receive_buffer=4096) as sock:
        sock.sendall(GET + b"\r\n")
        eventually(is_given_up)
        eventually(lambda: worker.connections.open == 0)


def test_idle_connection() -> None:
    limits = timed(keep_alive_idle=MINUTES)
    with run_worker(echo, limits, leaps=True) as worker, worker.connect() as sock:
        for _ in range(5):
            sock.sendall(GET + b"\r\n")
            assert response(sock)[0] == 200
            worker.leap(WHILE)
        assert leap_to_end(worker, sock, WHILE) == b""
        assert worker.connections.limits_hit == {"keep_alive_idle": 1}


def test_half_closed_client_is_waited_for_no_longer_than_said() -> None:
    ended = threading.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with run_worker(app, timed(half_closed=MINUTES), leaps=True) as worker, worker.connect() as sock:
        sock.sendall(GET + b"\r\n")
        sock.shutdown(socket.SHUT_WR)
        assert leap_to_end(worker, sock, WHILE) == b""
        assert ended.wait(PATIENCE)
        assert worker.connections.limits_hit == {"half_closed": 1}


def test_half_closed_client_may_read_slowly() -> None:
    body = b"x" * 6_000_000

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    limits = timed(half_closed=MINUTES)
    with run_worker(app, limits, leaps=True) as worker, worker.connect(receive_buffer=65536) as sock:
        sock.sendall(GET + b"\r\n")
        sock.shutdown(socket.SHUT_WR)
        received = sock.recv(1000)
        for _ in range(10):
            worker.leap(WHILE)
            received += sock.recv(65536)
        assert (received + read_to_end(sock)).endswith(body)


def test_crowd_of_slow_clients_leaves_others_alone() -> None:
    limits = timed(head_time=MINUTES, body_idle=MINUTES)
    with run_worker(echo, limits, leaps=True) as worker:
        slow = []
        for n in range(300):
            sock = worker.connect()
            sock.sendall(GET if n % 2 else POST + b"Content-Length: 5\r\n\r\nhe")
            slow.append(sock)
        with worker.connect() as probe:
            eventually(lambda: worker.connections.open == 301)
            # What all of them sent is read in the turns of the loop that these requests take.
            for _ in range(3):
                probe.sendall(GET + b"\r\n")
                assert response(probe)[0] == 200
            while worker.connections.open > 1:
                probe.sendall(GET + b"\r\n")
                assert response(probe)[0] == 200
                worker.leap(WHILE)
        assert all(status_of(read_to_end(sock)) == 408 for sock in slow)
        for sock in slow:
            sock.close()
        assert worker.connections.limits_hit == {"head_time": 150, "body_idle": 150}
