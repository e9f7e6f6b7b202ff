"""TLS upstreams that end their response with the connection: what each client sees of a clean end,
and of a cut.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator

import pytest

from tests.bodies.guests import NIL, STREAM, buffer, on_response
from tests.http2.peer import Peer
from tests.support.certificates import self_signed
from tests.support.clients import exchange
from tests.support.clocks import PATIENCE
from tests.support.configurations import ONE_ORIGIN
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Handler, Received, Upstream, running_upstream

CONFIG = (
    ONE_ORIGIN
    + """ca = "AUTHORITY"

[[route]]
path = "/"
upstream = "origin"
upgrades = ["websocket"]

[[route]]
path = "/streams"
upstream = "origin"
chain = ["streams"]

[[route]]
path = "/holds"
upstream = "origin"
chain = ["holds"]
"""
)
GUESTS = {"streams": on_response(STREAM, NIL), "holds": on_response(buffer(1 << 20), NIL)}
PATHS = ["/", "/streams", "/holds"]


@pytest.fixture(scope="module")
def shared_upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    certificate, key = self_signed(tmp_path_factory.mktemp("certificate"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with running_upstream(context, ca=certificate) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream) -> Iterator[GatewayProcess]:
    config = CONFIG.replace("UPSTREAM", shared_upstream.url).replace("AUTHORITY", str(shared_upstream.ca))
    with sentinel_run(write_config(tmp_path_factory.mktemp("gateway"), config, GUESTS)) as running:
        yield running


def ending(head: bytes, body: bytes, *, clean: bool) -> Handler:
    """Answer, and end with close_notify or with a bare FIN."""

    async def handler(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head + body)
        await writer.drain()
        if not clean:
            writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
        writer.close()

    return handler


def to_end(sock: socket.socket) -> bytes:
    """Everything until the end of the stream. Raises ConnectionResetError where there is none."""
    received = b""
    while data := sock.recv(65536):
        received += data
    return received


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("clean", [True, False], ids=["close_notify", "bare FIN"])
def test_a_body_that_ends_with_the_connection(
    gateway: GatewayProcess, origin: Upstream, path: str, *, clean: bool
) -> None:
    """One that was cut off passed for complete: with its last chunk, or with END_STREAM (RFC 9112
    section 9.8).
    """
    origin.handler = ending(b"HTTP/1.1 200 OK\r\n\r\n", b"some", clean=clean)
    reply = exchange(gateway.public, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    with Peer(socket.create_connection(gateway.public)) as peer:
        got = peer.get(1, path.encode())
    if clean:
        assert reply.endswith(b"4\r\nsome\r\n0\r\n\r\n") or reply.endswith(b"\r\n\r\nsome")
        assert (got.status, got.body, got.ended) == (200, b"some", True)
    elif path == "/holds":
        # Nothing has been sent to the client yet.
        assert reply.startswith(b"HTTP/1.1 502 ")
        assert got.status == 502
    else:
        assert reply.startswith(b"HTTP/1.1 200 ")
        assert not reply.endswith(b"0\r\n\r\n")
        assert (got.status, got.body, got.ended, got.reset) == (200, b"some", False, 2)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", b"some"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"4\r\nsome\r\n0\r\n\r\n"),
    ],
    ids=["length", "chunked"],
)
def test_a_body_that_says_its_end_needs_no_other(
    gateway: GatewayProcess, origin: Upstream, head: bytes, body: bytes, path: str
) -> None:
    origin.handler = ending(head, body, clean=False)
    with Peer(socket.create_connection(gateway.public)) as peer:
        got = peer.get(1, path.encode())
    assert (got.status, got.body, got.ended) == (200, b"some", True)


@pytest.mark.parametrize("clean", [True, False], ids=["close_notify", "bare FIN"])
def test_a_tunnel_that_ends(gateway: GatewayProcess, origin: Upstream, *, clean: bool) -> None:
    """One that was cut off ended towards the client as if the upstream had ended it."""
    switch = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    origin.handler = ending(switch, b"some", clean=clean)
    with socket.create_connection(gateway.public, timeout=PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        if clean:
            assert to_end(client).endswith(b"\r\n\r\nsome")
        else:
            with pytest.raises(ConnectionResetError):
                to_end(client)
