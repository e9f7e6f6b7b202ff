"""Raw scripted upstreams: each test says which bytes come when, on a real socket, in the clear or
over TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sentinel_host.http.client import Target, Timeouts, UpstreamPool, UpstreamRequest, UpstreamResponse
from tests.support.clocks import PATIENCE

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MIB = bytes(range(256)) * 4096


@dataclass(frozen=True)
class Secure:
    """What upstreams and pools of a test that runs over TLS speak it with."""

    server: ssl.SSLContext
    client: ssl.SSLContext


PATIENT = Timeouts(connect=PATIENCE, pool_wait=PATIENCE)
"""Where it is not about time: fifty handshakes at once take a busy machine seconds."""
SECURE: ContextVar[Secure | None] = ContextVar("SECURE", default=None)
Main = Callable[[], Coroutine[Any, Any, None]]


def run_on(factory: Callable[[], asyncio.AbstractEventLoop], secure: Secure | None, main: Main) -> None:
    """Run a test's coroutine; one that hangs fails."""

    async def bounded() -> None:
        SECURE.set(secure)
        async with asyncio.timeout(PATIENCE):
            await main()

    with asyncio.Runner(loop_factory=factory) as loop_runner:
        loop_runner.run(bounded())


class ServerTls:
    """The server's side of TLS as bytes in and bytes out, so that a script can leave as rudely as
    it likes.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.shaken = False
        self.ended = False

    def receive(self, data: bytes) -> bytes:
        """What the client sent; ``pending`` tells what is then to be sent."""
        self._incoming.write(data)
        plain = b""
        with contextlib.suppress(ssl.SSLWantReadError):
            if not self.shaken:
                self._ssl.do_handshake()
                self.shaken = True
            while piece := self._ssl.read(65536):
                plain += piece
            self.ended = True
        return plain

    def pending(self) -> bytes:
        return self._outgoing.read()

    def encrypt(self, data: bytes) -> bytes:
        self._ssl.write(data)
        return self._outgoing.read()

    def notify(self) -> bytes:
        """close_notify."""
        with contextlib.suppress(ssl.SSLError):
            self._ssl.unwrap()
        return self._outgoing.read()


class RawPeer:
    """The upstream's side of a connection as a plain socket: what it does happens behind the event
    loop's back.
    """

    def __init__(self, sock: socket.socket, tls: ServerTls | None) -> None:
        self._socket = sock
        self._tls = tls
        self._read = b""

    @classmethod
    async def accept(cls, listener: socket.socket) -> RawPeer:
        loop = asyncio.get_running_loop()
        sock, _ = await loop.sock_accept(listener)
        sock.setblocking(False)
        # A reset throws away what waits for the client to acknowledge the last small segment.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secure = SECURE.get()
        peer = cls(sock, ServerTls(secure.server) if secure else None)
        while peer._tls is not None and not peer._tls.shaken:
            # The request may come with the last of the handshake.
            peer._read += peer._tls.receive(await loop.sock_recv(sock, 65536))
            await loop.sock_sendall(sock, peer._tls.pending())
        return peer

    @property
    def closed(self) -> bool:
        return self._socket.fileno() < 0

    async def nibble(self) -> None:
        """Take one byte off the socket, and leave the rest there."""
        byte = await asyncio.get_running_loop().sock_recv(self._socket, 1)
        if self._tls:
            self._tls.receive(byte)

    async def some(self) -> bytes:
        loop = asyncio.get_running_loop()
        if self._tls is None:
            return await loop.sock_recv(self._socket, 65536)
        while not self._read and not self._tls.ended:
            self._read = self._tls.receive(await loop.sock_recv(self._socket, 65536))
        plain, self._read = self._read, b""
        return plain

    def send(self, data: bytes) -> None:
        self._socket.send(self._tls.encrypt(data) if self._tls else data)

    def end(self) -> None:
        """Half-close."""
        if self._tls:
            self._socket.send(self._tls.notify())
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close; with something unread, the kernel sends a reset."""
        self._socket.close()


