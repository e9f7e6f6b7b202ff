"""What tests of bodies have in common."""

from __future__ import annotations

import asyncio
import threading
from asyncio import StreamReader, StreamWriter

from tests.support.clients import Wire
from tests.support.clocks import PATIENCE, wait_until
from tests.support.gateways import GatewayProcess
from tests.support.upstreams import Handler, Received, Upstream


def post(gateway: GatewayProcess, path: str, *chunks: bytes, trailer: str = "") -> Wire:
    """Send a whole chunked request; the gateway may read several chunks at once."""
    wire = Wire(gateway.public)
    wire.send(f"POST {path} HTTP/1.1\r\nHost: test.example\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    for chunk in chunks:
        wire.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
    wire.send(f"0\r\n{trailer}\r\n".encode())
    return wire


def begin(gateway: GatewayProcess, path: str, first: bytes, length: int, *fields: str) -> Wire:
    """Send a request's head, with these header lines, and the first piece of its body."""
    wire = Wire(gateway.public)
    lines = "".join(f"{line}\r\n" for line in ("Host: test.example", f"Content-Length: {length}", *fields))
    wire.send(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + first)
    return wire


def wait_for_bodies(origin: Upstream, *bodies: bytes) -> None:
    """Wait until an upstream has got these, of requests that have not ended. A piece may come after
    its head, and a connection that is broken off takes along what was not read yet.
    """
    wait_until(lambda: [request.body for request in origin.requests] == list(bodies), "first pieces")


def seen(gateway: GatewayProcess, guest: str) -> list[tuple[str, str]]:
    """The chunks that a guest has logged, as ``(level, chunk)``: ``info`` for the last, no
    other.
    """
    # What the host says of a guest names its logger.
    return [(line["level"], line["message"]) for line in gateway.guest_lines(guest) if "logger" not in line]


def in_two_steps(first: bytes, second: bytes) -> tuple[threading.Event, Handler]:
    """An upstream's handler, and what to set for it to write the second piece."""
    go_on = threading.Event()

    async def handler(received: Received, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(first)
        await writer.drain()
        await asyncio.to_thread(go_on.wait, PATIENCE)
        writer.write(second)

    return go_on, handler
