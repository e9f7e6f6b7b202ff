"""The process of a `tests.support.backends.Backend`: ``backend_server.py NAME PORT``, told what to
do on its stdin.

Ways to answer: ``ok``; ``status`` CODE; ``garbage``; ``reset`` once it has read a request;
``poison``: the same for the path ``/poison`` alone; ``break`` in the middle of a body; ``hang`` in
the middle of a body; ``silent``; ``slow`` SECONDS; ``refuse``: no connection any more; ``close``:
each connection after one answer, without saying so before.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter


class Server:
    def __init__(self, name: str) -> None:
        self.body = f"{name}\n".encode()
        self.how, self.value = "ok", 0.0
        self.counts: Counter[str] = Counter()
        self.connections: Counter[str] = Counter()
        self.active = 0
        self.port = 0
        self.listening: asyncio.Server | None = None
        self.writers: set[asyncio.StreamWriter] = set()

    async def listen(self) -> None:
        self.listening = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=1024)
        self.port = self.listening.sockets[0].getsockname()[1]

    async def behave(self, how: str, value: float) -> None:
        self.how, self.value = how, value
        if how == "refuse" and self.listening is not None:
            self.listening.close()
            self.listening = None
            for writer in self.writers:
                writer.transport.abort()
        elif how != "refuse" and self.listening is None:
            await self.listen()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        paths: set[str] = set()
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ")[1].decode()
                self.counts[path] += 1
                if path not in paths:
                    paths.add(path)
                    self.connections[path] += 1
                self.active += 1
                try:
                    await self.answer(reader, writer, path)
                finally:
                    self.active -= 1
                await writer.drain()
                if self.how == "close":
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.connections.subtract(paths)
            self.writers.discard(writer)
            writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
        how, value, body = self.how, self.value, self.body
        if how == "garbage":
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        elif how == "reset" or (how == "poison" and path == "/poison"):
            writer.transport.abort()
            raise ConnectionResetError
        elif how in ("break", "hang"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + body)
            await writer.drain()
            if how == "hang":
                await reader.read()
            writer.transport.abort()
            raise ConnectionResetError
        elif how == "silent":
            await reader.read()
            raise ConnectionResetError
        else:
            if how == "slow":
                await asyncio.sleep(value)
            status = int(value) if how == "status" else 200
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


async def main(name: str, port: int) -> None:
    server = Server(name)
    server.port = port
    await server.listen()
    print(server.port, flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := (await commands.readline()).decode():
        command, *arguments = line.split()
        if command == "behave":
            await server.behave(arguments[0], float(arguments[1]))
            print("done", flush=True)
        elif command == "count":
            print(server.counts[arguments[0]], flush=True)
        elif command == "connections":
            print(server.connections[arguments[0]], flush=True)
        else:
            print(server.active, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
