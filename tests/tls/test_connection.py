"""What a kept connection is asked before a request goes out on it, over TLS."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from sentinel_host.http.tls import TlsConnection
from tests.support.certificates import self_signed
from tests.support.clocks import PATIENCE
from tests.upstream.support import ServerTls, eventually


class Silent(asyncio.Protocol):
    """Collects what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def data_received(self, data: bytes) -> None:
        self.told.append(data)

    def eof_received(self) -> bool:
        self.told.append("end")
        return True


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


@asynccontextmanager
async def connected(certificate: tuple[Path, Path]) -> AsyncIterator[tuple[TlsConnection, Silent, ServerTls, Any]]:
    """A client behind its handshake, and the server's side of it, which has not sent its session
    tickets yet.
    """
    loop = asyncio.get_running_loop()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate)
    client = ssl.create_default_context(cafile=str(certificate[0]))
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with theirs:
        protocol, tls = Silent(), ServerTls(server)
        connection = TlsConnection(loop, client, protocol, server_name="localhost")
        await loop.create_connection(lambda: cast(asyncio.Protocol, connection), sock=ours)
        while not tls.shaken:
            tls.receive(await loop.sock_recv(theirs, 65536))
            if not tls.shaken:
                await loop.sock_sendall(theirs, tls.pending())
        await connection.ready
        try:
            yield connection, protocol, tls, theirs
        finally:
            connection.abort()
            await asyncio.sleep(0)


def unread(sock: Any) -> int:
    """Bytes that were sent and that the other end of a socket pair has not read."""
    count: int = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
    return count


def run(main: Callable[[], Any]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await main()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


def test_session_tickets_are_no_unsolicited_bytes(certificate: tuple[Path, Path]) -> None:
    async def main() -> None:
        async with connected(certificate) as (connection, protocol, tls, sock):
            assert connection.has_no_pending_input()
            tickets = tls.pending()
            assert tickets
            sock.send(tickets)
            assert connection.has_no_pending_input()
            assert protocol.told == []

    run(main)


@pytest.mark.parametrize("what", ["data", "data behind tickets", "half a ticket", "end", "truncation", "garbage"])
def test_anything_else_is(certificate: tuple[Path, Path], what: str) -> None:
    async def main() -> None:
        async with connected(certificate) as (connection, _, tls, sock):
            tickets = tls.pending()
            if what == "data behind tickets":
                sock.send(tickets + tls.encrypt(b"x"))
            elif what == "half a ticket":
                sock.send(tickets[:7])  # it could be the beginning of anything
            else:
                sock.send(tickets)
                assert connection.has_no_pending_input()
            if what == "data":
                sock.send(tls.encrypt(b"x"))
            elif what == "end":
                sock.send(tls.notify())
            elif what == "truncation":
                sock.shutdown(socket.SHUT_WR)
            elif what == "garbage":
                sock.send(b"\x17\x03\x03\x00\x20" + bytes(32))
            assert not connection.has_no_pending_input()

    run(main)


def test_what_the_loop_has_read_of_a_record_counts_too(certificate: tuple[Path, Path]) -> None:
    async def main() -> None:
        async with connected(certificate) as (connection, protocol, tls, sock):
            record = tls.pending() + tls.encrypt(b"stray")
            sock.send(record[:-1])
            await eventually(lambda: unread(sock) == 0)
            assert not connection.has_no_pending_input()
            sock.send(record[-1:])
            await eventually(lambda: protocol.told == [b"stray"])

    run(main)
