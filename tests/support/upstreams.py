"""Upstreams in a thread of their own: they answer what a test says, and keep what they were
sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sentinel_host.http.proxy_header import ProxyHeader
from tests.support.sockets import KEPT_UNREAD

Handler = Callable[["Received", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Received:
    """A request as the upstream got it: the request line, the header fields in order, and the body
    as far as read. ``client`` and ``own`` are what the PROXY header of its connection said, in an
    upstream that is ``proxied``; ``connection`` counts connections from 1.
    """

    line: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    client: tuple[str, int] | None = None
    own: tuple[str, int] | None = None
    connection: int = 0

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    def values(self, name: str) -> list[str]:
        """The values of all fields of that name."""
        return [value for key, value in self.headers if key == name]


class Upstream:
    """An HTTP/1.1 server. ``requests`` holds what came in, oldest first. One that is ``proxied``
    expects a PROXY header at the begin of each connection, and keeps what came in ``headers``.
    """

    def __init__(self) -> None:
        self.proxied = False
        self.headers: list[bytes] = []
        self.requests: list[Received] = []
        self.connections = 0
        self.port = 0
        self.handler: Handler = answer_hello
        self.read_bodies = True
        self.scheme = "http"
        self.ca: Path | None = None

    def reset(self) -> None:
        """Forget what came in, and say hello again."""
        self.requests.clear()
        self.handler = answer_hello
        self.read_bodies = True

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        header = ProxyHeader()
        try:
            if self.proxied:
                self.headers.append(await read_proxy_header(reader))
                header.feed(self.headers[-1])
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
                headers = [
                    (name.lower(), value.strip()) for name, _, value in (entry.partition(":") for entry in fields)
                ]
                received = Received(line, headers, client=header.client, own=header.own, connection=number)
                self.requests.append(received)
                if self.read_bodies:
                    await read_body(received, reader)
                await self.handler(received, reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def read_proxy_header(reader: asyncio.StreamReader) -> bytes:
    """The PROXY header, of either version, that a connection begins with."""
    header = await reader.readexactly(len(b"PROXY UNKNOWN\r\n"))
    if header.startswith(b"PROXY "):
        return header if header.endswith(b"\r\n") else header + await reader.readuntil(b"\r\n")
    header += await reader.readexactly(1)
    return header + await reader.readexactly(int.from_bytes(header[14:16], "big"))


async def read_body(received: Received, reader: asyncio.StreamReader) -> None:
    """Read the whole body of a request into it."""
    if received.values("transfer-encoding"):
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            received.body += await reader.readexactly(size)
            await reader.readexactly(2)
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            name, _, value = line.decode("latin-1").partition(":")
            received.trailers.append((name.lower(), value.strip()))
    else:
        lengths = received.values("content-length")
        received.body = await reader.readexactly(int(lengths[0])) if lengths else b""


async def answer_hello(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """``hello``, with a length."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\n")
    if received.method != "HEAD":
        writer.write(b"hello")


def answering(raw: bytes, *, then_close: bool = False) -> Handler:
    """A handler that writes these bytes, whatever it is asked."""

    async def handler(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        if then_close:
            writer.close()

    return handler


@contextlib.contextmanager
def running_upstream(tls: ssl.SSLContext | None = None, *, ca: Path | None = None) -> Iterator[Upstream]:
    """An upstream that listens; its handler may be replaced at any time. ``ca`` is who vouches for
    its certificate.
    """
    upstream = Upstream()
    upstream.ca = ca
    upstream.scheme = "https" if tls else "http"
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await upstream._serve(reader, writer)
        except asyncio.CancelledError:
            # Not closed: TLS would first wait for the peer's goodbye, and the loop is about to end.
            writer.transport.abort()
        finally:
            tasks.discard(task)

    async def main() -> None:
        server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=1 << 20, ssl=tls)
        server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KEPT_UNREAD)
        upstream.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.sleep(0)  # the transports close their sockets in the next turn of the loop

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    ready.wait()
    try:
        yield upstream
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@contextlib.contextmanager
def black_hole(host: str, port: int = 0) -> Iterator[int]:
    """A listener whose queue is full, and which answers no SYN; tells its port."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield address[1]
