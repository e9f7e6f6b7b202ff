"""The worker around the lane: limits on connections, TLS, HTTP/2, lifespan, listeners, a quiet end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from hypercorn.utils import LifespanFailureError

from sentinel_host.errors import ConfigError
from sentinel_host.http.h2 import Http2Protocol
from sentinel_host.http.lane import Connections, Limits
from sentinel_host.server import Endpoint, address_of, bind, run, serve, take_no_more, tls_context
from tests.lane.harness import (
    Lane,
    answer,
    echo,
    eventually,
    http_app,
    lane,
    read_to_end,
    read_until,
    response,
    status_of,
)
from tests.support.certificates import self_signed
from tests.support.clocks import LATE, PATIENCE

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@http_app
async def describe(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers with protocol version, scheme and listener."""
    name = scope["extensions"]["sentinel.listener"]["name"]
    for message in answer(f"{scope['http_version']} {scope['scheme']} {name}".encode()):
        await send(message)


class Http2Client:
    """One HTTP/2 connection that asks for one thing."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self._connection.initiate_connection()
        self.first_bytes = self._connection.data_to_send()

    def get(self) -> bytes:
        headers = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "a")]
        self._connection.send_headers(1, headers, end_stream=True)
        self._sock.sendall(self._connection.data_to_send())
        body = b""
        while True:
            for event in self._connection.receive_data(self._sock.recv(65536)):
                if isinstance(event, h2.events.DataReceived):
                    body += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    return body
            self._sock.sendall(self._connection.data_to_send())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    certificate, key = self_signed(tmp_path_factory.mktemp("tls"))
    return str(certificate), str(key)


@contextlib.contextmanager
def tls_client(worker: Lane, cert: str, protocols: list[str]) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=cert)
    context.set_alpn_protocols(protocols)
    with worker.connect() as raw, context.wrap_socket(raw, server_hostname="localhost") as sock:
        yield sock


class TestTls:
    def test_http11(self, certificate: tuple[str, str]) -> None:
        with lane(describe, tls=tls_context(*certificate)) as worker:
            for protocols in (["http/1.1"], []):
                with tls_client(worker, certificate[0], protocols) as sock:
                    for _ in range(2):
                        sock.sendall(GET)
                        assert response(sock)[2] == b"1.1 https public"

    def test_http2_by_alpn(self, certificate: tuple[str, str]) -> None:
        """Hypercorn kept a connection whose client had gone for all of the keep-alive time."""
        with lane(describe, tls=tls_context(*certificate)) as worker:
            with tls_client(worker, certificate[0], ["h2", "http/1.1"]) as sock:
                assert sock.selected_alpn_protocol() == "h2"
                client = Http2Client(sock)
                sock.sendall(client.first_bytes)
                assert client.get() == b"2 https public"
            eventually(lambda: worker.connections.open == 0)

    def test_large_bodies_and_refusals(self, certificate: tuple[str, str]) -> None:
        body = b"x" * 1_000_000
        worker_of = lane(echo, Limits(linger=0.2), tls=tls_context(*certificate))
        with worker_of as worker, tls_client(worker, certificate[0], ["http/1.1"]) as sock:
            head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
            # One thread: an SSL connection that one reads while another writes is undefined before Python 3.13. It lost
            # its answer now and then. The application answers only when it has the whole body.
            sock.sendall(head + body)
            assert response(sock)[2] == b"POST / " + body
            sock.sendall(b"GET / HTTP/1.1\n\n")
            assert response(sock)[0] == 400

    def test_handshake_that_fails_harms_nobody(self, certificate: tuple[str, str]) -> None:
        with lane(describe, tls=tls_context(*certificate)) as worker:
            with worker.connect() as sock:
                sock.sendall(GET)
                read_to_end(sock)
            with tls_client(worker, certificate[0], ["http/1.1"]) as sock:
                sock.sendall(GET)
                assert response(sock)[0] == 200

    def test_context_errors_name_the_files(self, certificate: tuple[str, str], tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"nothing\.pem"):
            tls_context(str(tmp_path / "nothing.pem"), certificate[1])
        with pytest.raises(ConfigError, match=r"cert\.pem"):
            tls_context(certificate[0], certificate[0])


class TestPriorKnowledge:
    @pytest.mark.parametrize("cut", [None, 1, 3, 4, 10, 18, 23])
    def test_preface_may_arrive_in_pieces(self, cut: int | None) -> None:
        with lane(describe) as worker, worker.connect() as sock:
            client = Http2Client(sock)
            if cut is not None:
                sock.sendall(client.first_bytes[:cut])
                eventually(lambda: any(protocol._buffer for protocol in worker.connections.lanes))
            sock.sendall(client.first_bytes[cut or 0 :])
            assert client.get() == b"2 http public"
            assert worker.connections.open == 1
            assert [type(protocol) for protocol in worker.connections.lanes] == [Http2Protocol]

    def test_counts_are_given_back(self) -> None:
        with lane(describe, Limits(connections_per_client=1)) as worker:
            for _ in range(3):
                with worker.connect() as sock:
                    client = Http2Client(sock)
                    sock.sendall(client.first_bytes)
                    assert client.get() == b"2 http public"
                eventually(lambda: worker.connections.open == 0)

    def test_preface_after_a_request_is_refused(self) -> None:
        with lane(describe) as worker:
            reply = worker.talk(GET + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert b"HTTP/1.1 505" in reply

    def test_no_h2c_upgrade(self) -> None:
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        with lane(describe) as worker:
            reply = worker.talk(b"GET / HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n", half_close=True)
        assert reply.endswith(b"1.1 http public")

    def test_shutdown_ends_idle_http2_connections(self) -> None:
        with lane(describe, grace=20) as worker, worker.connect() as sock:
            client = Http2Client(sock)
            sock.sendall(client.first_bytes)
            assert client.get() == b"2 http public"
            worker.begin_stop()
            assert worker.join() < LATE


class TestConnectionLimits:
    @pytest.mark.parametrize("limit", ["connections", "connections_per_client"])
    def test_one_too_many_is_told_so(self, limit: str) -> None:
        with lane(describe, Limits(**{limit: 2}, linger=0.1)) as worker:
            first, second = worker.connect(), worker.connect()
            eventually(lambda: worker.connections.open == 2)
            reply = worker.talk(GET)
            assert status_of(reply) == 503
            assert worker.connections.limits_hit == {limit: 1}
            first.close()
            eventually(lambda: worker.connections.open == 1)
            second.sendall(GET)
            assert response(second)[0] == 200
            with worker.connect() as third:
                third.sendall(GET)
                assert response(third)[0] == 200
            second.close()

    def test_flood_beyond_the_limit_is_cut_off(self) -> None:
        with lane(describe, Limits(connections=1, linger=5)) as worker:
            with worker.connect() as first:
                eventually(lambda: worker.connections.open == 1)
                crowd = [worker.connect() for _ in range(150)]
                eventually(lambda: worker.connections.accepted == 151)
                eventually(lambda: worker.connections.open <= 102)
                first.sendall(GET)
                assert response(first)[0] == 200
                for sock in crowd:
                    sock.close()
            eventually(lambda: worker.connections.open == 0 and worker.connections.refused == 0)


class TestLifespan:
    def test_state_and_order(self) -> None:
        events: list[str] = []

        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                for event in ("startup", "shutdown"):
                    assert (await receive())["type"] == f"lifespan.{event}"
                    events.append(event)
                    scope["state"]["pool"] = "open"
                    await send({"type": f"lifespan.{event}.complete"})
                return
            events.append(scope["state"]["pool"])
            scope["state"]["pool"] = "mine alone"
            for message in answer(b""):
                await send(message)

        with lane(app) as worker:
            worker.talk(GET * 2, half_close=True)
        assert events == ["startup", "open", "open", "shutdown"]

    def test_failed_startup_accepts_nothing(self) -> None:
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})

        with pytest.raises(LifespanFailureError, match="no database"), lane(app):
            pass


def test_listeners_are_told_apart() -> None:
    sockets = {name: bind("127.0.0.1:0") for name in ("public", "admin")}

    async def main() -> None:
        stop, ready = asyncio.Event(), asyncio.Event()
        endpoints = [Endpoint(name, sock) for name, sock in sockets.items()]
        serving = asyncio.create_task(
            serve(describe, endpoints, Connections(Limits()), shutdown=stop.wait, grace=1, ready=ready.set)
        )
        await ready.wait()
        for name, sock in sockets.items():
            reader, writer = await asyncio.open_connection(*sock.getsockname())
            writer.write(GET)
            assert (await reader.readuntil(b"1.1 http " + name.encode())).startswith(b"HTTP/1.1 200")
            writer.close()
            await writer.wait_closed()
        stop.set()
        await serving

    run(main())


class TestShutdown:
    @staticmethod
    def gated() -> tuple[Any, threading.Event, threading.Event]:
        entered, gate = threading.Event(), threading.Event()

        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["path"] == "/slow":
                entered.set()
                await asyncio.to_thread(gate.wait, PATIENCE)
            elif scope["path"] == "/stuck":
                entered.set()
                await asyncio.sleep(PATIENCE)
            for message in answer(b"done"):
                await send(message)

        return app, entered, gate

    def test_request_in_flight_ends_with_a_close(self) -> None:
        app, entered, gate = self.gated()
        with lane(app, grace=20) as worker, worker.connect() as busy, worker.connect() as idle:
            idle.sendall(GET)
            assert response(idle)[0] == 200
            time.sleep(0.4)
            busy.sendall(GET.replace(b"GET /", b"GET /slow"))
            assert entered.wait(PATIENCE)
            worker.begin_stop()
            begun = time.monotonic()
            assert read_to_end(idle) == b""
            assert time.monotonic() - begun < LATE
            with pytest.raises(OSError, match=r"refused|reset"):
                worker.connect().close()
            gate.set()
            status, headers, body = response(busy)
            assert (status, headers["connection"], body) == (200, "close", b"done")
            assert read_to_end(busy) == b""
            assert worker.join() < LATE

    def test_request_on_its_way_is_answered(self) -> None:
        """A connection in full flow loses nothing: it gets a moment for the request that it may have sent already."""
        app, _, _ = self.gated()
        with lane(app, grace=20) as worker, worker.connect() as fresh, worker.connect() as used:
            used.sendall(GET)
            assert response(used)[0] == 200
            eventually(lambda: worker.connections.open == 2)
            worker.begin_stop()
            eventually(lambda: worker.connections.closing)
            for sock in (used, fresh):
                sock.sendall(GET)
                status, headers, _ = response(sock)
                assert (status, headers["connection"]) == (200, "close")
            assert worker.join() < LATE

    def test_who_has_connected_is_served(self) -> None:
        """Connections that waited to be accepted were reset when the listening socket was closed."""
        stalled, go_on = threading.Event(), threading.Event()

        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["path"] == "/stall":
                stalled.set()
                go_on.wait(PATIENCE)
            for message in answer(b"done"):
                await send(message)

        with lane(app) as worker, ExitStack() as stack:
            first = stack.enter_context(worker.connect())
            first.sendall(GET.replace(b"GET /", b"GET /stall"))
            assert stalled.wait(PATIENCE)
            waiting = [stack.enter_context(worker.connect()) for _ in range(50)]
            for sock in waiting:
                sock.sendall(GET)
            worker.begin_stop()
            go_on.set()
            assert [response(sock)[2] for sock in [first, *waiting]] == [b"done"] * 51

    def test_grace_ends(self) -> None:
        app, entered, _ = self.gated()
        with lane(app, grace=0.7) as worker, worker.connect() as busy:
            busy.sendall(GET.replace(b"GET /", b"GET /stuck"))
            assert entered.wait(PATIENCE)
            worker.begin_stop()
            begun = time.monotonic()
            assert read_to_end(busy) == b""
            worker.join()
            assert 0.5 < time.monotonic() - begun < 1.7 + LATE

    def test_no_request_of_a_busy_client_is_lost(self) -> None:
        app, _, _ = self.gated()
        outcomes: list[str] = []

        def client(worker: Lane) -> None:
            with worker.connect() as sock:
                while True:
                    sock.sendall(GET)
                    status, headers, _ = response(sock)
                    outcomes.append(str(status))
                    if headers.get("connection") == "close":
                        return

        with lane(app, grace=5) as worker:
            threads = [threading.Thread(target=client, args=(worker,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            eventually(lambda: len(outcomes) > 200)
            worker.begin_stop()
            for thread in threads:
                thread.join(PATIENCE)
        assert set(outcomes) == {"200"}
        assert not any(thread.is_alive() for thread in threads)


def test_descriptors_running_out_do_not_end_the_loop(tmp_path: Path) -> None:
    """ABUSE 44: the accept loop survives EMFILE and serves again once descriptors are free."""
    script = tmp_path / "small.py"
    script.write_text(
        textwrap.dedent(
            """
            import asyncio, resource, signal
            from sentinel_host.http.lane import Connections, Limits
            from sentinel_host.server import Endpoint, address_of, bind, run, serve
            from tests.lane.harness import echo

            async def main():
                stop = asyncio.Event()
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
                sock = bind("127.0.0.1:0")
                resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
                ready = lambda: print(address_of(sock), flush=True)
                endpoints = [Endpoint("public", sock)]
                await serve(echo, endpoints, Connections(Limits()), shutdown=stop.wait, grace=1, ready=ready)

            run(main())
            """
        )
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]))
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        host, _, port = process.stdout.readline().strip().rpartition(":")
        kept = socket.create_connection((host, int(port)), timeout=PATIENCE)
        kept.sendall(GET)
        assert response(kept)[0] == 200
        crowd = [socket.create_connection((host, int(port)), timeout=PATIENCE) for _ in range(60)]
        kept.sendall(GET)
        assert response(kept)[0] == 200
        for sock in crowd:
            sock.close()
        deadline = time.monotonic() + PATIENCE
        while True:
            with socket.create_connection((host, int(port)), timeout=PATIENCE) as sock, contextlib.suppress(OSError):
                sock.sendall(GET)
                if sock.recv(12) == b"HTTP/1.1 200":
                    break
            assert time.monotonic() < deadline
        kept.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_socket_that_takes_no_more_keeps_who_has_connected() -> None:
    with bind("127.0.0.1:0") as listening, socket.socket() as late, socket.socket() as later:
        listening.listen()
        with socket.create_connection(listening.getsockname(), timeout=PATIENCE) as early:
            take_no_more(listening)
            late.settimeout(0.2)
            with pytest.raises(TimeoutError):
                late.connect(listening.getsockname())
            listening.settimeout(PATIENCE)
            accepted, _ = listening.accept()
            with accepted:
                early.sendall(b"still")
                assert accepted.recv(10) == b"still"
                address = listening.getsockname()
                listening.close()
                later.settimeout(PATIENCE)
                assert later.connect_ex(address) == errno.ECONNREFUSED
                accepted.sendall(b"there")
                assert early.recv(10) == b"there"


class TestBind:
    def test_actual_port(self) -> None:
        with bind("127.0.0.1:0") as sock:
            host, _, port = address_of(sock).rpartition(":")
            assert host == "127.0.0.1"
            assert int(port) > 0

    def test_ipv6(self) -> None:
        with bind("[::1]:0") as sock:
            assert address_of(sock).startswith("[::1]:")

    @pytest.mark.parametrize(
        "address", ["", "8080", "127.0.0.1", ":8080", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:-1"]
    )
    def test_malformed(self, address: str) -> None:
        with pytest.raises(ConfigError, match="expected host:port"):
            bind(address)

    def test_taken(self) -> None:
        with bind("127.0.0.1:0") as sock:
            sock.listen()
            with pytest.raises(ConfigError, match=address_of(sock)):
                bind(address_of(sock))

    def test_read_until_helper_stops_at_the_mark(self) -> None:
        with lane(describe) as worker, worker.connect() as sock:
            sock.sendall(GET)
            assert read_until(sock, b"\r\n") == b"HTTP/1.1 200 OK\r\n"
