"""TLS clients of the worker: how they end, and how they are left."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop

from sentinel_host.http.server import ServerLimits
from sentinel_host.http.tls import TlsServer
from sentinel_host.server import tls_context
from tests.http1.harness import Worker, echo, eventually, half_closed, http_app, read_to_end, run_worker, status_of
from tests.support.certificates import self_signed
from tests.support.clocks import PATIENCE
from tests.tls.client import RawTls

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
Connect = Callable[[Worker], contextlib.AbstractContextManager[tuple[socket.socket, RawTls]]]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    certificate, key = self_signed(tmp_path_factory.mktemp("tls"))
    return str(certificate), str(key)


@pytest.fixture
def tls(certificate: tuple[str, str]) -> ssl.SSLContext:
    return tls_context(*certificate)


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def connect(request: pytest.FixtureRequest, certificate: tuple[str, str]) -> Connect:
    """Connects to a worker with one version of TLS."""
    context = ssl.create_default_context(cafile=certificate[0])
    context.minimum_version = context.maximum_version = request.param

    @contextlib.contextmanager
    def connecting(worker: Worker) -> Iterator[tuple[socket.socket, RawTls]]:
        with worker.connect() as sock:
            yield sock, RawTls(sock, context)

    return connecting


@pytest.mark.parametrize("together", [True, False], ids=["in one segment", "after the request"])
def test_a_client_that_ends_its_side_is_still_answered(tls: ssl.SSLContext, connect: Connect, together: bool) -> None:
    """The connection closed with a client's close_notify, and its answer with it (RFC 9112 section
    9.6).
    """
    body = b"x" * 1_000_000

    with run_worker(echo, tls=tls) as worker, connect(worker) as (_, client):
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
        client.send(head + body, notify=together)
        if not together:
            client.send(b"", notify=True)
        received = client.rest()
        assert status_of(received) == 200
        assert received.endswith(body)
        assert client.clean
        eventually(lambda: worker.connections.open == 0)


def test_a_request_sent_ahead_that_is_cut_off_is_answered(tls: ssl.SSLContext, connect: Connect) -> None:
    """As in the clear: what the first request's end of stream meant for the second was not looked
    at.
    """
    release = asyncio.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/first":
            await release.wait()
        await echo(scope, receive, send)

    with run_worker(app, tls=tls) as worker, connect(worker) as (_, client):
        first = GET.replace(b"/ ", b"/first ", 1)
        client.send(first + b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi", notify=True)
        eventually(lambda: half_closed(worker))
        worker.call(release.set)
        answered, _, refused = client.rest().partition(b"GET /first ")
        assert (status_of(answered), status_of(refused)) == (200, 400)
        assert client.clean


def test_an_end_without_close_notify_is_a_client_that_left(tls: ssl.SSLContext, connect: Connect) -> None:
    """Whoever closes below TLS cannot read an answer: the application is cancelled."""
    cancelled = []

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with run_worker(app, tls=tls) as worker, connect(worker) as (sock, client):
        client.send(GET)
        eventually(lambda: worker.connections.requests == 1)
        sock.shutdown(socket.SHUT_WR)
        eventually(lambda: worker.connections.open == 0)
        eventually(lambda: cancelled == [True])


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_an_answer_that_breaks_off_ends_without_close_notify(
    tls: ssl.SSLContext, connect: Connect, version: bytes
) -> None:
    """To a client of HTTP/1.0, whose answer ends with the connection, nothing else tells (RFC 9112
    section 9.8).
    """

    @http_app
    async def whole(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    @http_app
    async def broken(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})

    for served in (whole, broken):
        with run_worker(served, tls=tls) as worker, connect(worker) as (_, client):
            client.send(b"GET / HTTP/%b\r\nHost: a\r\nConnection: close\r\n\r\n" % version)
            received = client.rest()
            complete = received.endswith(b"some" if version == b"1.0" else b"0\r\n\r\n") and client.clean
            assert complete == (served is whole)


def test_what_a_refused_client_sends_on_does_not_hide_the_refusal(tls: ssl.SSLContext, connect: Connect) -> None:
    with run_worker(echo, tls=tls) as worker, connect(worker) as (_, client):
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: a\r\n\r\n")
        received = client.receive()
        with contextlib.suppress(OSError):
            client.send(bytes(100_000))
        received += client.rest()
        assert status_of(received) == 400
        assert client.clean


def test_one_connection_too_many_is_told_so(certificate: tuple[str, str], tls: ssl.SSLContext) -> None:
    """Its request comes with the last of its handshake: to end our side must not throw it away, nor
    trip over it.
    """
    context = ssl.create_default_context(cafile=certificate[0])
    with run_worker(echo, ServerLimits(connections_per_client=1), tls=tls) as worker, worker.connect() as kept:
        RawTls(kept, context)
        eventually(lambda: worker.connections.open == 1)
        with worker.connect() as sock:
            client = RawTls(sock, context, first=GET)
            assert status_of(client.rest()) == 503
            assert client.clean


def test_a_connection_in_pieces_of_one_byte(tls: ssl.SSLContext, connect: Connect) -> None:
    with run_worker(echo, tls=tls) as worker, connect(worker) as (sock, client):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client._ssl.write(GET)
        for byte in client._outgoing.read():
            sock.sendall(bytes([byte]))
        client.send(b"", notify=True)
        assert client.rest().endswith(b"GET / ")
        assert client.clean


def test_records_that_do_not_decrypt_end_the_connection(tls: ssl.SSLContext, connect: Connect) -> None:
    with run_worker(echo, tls=tls) as worker:
        with connect(worker) as (sock, client):
            sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
            with contextlib.suppress(ssl.SSLError):
                client.rest()
            assert not client.clean
        eventually(lambda: worker.connections.open == 0)


class Untold(asyncio.Protocol):
    """An application's protocol that hears of no connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        raise AssertionError("a connection without a handshake")

    def connection_lost(self, exc: Exception | None) -> None:
        raise AssertionError("the end of a connection that was none")


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00"], ids=["silent", "half a hello"])
def test_a_handshake_that_does_not_end_is_cut_off(tls: ssl.SSLContext, said: bytes) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        errors: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: errors.append(context))
        server = await loop.create_server(TlsServer(loop, lambda: tls, 0.2, Untold), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(said)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()
        server.close()
        await asyncio.sleep(0)
        assert not errors

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_a_handshake_that_fails_ends_the_connection(tls: ssl.SSLContext) -> None:
    with run_worker(echo, tls=tls) as worker:
        with worker.connect() as sock, pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")
        with worker.connect() as sock:
            sock.sendall(GET)
            assert read_to_end(sock) == b""
        with worker.connect() as sock:
            sock.sendall(b"\x16\x03\x03\x00\x04\x01\x00\x00\x00")
            assert read_to_end(sock)[:1] == b"\x15"  # an alert says what was wrong


def test_a_handshake_under_way_does_not_outlive_the_worker(tls: ssl.SSLContext) -> None:
    """Its socket stayed open until the event loop was closed, which warns of it."""
    with run_worker(echo, tls=tls) as worker, worker.connect() as sock:
        sock.sendall(b"\x16\x03\x01\x02")
        with worker.connect() as other:
            other.sendall(GET)
            read_to_end(other)  # both were accepted
        worker.begin_stop()
        assert read_to_end(sock) == b""
        worker.join()
