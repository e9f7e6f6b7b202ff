"""Load over HTTP/3: ``python -m tests.bench.http3_client PORT REQUESTS CONNECTIONS STREAMS``.

A client of aioquic. Prints the seconds that the requests took, handshakes left out. Ends with 1 when
an answer is not a 200.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import AsyncExitStack
from time import perf_counter
from typing import Any, cast

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent, StreamReset

_FIELDS = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/"), (b"x-api-key", b"demo-key")]


class Client(QuicConnectionProtocol):
    """Keeps so many requests under way until its share has been answered."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._h3 = H3Connection(self._quic)
        self._fields: list[tuple[bytes, bytes]] = []
        self._left = 0
        self._open: set[int] = set()
        self._done: asyncio.Future[None] = self._loop.create_future()

    async def ask(self, authority: bytes, requests: int, streams: int) -> None:
        """Raises `ValueError` when an answer is not a 200."""
        self._fields = [*_FIELDS, (b":authority", authority)]
        self._fields.sort(key=lambda field: not field[0].startswith(b":"))
        self._left = requests
        self._begin(streams)
        await self._done

    def _begin(self, most: int) -> None:
        for _ in range(min(most, self._left)):
            stream = self._quic.get_next_available_stream_id()
            self._h3.send_headers(stream, self._fields, end_stream=True)
            self._open.add(stream)
            self._left -= 1
        self.transmit()

    def quic_event_received(self, event: QuicEvent) -> None:
        """Part of `QuicConnectionProtocol`."""
        if isinstance(event, StreamReset):
            self._fail(f"stream {event.stream_id} was reset with {event.error_code}")
        ended = 0
        for message in self._h3.handle_event(event):
            if isinstance(message, HeadersReceived) and dict(message.headers)[b":status"] != b"200":
                self._fail(f"{message.headers}")
            if getattr(message, "stream_ended", False):
                self._open.discard(cast(Any, message).stream_id)
                ended += 1
        if ended:
            self._begin(ended)
            if not self._open and not self._done.done():
                self._done.set_result(None)

    def _fail(self, reason: str) -> None:
        if not self._done.done():
            self._done.set_exception(ValueError(reason))


async def main(port: int, requests: int, connections: int, streams: int) -> float:
    """Seconds for so many requests."""
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE)
    authority = f"127.0.0.1:{port}".encode()
    async with AsyncExitStack() as stack:
        clients = [
            cast(
                Client,
                await stack.enter_async_context(
                    connect("127.0.0.1", port, configuration=configuration, create_protocol=Client)
                ),
            )
            for _ in range(connections)
        ]
        began = perf_counter()
        await asyncio.gather(*(client.ask(authority, requests // connections, streams) for client in clients))
        return perf_counter() - began


if __name__ == "__main__":
    print(asyncio.run(main(*map(int, sys.argv[1:]))))
