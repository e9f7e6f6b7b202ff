from __future__ import annotations

import asyncio
import socket

from sentinel_host.http.batch import WriteBatch
from sentinel_host.http.client import Target, Timeouts, UpstreamRequest
from sentinel_host.http.client.connection import ClientConnection
from sentinel_host.http.client.response import BUFFER_LIMIT


class Transport:
    """Takes what it is given, and tells what it was asked to do."""

    def __init__(self, sock):
        self.socket = sock
        self.paused = self.resumed = 0

    def get_extra_info(self, name):
        return self.socket if name == "socket" else None

    def write(self, data):
        pass

    def pause_reading(self):
        self.paused += 1

    def resume_reading(self):
        self.resumed += 1

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return False


class Owner:
    """Keeps what it is told."""

    def __init__(self):
        self.idle, self.closed, self.failures = [], [], []

    def on_idle(self, connection):
        self.idle.append(connection)

    def on_closed(self, connection):
        self.closed.append(connection)

    def on_failure(self, error):
        self.failures.append(error)


def run(test, length):
    """Call ``test`` with a response whose head says ``length``, its connection and that one's transport."""

    async def main():
        ours, theirs = socket.socketpair()
        with ours, theirs:
            transport = Transport(ours)
            loop = asyncio.get_running_loop()
            connection = ClientConnection(Owner(), Target.parse("http://a"), Timeouts(), 65536, WriteBatch(), loop)
            connection.connection_made(transport)
            response = connection.start(UpstreamRequest(b"GET", b"/", [], b"a"), b"")
            connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
            await response.head
            await test(response, connection, transport)

    asyncio.run(main())


def test_one_read_answers_a_complete_body():
    """Whoever sees ``complete`` sends one last piece: pieces left behind would cut the body short."""

    async def test(response, connection, transport):
        for _ in range(3):
            connection.data_received(bytes(BUFFER_LIMIT))
        assert response.complete
        assert len(await response.read()) == 3 * BUFFER_LIMIT == response.bytes_received
        assert await response.read() == b""

    run(test, 3 * BUFFER_LIMIT)


def test_reading_resumes_once_little_is_left():
    async def test(response, connection, transport):
        for size in (BUFFER_LIMIT, 10, 10):
            connection.data_received(bytes(size))
        assert (transport.paused, transport.resumed) == (1, 0)
        assert len(await response.read()) == BUFFER_LIMIT
        assert (transport.paused, transport.resumed) == (1, 1)
        assert len(await response.read()) == 20
        assert response.buffered == 0
        connection.data_received(b"x")

    run(test, BUFFER_LIMIT + 21)


def test_a_piece_is_passed_on_itself():
    async def test(response, connection, transport):
        piece = bytes(1000)
        connection.data_received(piece)
        assert await response.read() is piece

    run(test, 1000)
