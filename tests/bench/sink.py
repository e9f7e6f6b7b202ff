"""An upstream that takes bodies: ``python -m tests.bench.sink PORT [BYTES_PER_SECOND]``.

It counts a Content-Length body and answers once that is there. With a rate it only reads, at that
rate, whatever comes.
"""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import time
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Sink(asyncio.BufferedProtocol):
    """Reads into one buffer that is never looked at once the head is over."""

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(1 << 18))
        self._head = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._left:
            self._left -= nbytes
        else:
            self._head += bytes(self._buffer[:nbytes])
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            length = _LENGTH.search(head)
            self._left = (int(length[1]) if length else 0) - len(body)
            self._head = b""
        if not self._left:
            self._transport.write(_ANSWER)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


def read_slowly(port: int, rate: int) -> None:
    """One connection at a time, a twentieth of a second's worth at a time, through the smallest
    buffer.
    """
    with socket.create_server(("127.0.0.1", port)) as listening:
        # An accepted socket inherits it. The kernel would else hold megabytes for a reader that is
        # slow.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        while True:
            connection, _ = listening.accept()
            with connection:
                while connection.recv(rate // 20):
                    time.sleep(0.05)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        read_slowly(int(sys.argv[1]), int(sys.argv[2]))
    else:
        uvloop.run(serve(int(sys.argv[1])))
