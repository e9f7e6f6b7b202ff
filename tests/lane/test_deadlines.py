"""ABUSE 27: every way to be slow ends at its own deadline, and a healthy client beside it notices nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import Any

import pytest

from sentinel_host.http.lane import Limits
from tests.lane.harness import Lane, echo, eventually, http_app, lane, read_to_end, read_until, response, status_of
from tests.support.clocks import LATE, PATIENCE

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


def closed_after(worker: Lane, first: bytes, drip: bytes = b"", every: float = 0.05) -> tuple[float, bytes]:
    """Send ``first`` and then ``drip`` again and again; seconds until the lane answered or closed, and what it said."""
    with worker.connect() as sock:
        begun = time.monotonic()
        sock.sendall(first)
        sock.settimeout(every)
        reply = b""
        while time.monotonic() - begun < PATIENCE:
            try:
                reply += sock.recv(65536)
                break
            except TimeoutError:
                if drip:
                    with contextlib.suppress(ConnectionError):
                        sock.sendall(drip)
        seconds = time.monotonic() - begun
        sock.settimeout(PATIENCE)
        return seconds, reply + read_to_end(sock)


@pytest.mark.parametrize("drip", [b"", b"x: 1\r\n"], ids=["silent", "dripping"])
def test_slow_head(drip: bytes) -> None:
    with lane(echo, Limits(head_time=0.5, linger=0.1)) as worker:
        seconds, reply = closed_after(worker, GET, drip)
        assert status_of(reply) == 408
        assert 0.4 < seconds < 2 + LATE
        assert worker.connections.limits_hit["head_time"] == 1


def test_nothing_at_all_is_closed_silently() -> None:
    with lane(echo, Limits(head_time=0.3)) as worker:
        seconds, reply = closed_after(worker, b"")
        assert reply == b""
        assert 0.2 < seconds < 2 + LATE


@pytest.mark.parametrize("drip", [b"", b"1\r\nx\r\n"], ids=["silent", "dripping"])
def test_slow_body(drip: bytes) -> None:
    """A byte now and then is no progress: a body that drips would otherwise hold its connection for ever."""
    with lane(echo, Limits(body_idle=0.5, linger=0.1)) as worker:
        seconds, reply = closed_after(worker, POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", drip)
        assert status_of(reply) == 408
        assert 0.4 < seconds < 2 + LATE
        assert worker.connections.limits_hit["body_idle"] == 1


def test_body_that_progresses_may_take_long() -> None:
    with lane(echo, Limits(body_idle=1.0, body_progress=10)) as worker, worker.connect() as sock:
        sock.sendall(POST + b"Content-Length: 100\r\n\r\n")
        for _ in range(10):
            time.sleep(0.15)
            sock.sendall(b"x" * 10)
        assert response(sock)[0] == 200


def test_whole_body_time() -> None:
    with lane(echo, Limits(body_time=0.5, linger=0.1)) as worker:
        drip = b"400\r\n" + b"x" * 1024 + b"\r\n"
        seconds, reply = closed_after(worker, POST + b"Transfer-Encoding: chunked\r\n\r\n", drip)
        assert status_of(reply) == 408
        assert 0.4 < seconds < 2 + LATE
        assert worker.connections.limits_hit["body_time"] == 1


def test_client_waiting_for_continue_is_not_idle() -> None:
    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await asyncio.sleep(0.6)
        await echo(scope, receive, send)

    with lane(app, Limits(body_idle=0.2)) as worker, worker.connect() as sock:
        sock.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        sock.sendall(b"hi")
        assert response(sock)[0] == 200


def test_application_that_does_not_read_is_not_the_clients_idleness() -> None:
    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await asyncio.sleep(0.6)
        await echo(scope, receive, send)

    body = b"x" * 2_000_000
    with lane(app, Limits(body_idle=0.2)) as worker, worker.connect() as sock:
        sock.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body))
        sender = threading.Thread(target=sock.sendall, args=(body,))
        sender.start()
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

    with lane(app, Limits(write_stalled=0.4)) as worker, worker.connect(receive_buffer=4096) as sock:
        sock.sendall(GET + b"\r\n")
        begun = time.monotonic()
        assert ended.wait(PATIENCE)
        assert 0.3 < time.monotonic() - begun < 2 + LATE
        assert worker.connections.limits_hit == {"write_stalled": 1}
        eventually(lambda: worker.connections.open == 0)


def test_reader_of_the_last_bytes_is_watched_after_the_close() -> None:
    """The rest of a complete response may be small enough for the transport to call itself writable again."""
    body = b"x" * 4_000_000

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": body})

    with lane(app, Limits(write_stalled=0.4)) as worker, worker.connect(receive_buffer=4096) as sock:
        sock.sendall(GET + b"\r\n")
        eventually(lambda: worker.connections.limits_hit.get("write_stalled") == 1)
        eventually(lambda: worker.connections.open == 0)


def test_idle_connection() -> None:
    with lane(echo, Limits(keep_alive_idle=0.4)) as worker, worker.connect() as sock:
        sock.sendall(GET + b"\r\n")
        assert response(sock)[0] == 200
        begun = time.monotonic()
        assert read_to_end(sock) == b""
        assert 0.3 < time.monotonic() - begun < 2 + LATE
        assert worker.connections.limits_hit == {"keep_alive_idle": 1}


def test_second_head_has_its_own_time() -> None:
    with lane(echo, Limits(keep_alive_idle=30, head_time=0.4, linger=0.1)) as worker, worker.connect() as sock:
        sock.sendall(GET + b"\r\n")
        assert response(sock)[0] == 200
        sock.sendall(b"GET / HT")
        assert status_of(read_to_end(sock)) == 408


def test_half_closed_client_is_waited_for_no_longer_than_said() -> None:
    ended = threading.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            ended.set()

    with lane(app, Limits(half_closed=0.4)) as worker:
        assert worker.talk(GET + b"\r\n", half_close=True) == b""
        assert ended.wait(PATIENCE)
        assert worker.connections.limits_hit == {"half_closed": 1}


def test_half_closed_client_may_read_slowly() -> None:
    body = b"x" * 6_000_000

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    with lane(app, Limits(half_closed=0.2)) as worker, worker.connect(receive_buffer=65536) as sock:
        sock.sendall(GET + b"\r\n")
        sock.shutdown(socket.SHUT_WR)
        received = sock.recv(1000)
        for _ in range(10):
            time.sleep(0.1)
            received += sock.recv(65536)
        assert (received + read_to_end(sock)).endswith(body)


def test_crowd_of_slow_clients_leaves_others_alone() -> None:
    limits = Limits(head_time=2.0, body_idle=2.0, linger=0.1)
    with lane(echo, limits) as worker:
        slow = []
        for n in range(300):
            sock = worker.connect()
            sock.sendall(GET if n % 2 else POST + b"Content-Length: 5\r\n\r\nhe")
            slow.append(sock)
        times = []
        with worker.connect() as probe:
            while worker.connections.open > 1:
                begun = time.monotonic()
                probe.sendall(GET + b"\r\n")
                assert response(probe)[0] == 200
                times.append(time.monotonic() - begun)
                time.sleep(0.005)
                assert sum(times) < PATIENCE
        assert all(status_of(read_to_end(sock)) == 408 for sock in slow)
        for sock in slow:
            sock.close()
        assert worker.connections.limits_hit == {"head_time": 150, "body_idle": 150}
        assert sorted(times)[len(times) // 2] < 0.5
