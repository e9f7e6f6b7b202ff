"""Upstreams of several endpoints, each a server of the test's own, and calls to them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from sentinel_host.config.upstreams import UpstreamConfig
from sentinel_host.http.client import UpstreamRequest
from sentinel_host.net import Names
from sentinel_host.upstream.call import UpstreamCall
from sentinel_host.upstream.table import EndpointState, EndpointTable
from sentinel_host.upstream.upstream import Surroundings, Upstream

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]


class Server:
    """One endpoint, at an address or at the path of a Unix socket. ``answer`` is called for every
    request with its head; ``heads`` are those that came.
    """

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address = address
        self.port = 0
        self.heads: list[bytes] = []
        self.answer: Answer = ok
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http+unix://{self.address}" if self._is_path else f"http://{self.address}:{self.port}"

    @property
    def requests(self) -> int:
        return len(self.heads)

    @property
    def _is_path(self) -> bool:
        return self.address.startswith("/")

    async def start(self) -> None:
        """Accept connections, on the port of before if there was one."""
        if self._is_path:
            self._server = await asyncio.start_unix_server(self._serve, self.address)
            return
        self._server = await asyncio.start_server(self._serve, self.address, self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As when a process is killed: connections are reset, new ones are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                await self.answer(reader, writer, head)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The client left, or the test ends.
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


async def ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    port = writer.get_extra_info("sockname")[1]
    body = str(port).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def status(code: int, *fields: bytes) -> Answer:
    """Every request gets this status."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n%s\r\n" % (code, b"".join(b"%s\r\n" % f for f in fields)))

    return answer


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    writer.transport.abort()
    raise ConnectionResetError


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    await reader.read()


async def broken_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()
    raise ConnectionResetError


class Group:
    """Servers, and the upstream in front of them."""

    def __init__(self, servers: list[Server], upstream: Upstream, table: EndpointTable) -> None:
        self.servers = servers
        self.upstream = upstream
        self.table = table

    async def ask(self, method: bytes = b"GET", client: str = "192.0.2.1", **more: Any) -> int:
        """The status of one request; its body is read."""
        response = await self.upstream.send(call(method, client, **more))
        with contextlib.closing(_Aborting(response)):
            while await response.read():
                pass
        return response.status

    def requests(self) -> list[int]:
        return [server.requests for server in self.servers]

    def ejections(self) -> int:
        return sum(endpoint.ejections for endpoint in self.upstream.endpoints)

    def key(self, number: int) -> int:
        server = self.servers[number]
        return next(each.key for each in self.upstream.endpoints if each.name == server.url)

    def state(self, number: int) -> EndpointState:
        return self.table.state(self.key(number))

    async def statuses(self, count: int, **more: Any) -> Counter[int]:
        return Counter([await self.ask(**more) for _ in range(count)])


class _Aborting:
    def __init__(self, response: Any) -> None:
        self._response = response

    def close(self) -> None:
        self._response.abort()


def call(method: bytes = b"GET", client: str = "192.0.2.1", *, headers: Any = None, **more: Any) -> UpstreamCall:
    """A request for ``/``; ``more`` are attributes of the call."""
    body = more.pop("body", b"")
    request = UpstreamRequest(method, b"/", list(headers or []), b"", body, more.pop("content_length", None))
    repeatable = more.pop("repeatable", method in (b"GET", b"HEAD", b"PUT", b"DELETE"))
    made = UpstreamCall(request, b"", client, repeatable, more.pop("hash", 0))
    for name, value in more.items():
        setattr(made, name, value)
    return made


@contextlib.asynccontextmanager
async def group(
    count: int = 3, *, rows: int = 64, make: Callable[[], Any] = Server, **settings: Any
) -> AsyncIterator[Group]:
    """An upstream of so many servers, each made by ``make``; ``settings`` are of its
    configuration.
    """
    servers = [make() for _ in range(count)]
    for server in servers:
        await server.start()
    table = EndpointTable.create(cells=2, rows=rows)
    names = Names()
    config = UpstreamConfig("web", settings.pop("targets", [server.url for server in servers]), **settings)
    upstream = Upstream(config, Surroundings(table, 0, names))
    upstream.learn()
    try:
        yield Group(servers, upstream, table)
    finally:
        await upstream.close()
        names.close()
        for server in servers:
            await server.stop()
        os.close(table.fd)


def refusing_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
