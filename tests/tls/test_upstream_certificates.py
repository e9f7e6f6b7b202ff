"""The certificate that upstreams are shown, and the name that they are asked for."""

from __future__ import annotations

import http.server
import shutil
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.tls.authority import Authority


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the subject of the client's certificate and the server name that it asked
    for.
    """

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        shown = self.connection.getpeercert() or {}
        (((_, name),),) = shown["subject"]
        text = f"{name} {getattr(self.connection, 'asked', None)}".encode()
        if self.path == "/health":
            getattr(self.server, "checks").append(text)  # noqa: B009
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        # The next request shows the certificate of then.
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def demanding_upstream(authority: Authority) -> Iterator[http.server.ThreadingHTTPServer]:
    """Serves clients with a certificate of the authority only, as ``inner.test``; ``checks`` are
    the answers to the gateway's checks.
    """
    pair = authority.issue("inner.test", x509.DNSName("inner.test"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.file))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(pair.cert, pair.key)
    context.sni_callback = lambda connection, name, _: setattr(connection, "asked", name)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    setattr(server, "checks", [])  # noqa: B010
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def gateway_text(server: http.server.ThreadingHTTPServer, authority: Authority, workers: int) -> str:
    return f"""
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
workers = {workers}

[guests]
watch = false

[[upstream]]
name = "inner"
targets = ["https://127.0.0.1:{server.server_port}"]
ca = "{authority.file}"
cert = "own.cert"
key = "own.key"
server_name = "inner.test"
check = {{ path = "/health", interval = "5s", timeout = "5s", down = 1000 }}

[[route]]
path = "/"
upstream = "inner"
"""


def show(authority: Authority, folder: Path, name: str) -> None:
    pair = authority.issue(name)
    shutil.copy(pair.cert, folder / "own.cert")
    shutil.copy(pair.key, folder / "own.key")


def wait_for_body(gateway: GatewayProcess, expected: bytes) -> None:
    end = time.monotonic() + PATIENCE
    while (body := fetch(gateway.public, "/").body) != expected:
        assert time.monotonic() < end, f"still {body!r}"
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_upstream_is_shown_a_certificate_and_its_renewed_one(tmp_path: Path, workers: int) -> None:
    (tmp_path / "authority").mkdir()
    authority = Authority(tmp_path / "authority")
    show(authority, tmp_path, "first")
    with demanding_upstream(authority) as server:
        config = write_config(tmp_path, gateway_text(server, authority, workers))
        with sentinel_run(config) as gateway:
            wait_for_body(gateway, b"first inner.test")
            show(authority, tmp_path, "second")
            gateway.process.send_signal(signal.SIGHUP)
            # Once this is said, no worker shows the first any more.
            gateway.wait_for_log("was reloaded, and serves" if workers == 1 else "reloaded: every worker serves")
            assert fetch(gateway.public, "/").body == b"second inner.test"
            checks = getattr(server, "checks")  # noqa: B009
            end = time.monotonic() + PATIENCE
            while b"second inner.test" not in checks:
                assert time.monotonic() < end, checks
                time.sleep(0.05)
            assert b"first inner.test" in checks
            (tmp_path / "own.cert").write_text("garbage")
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_for_log("own.cert: it holds no certificate in PEM")
            assert fetch(gateway.public, "/").body == b"second inner.test"
