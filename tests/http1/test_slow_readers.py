"""Clients that read slowly, and clients that do not read: the kernel's buffers hide which of the
two one is.

Time passes where a test moves the server's clock. The same over uvloop and with many clients is in
tests/abuse.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sentinel_host.http.h1 import Http1Protocol
from sentinel_host.http.h1.states import ENDING
from sentinel_host.server import tls_context
from tests.http1.harness import (
    Worker,
    answer,
    eventually,
    half_closed,
    http_app,
    paused,
    read_to_end,
    read_until,
    run_worker,
    taken,
    timed,
)
from tests.http2.peer import Peer, request
from tests.support.certificates import self_signed
from tests.support.clocks import PATIENCE
from tests.support.loops import MINUTES

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LIMITS = timed(write_stalled=MINUTES, half_closed=MINUTES)
# Three times that is more than a limit of `MINUTES`.
WHILE = 0.4 * MINUTES
LARGE = 24 << 20
# So much fits into the kernel's buffers.
FITS = 1_500_000


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    certificate, key = self_signed(tmp_path_factory.mktemp("tls"))
    return str(certificate), str(key)


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, certificate: tuple[str, str]) -> tuple[str, str] | None:
    return certificate if request.param == "tls" else None


def sending(size: int, *headers: tuple[bytes, bytes]) -> Any:
    """An application that answers with a body of so many bytes; ``ended`` is set when it has
    ended.
    """
    ended = threading.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
            for left in range(size, 0, -65536):
                data = bytes(min(left, 65536))
                await send({"type": "http.response.body", "body": data, "more_body": left > 65536})
        finally:
            ended.set()

    app.ended = ended  # type: ignore[attr-defined]
    return app


@contextlib.contextmanager
def connected(worker: Worker, tls: tuple[str, str] | None, protocol: str) -> Iterator[socket.socket]:
    """A client whose kernel takes little."""
    with worker.connect(receive_buffer=65536) as sock:
        if tls is None:
            yield sock
            return
        context = ssl.create_default_context(cafile=tls[0])
        context.set_alpn_protocols([protocol])
        with context.wrap_socket(sock, server_hostname="localhost") as wrapped:
            yield wrapped


def serving(app: Any, tls: tuple[str, str] | None = None) -> contextlib.AbstractContextManager[Worker]:
    return run_worker(app, LIMITS, grace=0, tls=tls and tls_context(*tls), leaps=True)


def later(worker: Worker) -> dict[str, int]:
    """The limits that were hit after a while."""
    worker.leap(WHILE)
    return dict(worker.connections.limits_hit)


def ask(sock: socket.socket, protocol: str) -> None:
    if protocol == "h2":
        peer = Peer(sock)
        peer.send(peer.headers(1, request(), end=True))
    else:
        sock.sendall(GET)


def read(sock: socket.socket, size: int) -> int:
    received = 0
    while received < size:
        data = sock.recv(min(65536, size - received))
        assert data
        received += len(data)
    return received


def read_some(worker: Worker, sock: socket.socket) -> int:
    """Read until the worker's kernel has noticed."""
    before, received = taken(worker), 0
    while taken(worker) <= before + LIMITS.body_progress:
        received += read(sock, 16384)
    return received


def kernel_has(sock: socket.socket, worker: Worker) -> bool:
    """Whether there is a socket, of a process or of none, from the worker to this client."""
    ends = f":{worker.port:04X}", f":{sock.getsockname()[1]:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table]
    return any(row[1].endswith(ends[0]) and row[2].endswith(ends[1]) for row in rows)


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_a_steady_reader_of_a_large_body_is_not_cut_off(tls: tuple[str, str] | None, protocol: str) -> None:
    """32 KB/s were taken for none: the kernel takes more only when a third of its buffer is free,
    and until then the transport's own did not shrink.
    """
    app = sending(LARGE)
    with serving(app, tls) as worker, connected(worker, tls, protocol) as sock:
        ask(sock, protocol)
        eventually(lambda: paused(worker))
        for _ in range(10):
            assert later(worker) == {}
            read_some(worker, sock)
        assert worker.connections.open == 1


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_a_client_that_does_not_read_is_reset(tls: tuple[str, str] | None, protocol: str) -> None:
    """The connection was closed, and the kernel kept megabytes for minutes, to send them to
    nobody.
    """
    app = sending(LARGE)
    with serving(app, tls) as worker, connected(worker, tls, protocol) as sock:
        ask(sock, protocol)
        eventually(lambda: paused(worker))
        assert kernel_has(sock, worker)
        eventually(lambda: later(worker) == {"write_stalled": 1})
        eventually(lambda: worker.connections.open == 0)
        assert app.ended.wait(PATIENCE)
        assert not kernel_has(sock, worker)