class Peer:
    """The upstream's side of one connection; ``number`` counts accepted connections from 1."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self._reader = self._raw = reader
        self._writer = writer
        self._tls: ServerTls | None = None
        self._ended = False

    async def shake_hands(self, context: ssl.SSLContext) -> None:
        """Speak TLS from here on."""
        tls = self._tls = ServerTls(context)
        self._reader = asyncio.StreamReader()
        while not tls.shaken:
            await self._read_on()

    async def decrypt(self) -> None:
        """Read what comes until nothing does."""
        try:
            while self._tls is not None and not self._tls.ended:
                await self._read_on()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            self._reader.feed_eof()

    async def _read_on(self) -> None:
        data = await self._raw.read(65536)
        if not data:
            raise ConnectionResetError
        assert self._tls is not None
        try:
            self._reader.feed_data(self._tls.receive(data))
        finally:
            self._writer.write(self._tls.pending())

    def write(self, data: bytes) -> None:
        self._writer.write(self._tls.encrypt(data) if self._tls else data)

    async def head(self) -> bytes:
        return await self._reader.readuntil(b"\r\n\r\n")

    async def exactly(self, size: int) -> bytes:
        return await self._reader.readexactly(size)

    async def until(self, end: bytes) -> bytes:
        return await self._reader.readuntil(end)

    async def some(self) -> bytes:
        return await self._reader.read(65536)

    async def send(self, data: bytes) -> None:
        self.write(data)
        await self._writer.drain()

    async def closed(self) -> None:
        """Wait until the client has closed."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(65536):
                pass

    def pause(self) -> None:
        """Take nothing from the socket any more."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    def end(self) -> None:
        """Half-close: nothing more comes from here, the socket stays."""
        if self._tls is not None:
            self._writer.write(self._tls.notify())
        self.truncate()

    def close(self) -> None:
        if self._tls is not None and not self._ended:
            self._writer.write(self._tls.notify())
        self._writer.close()

    def truncate(self) -> None:
        """End the stream below TLS, without close_notify."""
        self._ended = True
        self._writer.write_eof()

    def reset(self) -> None:
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class Upstream:
    """A server whose every connection runs ``script``; what the script raises fails the test."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._secure = SECURE.get()
        self._tls = tls or (self._secure and self._secure.server)
        self._tasks: list[asyncio.Task[None]] = []
        self.accepted = 0
        self.port = 0

    async def __aenter__(self) -> Upstream:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def takes_little(self) -> None:
        """Have the kernel hold only some 64 KiB that the script has not read, of connections that
        come from now on.
        """
        self._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._tasks.append(asyncio.get_running_loop().create_task(self._serve(self.accepted, reader, writer)))

    async def _serve(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(number, reader, writer)
        reading: asyncio.Task[None] | None = None
        try:
            if self._tls is not None:
                await peer.shake_hands(self._tls)
                reading = asyncio.get_running_loop().create_task(peer.decrypt())
            await self._script(peer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client left, as clients do
        finally:
            if reading is not None:
                reading.cancel()
            if not writer.is_closing():
                peer.close()

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)
        for result in results:
            if isinstance(result, Exception):
                raise result

    @property
    def url(self) -> str:
        return f"{'https' if self._secure else 'http'}://127.0.0.1:{self.port}"

    def pool(self, *, scheme: str = "", host: str = "127.0.0.1", **options: Any) -> UpstreamPool:
        if self._secure is not None and not scheme:
            scheme = "https"
            options.setdefault("ssl_context", self._secure.client)
        options.setdefault("timeouts", PATIENT)
        return UpstreamPool(Target.parse(f"{scheme or 'http'}://{host}:{self.port}"), **options)


class Source:
    """A request body from a list; an exception in it is raised, an awaitable awaited, the rest
    given out.
    """

    def __init__(self, *pieces: Any, trailers: list[tuple[bytes, bytes]] | None = None) -> None:
        self.pieces = list(pieces)
        self.trailers = trailers or []
        self.given = 0
        self.cancelled = False

    async def read(self) -> bytes:
        while self.pieces:
            piece = self.pieces.pop(0)
            if isinstance(piece, BaseException):
                raise piece
            if isinstance(piece, bytes):
                self.given += len(piece)
                return piece
            try:
                await piece
            except asyncio.CancelledError:
                self.cancelled = True
                raise
        return b""


def get(target: bytes = b"/", method: bytes = b"GET", **more: Any) -> UpstreamRequest:
    return UpstreamRequest(method, target, more.pop("headers", []), b"origin.test", **more)


async def drain(response: UpstreamResponse) -> bytes:
    body = b""
    while piece := await response.read():
        body += piece
    return body


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what can be observed from here."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (counters of the client have no event to wait for)
            await asyncio.sleep(0.001)
