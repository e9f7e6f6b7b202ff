"""A worker in a thread of its own, and clients that say exactly which bytes they send."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from sentinel_host.http import acks
from sentinel_host.http.h1 import Http1Protocol
from sentinel_host.http.server import Connections, ServerLimits
from sentinel_host.server import Endpoint, bind
from sentinel_host.server.serve import run, serve
from tests.support.clocks import PATIENCE
from tests.support.loops import MINUTES, leap, run_leaping
from tests.support.sockets import KEPT_UNREAD

App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class Worker:
    """A running worker: where it listens, what it counts, and how to stop it."""

    def __init__(self, app: App, limits: ServerLimits, grace: float, tls: ssl.SSLContext | None, leaps: bool) -> None:
        self.connections = Connections(limits)
        self._run_main = run_leaping if leaps else run
        self._app = app
        self._grace = grace
        self._tls = tls
        self._socket = bind("127.0.0.1:0")
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KEPT_UNREAD)
        self.port: int = self._socket.getsockname()[1]
        self._ready = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            self._run_main(self._main())
        except BaseException as error:
            self.error = error
        finally:
            self._ready.set()
            self._socket.close()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        await serve(
            self._app,
            [Endpoint("public", self._socket, self._tls and (lambda: self._tls), owned=True)],
            self.connections,
            shutdown=self._stop.wait,
            grace=self._grace,
            ready=self._ready.set,
        )

    def call(self, action: Callable[[], object]) -> None:
        """Have the worker's loop call ``action``."""
        self._loop.call_soon_threadsafe(action)

    def begin_stop(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop.set)

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def leap(self, seconds: float) -> None:
        """Move the clock of a server that ``leaps``; what is due by then is done afterwards."""
        asyncio.run_coroutine_threadsafe(leap(seconds), self._loop).result(PATIENCE)

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(PATIENCE)
        try:
            sock.connect(("127.0.0.1", self.port))
        except OSError:
            sock.close()
            raise
        return sock

    def talk(self, *pieces: bytes, half_close: bool = False) -> bytes:
        """Send the pieces one by one and read until the server closes."""
        with self.connect() as sock:
            # a server that refused already may reset: what it said before is still there to read.
            with contextlib.suppress(OSError):
                for piece in pieces:
                    sock.sendall(piece)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            return read_to_end(sock)


def timed(**limits: Any) -> ServerLimits:
    """Limits of a worker that leaps: all its times are endless but those given, which are to be
    `MINUTES`.
    """
    times = "head_time", "body_idle", "write_stalled", "keep_alive_idle", "tunnel_idle", "half_closed"
    return ServerLimits(**{"linger": MINUTES} | dict.fromkeys(times, 1000 * MINUTES) | limits)


@contextlib.contextmanager
def run_worker(
    app: App,
    limits: ServerLimits | None = None,
    *,
    grace: float = 5.0,
    tls: ssl.SSLContext | None = None,
    leaps: bool = False,
) -> Iterator[Worker]:
    """Serve ``app`` on a free port of loopback for the length of the block.

    One that ``leaps`` has a clock that the test moves; its limits come from `timed`.
    """
    worker = Worker(app, limits or ServerLimits(), grace, tls, leaps)
    worker.start()
    try:
        yield worker
    finally:
        worker.begin_stop()
        worker.join()
    if worker.error is not None:
        raise worker.error


def http1(worker: Worker) -> list[Http1Protocol]:
    """The connections that speak HTTP/1."""
    return [each for each in list(worker.connections.active) if isinstance(each, Http1Protocol)]


def half_closed(worker: Worker) -> bool:
    """Whether the server knows that each of its clients has ended its side."""
    connections = http1(worker)
    return bool(connections) and all(each.connection.eof for each in connections)


def paused(worker: Worker) -> bool:
    """Whether the transport of a connection takes no more from its application."""
    return any(connection.writer.paused for connection in list(worker.connections.active))  # type: ignore[attr-defined]


def taken(worker: Worker) -> int:
    """What the clients have acknowledged, as the worker's kernel knows it."""
    return sum(acks.taken(connection.writer.transport) for connection in list(worker.connections.active))  # type: ignore[attr-defined]


def read_to_end(sock: socket.socket) -> bytes:
    """Everything until the peer closes; a reset ends it too."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(65536):
            received += data
    return received


@contextlib.contextmanager
def passing(worker: Worker, seconds: float, then: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Meanwhile the clock of a worker that leaps moves by ``seconds`` at a time, and ``then`` is
    called after each.
    """
    over = threading.Event()

    def move() -> None:
        while not over.wait(0.02):
            worker.leap(seconds)
            with contextlib.suppress(OSError):
                then()

    mover = threading.Thread(target=move)
    mover.start()
    try:
        yield
    finally:
        over.set()
        mover.join()


def leap_to_end(worker: Worker, sock: socket.socket, seconds: float, drip: bytes = b"") -> bytes:
    """Everything until the server closes, while its clock moves, with ``drip`` sent after each
    ``seconds``.
    """
    with passing(worker, seconds, lambda: sock.sendall(drip)):
        return read_to_end(sock)


def read_until(sock: socket.socket, mark: bytes) -> bytes:
    """Bytes up to and with ``mark``, read one by one so that nothing after it is lost."""
    received = b""
    while not received.endswith(mark):
        data = sock.recv(1)
        assert data, f"closed after {received!r}"
        received += data
    return received


def response(sock: socket.socket, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """One response as Python's own client parses it: status, headers with lower-case names,
    body.
    """
    with http.client.HTTPResponse(sock, method=method) as parsed:
        parsed.begin()
        body = parsed.read()
        headers = {name.lower(): value for name, value in parsed.getheaders()}
        return parsed.status, headers, body


def status_of(raw: bytes) -> int:
    """The status of the first response in ``raw``."""
    assert raw.startswith(b"HTTP/1.1 "), raw
    return int(raw[9:12])


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something that another thread brings about holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.005)


def answer(body: bytes, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None) -> list[dict[str, Any]]:
    """The two messages of a whole response."""
    fields = [(b"content-length", b"%d" % len(body))] if headers is None else headers
    return [
        {"type": "http.response.start", "status": status, "headers": fields},
        {"type": "http.response.body", "body": body},
    ]


async def read_body(receive: Any) -> bytes:
    """The whole request body."""
    body = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request", message
        body += message["body"]
        if not message["more_body"]:
            return body


def http_app(handler: App) -> App:
    """``handler`` for requests, with a lifespan that does nothing."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
            return
        await handler(scope, receive, send)

    return app


@http_app
async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers with the method, the target and the body."""
    body = await read_body(receive)
    for message in answer(scope["method"].encode() + b" " + scope["raw_path"] + b" " + body):
        await send(message)


@http_app
async def describe(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers with protocol version, scheme and listener."""
    name = scope["extensions"]["sentinel.listener"]["name"]
    for message in answer(f"{scope['http_version']} {scope['scheme']} {name}".encode()):
        await send(message)
