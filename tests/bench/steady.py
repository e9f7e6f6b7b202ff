"""A steady stream of idempotent requests that notices what becomes of each.

Open loop: requests begin at their time whether or not earlier ones have ended, over kept
connections from many client addresses, so that a server cannot take all of them for one client.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

PATIENCE = 10.0
"""Seconds after which a request has failed."""
_CLIENTS = 40
_REQUEST = b"GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Outcome:
    """When a request began, in seconds of the loop's clock, how long it took, and which endpoint
    answered, if any.
    """

    began: float
    took: float
    endpoint: str


class Steady:
    """``rate`` requests a second to a port, between `start` and `stop`; what became of them is in
    ``outcomes``.
    """

    def __init__(self, port: int, rate: int) -> None:
        self.outcomes: list[Outcome] = []
        self._port = port
        self._rate = rate
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._requests: set[asyncio.Task[None]] = set()
        self._number = 0
        self._pacer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send."""
        self._pacer = asyncio.get_running_loop().create_task(self._send())

    async def stop(self) -> None:
        """Send no more, and wait for what is under way."""
        assert self._pacer is not None
        self._pacer.cancel()
        await asyncio.wait([self._pacer])
        if self._requests:
            await asyncio.wait(self._requests)
        for _, writer in self._idle:
            writer.close()

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += 1 / self._rate
            request = loop.create_task(self._request())
            self._requests.add(request)
            request.add_done_callback(self._requests.discard)
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _request(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        endpoint = ""
        try:
            async with asyncio.timeout(PATIENCE):
                endpoint = await self._ask()
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            pass
        self.outcomes.append(Outcome(began, loop.time() - began, endpoint))

    async def _ask(self) -> str:
        """The endpoint of a good answer; empty for a bad one."""
        reader, writer = self._idle.pop() if self._idle else await self._connect()
        try:
            writer.write(_REQUEST)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
        except BaseException:
            writer.transport.abort()
            raise
        if b"connection: close" in head:
            writer.close()
        else:
            self._idle.append((reader, writer))
        good = head.startswith(b"http/1.1 200 ")
        return head.partition(b"x-endpoint:")[2].split(b"\r\n", 1)[0].strip().decode() if good else ""

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._number += 1
        address = f"127.0.1.{1 + self._number % _CLIENTS}"
        return await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0))
