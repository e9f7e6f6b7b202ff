from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from pathlib import Path

# Counters end by themselves; buckets hold a time of the store's clock, which is far above any
# count.
_AGE = """
for _, key in ipairs(redis.call('KEYS', '*')) do
  local value, left = tonumber(redis.call('GET', key)), redis.call('PTTL', key) - tonumber(ARGV[1])
  if value > 1e12 then redis.call('SET', key, string.format('%.17g', value - tonumber(ARGV[1]))) end
  redis.call('PEXPIRE', key, left)
end
"""
_COUNTED = (
    "local sum = 0 for _, key in ipairs(redis.call('KEYS', '*')) do sum = sum + redis.call('GET', key) end return sum"
)


class Server:
    """A Redis or Valkey of the test's own, on a Unix socket, that can go away and come back."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._path = folder / "store.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._path}"

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self._path), "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen([self._program, *options], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if b"eady to accept connections" in line:
                return
        raise AssertionError("the store did not start")

    def stop(self) -> None:
        if self._process is not None:
            with self._process:
                self._process.kill()
            self._process = None

    def ask(self, *words: str) -> bytes:
        """One command by hand, without the client that is tested."""
        with self.connected() as connection:
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.recv(1 << 16)

    def age(self, milliseconds: int) -> None:
        """Make every key as much older, as if the time had passed."""
        script = " ".join(_AGE.split())
        assert self.ask("EVAL", f'"{script}"', "0", str(milliseconds)) == b"$-1\r\n"

    def counted(self) -> int:
        """The sum of all counters."""
        return int(self.ask("EVAL", f'"{_COUNTED}"', "0")[1:])

    def connected(self) -> socket.socket:
        """A connection to it."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self._path))
        return connection


class Front:
    """What stands before a store, at ``host`` and ``port``, over TLS or not: connections made from
    now on lead there.

    After `demote` those that were made before get an error for whatever they ask, as from a server
    that is not the store any more; ``None`` is silence. ``error`` is what later ones get too,
    unless it is empty.
    """

    def __init__(
        self, server: Server, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._server = server
        self._tls = tls
        self._host = host
        self.port = port
        self.accepted = 0
        self.error = b""
        self._eras: list[bytes | None] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Front:
        self._listener = await asyncio.start_server(self._accept, self._host, self.port, ssl=self._tls)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def demote(self, error: bytes | None) -> None:
        """From now on the connections that there are get this error."""
        self._eras.append(error)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.accepted += 1
        try:
            await self._serve(reader, writer)
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        era = len(self._eras)
        behind_reader, behind = await asyncio.open_unix_connection(sock=self._server.connected())
        try:
            while request := await reader.read(1 << 16):
                error = self._eras[era] if len(self._eras) > era else self.error
                if error is None:
                    continue
                if error:
                    writer.write(b"-" + error + b"\r\n")
                    continue
                behind.write(request)
                writer.write(await behind_reader.read(1 << 16))
        except ConnectionError:
            pass
        finally:
            behind.close()