def test_a_byte_now_and_then_is_as_good_as_none() -> None:
    app = sending(LARGE)
    limits = timed(write_stalled=MINUTES, body_progress=1 << 20)
    with run_worker(app, limits, leaps=True) as worker, worker.connect(65536) as sock:
        sock.sendall(GET)
        eventually(lambda: paused(worker))
        worker.leap(WHILE)
        read_some(worker, sock)
        eventually(lambda: later(worker) == {"write_stalled": 1})
        eventually(lambda: worker.connections.open == 0)


def closing(worker: Worker) -> bool:
    """Whether the response was given to the kernel whole, and the connection waits for its client
    to read it.
    """
    return any(isinstance(p, Http1Protocol) and p.connection.state == ENDING for p in worker.connections.active)


def test_a_response_before_a_close_is_read_to_its_end() -> None:
    app = sending(FITS, (b"content-length", b"%d" % FITS), (b"connection", b"close"))
    with serving(app) as worker, worker.connect(65536) as sock:
        sock.sendall(GET)
        eventually(lambda: closing(worker))
        read_until(sock, b"\r\n\r\n")
        received = 0
        for _ in range(5):
            assert later(worker) == {}
            received += read_some(worker, sock)
        assert received + len(read_to_end(sock)) == FITS
        eventually(lambda: later(worker) == {} and worker.connections.open == 0)


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_a_response_that_a_client_does_not_read_that_has_ended_its_side(protocol: str) -> None:
    """The connection was closed at once, with the response in the kernel's hands."""
    app = sending(FITS, (b"content-length", b"%d" % FITS))
    with serving(app) as worker, worker.connect(65536) as sock:
        ask(sock, protocol)
        assert app.ended.wait(PATIENCE)
        sock.shutdown(socket.SHUT_WR)
        eventually(lambda: later(worker) == {"write_stalled": 1})
        eventually(lambda: worker.connections.open == 0)
        assert not kernel_has(sock, worker)


def test_an_unread_response_before_a_close_is_not_left_to_the_kernel() -> None:
    app = sending(FITS, (b"content-length", b"%d" % FITS), (b"connection", b"close"))
    with serving(app) as worker, worker.connect(65536) as sock:
        sock.sendall(GET)
        eventually(lambda: closing(worker))
        eventually(lambda: later(worker) == {"write_stalled": 1})
        eventually(lambda: worker.connections.open == 0)
        assert not kernel_has(sock, worker)


def test_a_small_response_before_a_close_is() -> None:
    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        for message in answer(b"x" * 1000, headers=[(b"connection", b"close")]):
            await send(message)

    with serving(app) as worker, worker.connect() as sock:
        sock.sendall(GET)
        eventually(lambda: worker.connections.accepted == 1 and worker.connections.open == 0)
        assert read_to_end(sock).endswith(b"x" * 1000)


def test_a_half_closed_client_that_reads_is_waited_for_and_one_that_does_not_is_reset() -> None:
    """What was on its way in the kernel did not count: the client was cut off in the midst of
    reading it.
    """

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(FITS), "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    with serving(app) as worker, worker.connect(65536) as sock:
        sock.sendall(GET)
        sock.shutdown(socket.SHUT_WR)
        read_until(sock, b"\r\n\r\n")
        eventually(lambda: half_closed(worker))
        for _ in range(5):
            assert later(worker) == {}
            read_some(worker, sock)
        eventually(lambda: later(worker) == {"half_closed": 1})
        eventually(lambda: worker.connections.open == 0)
        assert not kernel_has(sock, worker)
