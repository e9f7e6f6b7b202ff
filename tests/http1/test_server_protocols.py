"""What a connection to the worker may speak: TLS with either protocol, and HTTP/2 by prior
knowledge.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest

from sentinel_host.errors import ConfigError
from sentinel_host.http.h2 import Http2Protocol
from sentinel_host.http.server import ServerLimits
from sentinel_host.server import tls_context
from tests.http1.harness import (
    Worker,
    describe,
    echo,
    eventually,
    http1,
    read_to_end,
    response,
    run_worker,
)
from tests.support.certificates import self_signed

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


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
def tls_client(worker: Worker, cert: str, protocols: list[str]) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=cert)
    context.set_alpn_protocols(protocols)
    with worker.connect() as raw, context.wrap_socket(raw, server_hostname="localhost") as sock:
        yield sock


class TestTls:
    def test_http11(self, certificate: tuple[str, str]) -> None:
        with run_worker(describe, tls=tls_context(*certificate)) as worker:
            for protocols in (["http/1.1"], []):
                with tls_client(worker, certificate[0], protocols) as sock:
                    for _ in range(2):
                        sock.sendall(GET)
                        assert response(sock)[2] == b"1.1 https public"

    def test_http2_by_alpn(self, certificate: tuple[str, str]) -> None:
        """Hypercorn kept a connection whose client had gone for all of the keep-alive time."""
        with run_worker(describe, tls=tls_context(*certificate)) as worker:
            with tls_client(worker, certificate[0], ["h2", "http/1.1"]) as sock:
                assert sock.selected_alpn_protocol() == "h2"
                client = Http2Client(sock)
                sock.sendall(client.first_bytes)
                assert client.get() == b"2 https public"
            eventually(lambda: worker.connections.open == 0)

    def test_large_bodies_and_refusals(self, certificate: tuple[str, str]) -> None:
        body = b"x" * 1_000_000
        worker_of = run_worker(echo, ServerLimits(linger=0.2), tls=tls_context(*certificate))
        with worker_of as worker, tls_client(worker, certificate[0], ["http/1.1"]) as sock:
            head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
            # One thread: an SSL connection that one reads while another writes is undefined before
            # Python 3.13. It lost its answer now and then. The application answers only when it has
            # the whole body.
            sock.sendall(head + body)
            assert response(sock)[2] == b"POST / " + body
            sock.sendall(b"GET / HTTP/1.1\n\n")
            assert response(sock)[0] == 400

    def test_a_failed_handshake_harms_no_other_connection(self, certificate: tuple[str, str]) -> None:
        with run_worker(describe, tls=tls_context(*certificate)) as worker:
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
        with run_worker(describe) as worker, worker.connect() as sock:
            client = Http2Client(sock)
            if cut is not None:
                sock.sendall(client.first_bytes[:cut])
                eventually(lambda: any(each.connection.buffer for each in http1(worker)))
            sock.sendall(client.first_bytes[cut or 0 :])
            assert client.get() == b"2 http public"
            assert worker.connections.open == 1
            assert [type(protocol) for protocol in worker.connections.active] == [Http2Protocol]

    def test_counts_are_given_back(self) -> None:
        with run_worker(describe, ServerLimits(connections_per_client=1)) as worker:
            for _ in range(3):
                with worker.connect() as sock:
                    client = Http2Client(sock)
                    sock.sendall(client.first_bytes)
                    assert client.get() == b"2 http public"
                eventually(lambda: worker.connections.open == 0)

    def test_preface_after_a_request_is_refused(self) -> None:
        with run_worker(describe) as worker:
            reply = worker.talk(GET + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert b"HTTP/1.1 505" in reply

    def test_no_h2c_upgrade(self) -> None:
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        with run_worker(describe) as worker:
            reply = worker.talk(b"GET / HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n", half_close=True)
        assert reply.endswith(b"1.1 http public")

    def test_shutdown_ends_idle_http2_connections(self) -> None:
        with run_worker(describe, grace=20) as worker, worker.connect() as sock:
            client = Http2Client(sock)
            sock.sendall(client.first_bytes)
            assert client.get() == b"2 http public"
            worker.begin_stop()
            worker.join()
