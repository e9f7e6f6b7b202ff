"""Clients that send or read slowly are closed at their deadlines, and nobody else notices."""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections.abc import Callable

import pytest

from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess
from tests.support.upstreams import Received, Upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"

[server.limits]
head_time = "1s"
body_idle = "1s"
write_stalled = "1s"
keep_alive_idle = "1s"

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"
"""
FIN_WAIT_1 = "04"
CONNECTIONS = 200
READERS = 50
# For each reader: the server's and the upstream connection's buffer, and a read of the event loop's
# of 256 KiB.
IN_FLIGHT = READERS * (640 << 10)


def test_heads_that_come_slowly(gateway: GatewayProcess, origin: Upstream) -> None:
    before = gateway.metric('sentinel_limits_hit_total{limit="head_time"}')
    answers = hold(gateway, b"GET / HTTP/1.1\r\nHost: a\r\n", b"x")
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
    assert origin.requests == []
    assert gateway.metric('sentinel_limits_hit_total{limit="head_time"}') == before + CONNECTIONS


def test_connections_that_say_nothing(gateway: GatewayProcess, origin: Upstream) -> None:
    assert not any(hold(gateway, b"", b""))


def test_kept_connections_that_say_nothing_more(gateway: GatewayProcess, origin: Upstream) -> None:
    answers = hold(gateway, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"")
    assert all(answer.endswith(b"hello") for answer in answers)


@pytest.mark.parametrize("framing", [b"Content-Length: 100000", b"Transfer-Encoding: chunked"])
def test_bodies_that_come_slowly(gateway: GatewayProcess, origin: Upstream, framing: bytes) -> None:
    before = gateway.metric('sentinel_limits_hit_total{limit="body_idle"}')
    drop = b"1\r\nx\r\n" if b"chunked" in framing else b"x"
    answers = hold(gateway, b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % framing, drop)
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
    assert gateway.metric('sentinel_limits_hit_total{limit="body_idle"}') == before + CONNECTIONS


def test_clients_that_do_not_read(gateway: GatewayProcess, origin: Upstream) -> None:
    """Each cancelled request used to stay in memory with what it had in flight, until Python's
    collector came by; and the kernel kept for minutes what nobody read, for the connection was
    closed without a reset.
    """

    async def large(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (16 << 20))
        for _ in range(16):
            writer.write(bytes(1 << 20))
            await writer.drain()

    origin.handler = large
    memory = []
    for attempt in range(1, 6):
        clients = [connect(gateway, 4096) for _ in range(READERS)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        gateway.wait_for_metric('sentinel_limits_hit_total{limit="write_stalled"}', attempt * READERS)
        end = time.monotonic() + PATIENCE
        while left_to_kernel(gateway):
            assert time.monotonic() < end, "the kernel keeps what nobody reads"
            time.sleep(0.01)
        for client in clients:
            client.close()
        memory.append(gateway.memory())
    # The first rounds make the allocator's arenas, and one may come later; three rounds would add
    # three times as much.
    assert memory[-1] < memory[1] + IN_FLIGHT, memory


def left_to_kernel(gateway: GatewayProcess) -> int:
    """How many sockets the kernel still has that the gateway has closed, and whose clients have
    not.
    """
    port = f":{gateway.public[1]:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table]
    return sum(row[1].endswith(port) and row[3] == FIN_WAIT_1 for row in rows)


def hold(gateway: GatewayProcess, first: bytes, drop: bytes) -> list[bytes]:
    """Open many connections, send ``first`` on each, then drops until it is closed; what each was
    told.
    """
    start = time.monotonic()
    answers: dict[socket.socket, bytes] = {}
    closed = []
    for _ in range(CONNECTIONS):
        client = connect(gateway)
        client.sendall(first)
        answers[client] = b""
    next_drop = 0.0
    while answers:
        assert time.monotonic() < start + PATIENCE, f"{len(answers)} connections are still open"
        if time.monotonic() >= next_drop:
            next_drop = time.monotonic() + 0.2
            for client in answers:
                attempt(lambda client=client: client.send(drop))  # type: ignore[misc]
        readable, _, _ = select.select(list(answers), [], [], 0.05)
        for client in readable:
            data = attempt(lambda client=client: client.recv(65536))  # type: ignore[misc]
            if data:
                answers[client] += data
            else:
                closed.append(answers.pop(client))
                client.close()
    return closed


def attempt(action: Callable[[], bytes | int]) -> bytes:
    try:
        result = action()
    except ConnectionError:
        return b""
    return result if isinstance(result, bytes) else b""


def connect(gateway: GatewayProcess, receive_buffer: int | None = None) -> socket.socket:
    client = socket.socket()
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.connect(gateway.public)
    return client
