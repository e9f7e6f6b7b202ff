"""Raw scripted upstreams: each test says which bytes come when, on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from sentinel_host.http.upstream import Target, UpstreamPool, UpstreamRequest, UpstreamResponse
from tests.support.clocks import PATIENCE

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MIB = bytes(range(256)) * 4096


class Peer:
    """The upstream's side of one connection; ``number`` counts accepted connections from 1."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self._reader = reader
        self._writer = writer

    async def head(self) -> bytes:
        return await self._reader.readuntil(b"\r\n\r\n")

    async def exactly(self, size: int) -> bytes:
        return await self._reader.readexactly(size)

    async def until(self, end: bytes) -> bytes:
        return await self._reader.readuntil(end)

    async def some(self) -> bytes:
        return await self._reader.read(65536)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def bytewise(self, data: bytes) -> None:
        for at in range(len(data)):
            if self._writer.is_closing():
                raise ConnectionResetError
            self._writer.write(data[at : at + 1])
            await asyncio.sleep(0)
            await asyncio.sleep(0)

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
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class Upstream:
    """A server whose every connection runs ``script``; what the script raises fails the test."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._tasks: list[asyncio.Task[None]] = []
        self.accepted = 0
        self.port = 0

    async def __aenter__(self) -> Upstream:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        peer = Peer(self.accepted, reader, writer)
        self._tasks.append(asyncio.get_running_loop().create_task(self._serve(peer, writer)))

    async def _serve(self, peer: Peer, writer: asyncio.StreamWriter) -> None:
        try:
            await self._script(peer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left, as clients do
        finally:
            writer.close()

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)
        for result in results:
            if isinstance(result, Exception):
                raise result

    def pool(self, *, scheme: str = "http", host: str = "127.0.0.1", **options: Any) -> UpstreamPool:
        return UpstreamPool(Target.parse(f"{scheme}://{host}:{self.port}"), **options)


class Source:
    """A request body from a list; an exception in it is raised, an awaitable awaited, the rest given out."""

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
