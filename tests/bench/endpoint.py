"""An endpoint that can be told to misbehave: ``python -m tests.bench.endpoint PORT NAME``.

It answers every request with its name after a few milliseconds. Lines on its standard input change
that: ``ok``, ``error``, ``slow``, ``close``, ``refuse``; a line ``count`` is answered with how many
requests have come.
"""

from __future__ import annotations

import asyncio
import random
import sys

_DELAY = 0.003
_SLOWER = 10
# Of the answers after which a connection is closed without a word.
_CLOSING = 0.2


class Endpoint:
    def __init__(self, port: int, name: str) -> None:
        self._port = port
        self._name = name.encode()
        self._mode = "ok"
        self._requests = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def run(self) -> None:
        """Serve until the standard input ends."""
        await self._listen()
        loop = asyncio.get_running_loop()
        orders = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        print("ready", flush=True)
        while line := await orders.readline():
            order = line.decode().strip()
            if order == "count":
                print(self._requests, flush=True)
                continue
            if order == "refuse":
                await self._refuse()
            elif self._server is None:
                await self._listen()
            self._mode = order
            print(order, flush=True)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self._port, reuse_address=True, backlog=1024
        )

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._connections):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b" /health " in head:
                    status = b"503 X" if self._mode == "error" else b"200 OK"
                    writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status)
                    continue
                self._requests += 1
                if not await self._answer(writer):
                    return
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection is to be kept."""
        mode = self._mode
        if mode == "error":
            writer.write(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")
            return True
        await asyncio.sleep(_DELAY * _SLOWER if mode == "slow" else _DELAY)
        writer.write(b"HTTP/1.1 200 OK\r\nX-Endpoint: %s\r\nContent-Length: 2\r\n\r\nok" % self._name)
        return mode != "close" or random.random() >= _CLOSING


if __name__ == "__main__":
    asyncio.run(Endpoint(int(sys.argv[1]), sys.argv[2]).run())
