"""An application that has the server take a part of a response's body from another socket, or that
has a relay take a part of a request's body from the client's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sentinel_host.http.relay import LEAST, RELAY, RELAY_SOURCE, Relay
from sentinel_host.http.wakeup import Wakeup
from tests.http1.harness import eventually, http_app, leap_to_end, read_until, response, run_worker, timed
from tests.support.loops import MINUTES

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BODY = bytes(range(251)) * 40_000


class Source:
    """A socket with a body in it, of which ``size`` bytes may be taken."""

    arrival: Wakeup

    def __init__(self, sock: socket.socket, size: int) -> None:
        self._socket = sock
        self.left = size
        self.stalls: list[bool] = []
        self.ended = 0

    def relayable(self) -> int:
        return self.left

    def begin_relay(self) -> int:
        return os.dup(self._socket.fileno())

    def relayed(self, size: int) -> None:
        self.left -= size

    def stall(self, stalled: bool) -> None:
        self.stalls.append(stalled)

    def is_alive(self) -> bool:
        return True

    def end_relay(self) -> None:
        self.ended += 1


@contextlib.contextmanager
def filled(data: bytes) -> Iterator[socket.socket]:
    """A socket whose other end sends the data and closes."""
    ours, theirs = socket.socketpair()

    def send() -> None:
        with theirs, contextlib.suppress(OSError):
            theirs.sendall(data)

    with ours:
        ours.setblocking(False)
        feeder = threading.Thread(target=send)
        feeder.start()
        yield ours
        ours.shutdown(socket.SHUT_RDWR)
        feeder.join()


def relaying(source: Source, size: int) -> Any:
    """An application whose body is 5 bytes, those of the source, and 4 bytes."""

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        source.arrival = Wakeup(asyncio.get_running_loop())
        fields = [(b"content-length", b"%d" % (size + 9))]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": b"begin", "more_body": True})
        while source.left:
            await send({"type": RELAY, "source": source})
        await send({"type": "http.response.body", "body": b"end."})

    return app


# On both kinds of loops: uvloop, and asyncio's own.
@pytest.mark.parametrize("leaps", [False, True])
def test_the_bytes_come_in_order_whatever_the_speed_of_the_client(leaps: bool) -> None:
    with filled(BODY) as sock:
        source = Source(sock, len(BODY))
        with run_worker(relaying(source, len(BODY)), timed(), leaps=leaps) as worker:
            with worker.connect(receive_buffer=65536) as client:
                client.sendall(GET)
                eventually(lambda: bool(source.stalls))
                assert response(client)[2] == b"begin" + BODY + b"end."
            assert source.ended == 1
            assert source.stalls[0], "it stood still while the client read nothing"
            assert source.stalls == [number % 2 == 0 for number in range(len(source.stalls))]
            assert not source.stalls[-1]
            assert worker.connections.relays == 0


def test_a_client_that_takes_nothing_is_reset() -> None:
    with filled(BODY) as sock:
        source = Source(sock, len(BODY))
        with run_worker(relaying(source, len(BODY)), timed(write_stalled=MINUTES), leaps=True) as worker:
            with worker.connect(receive_buffer=65536) as client:
                client.sendall(GET)
                read_until(client, b"begin")
                eventually(lambda: bool(source.stalls))
                while worker.connections.open:
                    worker.leap(MINUTES)
                assert worker.connections.limits_hit == {"write_stalled": 1}
            eventually(lambda: source.ended == 1)
            assert worker.connections.relays == 0


@pytest.mark.parametrize("begun", [False, True], ids=["no head", "no piece yet"])
def test_it_follows_a_piece_of_a_body(begun: bool) -> None:
    said: list[str] = []

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        try:
            await send({"type": RELAY, "source": None})
        except RuntimeError as error:
            said.append(str(error))
            raise

    with run_worker(app) as worker, worker.connect() as client:
        client.sendall(GET)
        while client.recv(65536):
            pass
        assert said == [f"{RELAY} out of order"]


def test_nothing_is_taken_for_a_body_in_chunks() -> None:
    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"all", "more_body": True})
        await send({"type": RELAY, "source": None})
        await send({"type": "http.response.body"})

    with run_worker(app) as worker, worker.connect() as client:
        client.sendall(GET)
        assert response(client)[2] == b"all"


class Sink:
    """A socket that a request's body goes to."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.size = 0
        self.blocked = False

    async def emptied(self) -> int:
        return self._socket.fileno()

    def relayed(self, size: int) -> None:
        self.size += size

    def block(self, blocked: bool) -> None:
        self.blocked = blocked

    def break_off(self) -> None:
        raise AssertionError("nobody closes the other end")

    async def answer(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answers with the size of the body, and how much of it a relay took."""
        size = 0
        while (message := await receive())["more_body"]:
            size += len(message["body"])
            source = message.get(RELAY_SOURCE)
            if source is not None and source.relayable() >= LEAST:
                await Relay(source, self).run()
        body = b"%d %d" % (size + len(message["body"]) + self.size, self.size)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def open_sink() -> Iterator[tuple[Sink, socket.socket]]:
    """A sink, and its other end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield Sink(ours), theirs


def post(size: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size


def test_a_client_that_stops_sending_to_a_relay_is_refused() -> None:
    with (
        open_sink() as (sink, other),
        run_worker(http_app(sink.answer), timed(body_idle=MINUTES), leaps=True) as worker,
    ):
        reader = threading.Thread(target=lambda: [None for _ in iter(lambda: other.recv(65536), b"")])
        reader.start()
        with worker.connect() as client:
            client.sendall(post(len(BODY)) + BODY[: LEAST // 2])
            eventually(lambda: worker.connections.relays == 1)
            client.sendall(BODY[: LEAST // 2])
            eventually(lambda: sink.size > 0)
            assert leap_to_end(worker, client, MINUTES).startswith(b"HTTP/1.1 408 ")
        assert worker.connections.limits_hit == {"body_idle": 1}
        assert worker.connections.relays == 0
        other.shutdown(socket.SHUT_RDWR)
        reader.join()


def test_who_waits_for_a_relay_is_not_slow_and_the_next_request_is_read() -> None:
    with (
        open_sink() as (sink, other),
        run_worker(http_app(sink.answer), timed(body_idle=MINUTES), leaps=True) as worker,
    ):
        with worker.connect() as client:
            feeder = threading.Thread(target=lambda: client.sendall(post(len(BODY)) + BODY))
            feeder.start()
            eventually(lambda: sink.blocked)
            worker.leap(3 * MINUTES)
            reader = threading.Thread(target=lambda: [None for _ in iter(lambda: other.recv(65536), b"")])
            reader.start()
            size, relayed = map(int, response(client)[2].split())
            assert size == len(BODY)
            assert relayed >= LEAST
            feeder.join()
            client.sendall(GET)
            assert response(client)[2].startswith(b"%d " % relayed)
        assert worker.connections.limits_hit == {}
        other.shutdown(socket.SHUT_RDWR)
        reader.join()
