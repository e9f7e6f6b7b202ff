"""A client of HTTP/3 from aioquic: requests of one connection, whole or piece by piece."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StopSendingReceived, StreamReset
from cryptography import x509

from tests.support.clocks import PATIENCE

Fields = list[tuple[bytes, bytes]]


@dataclass
class Answer:
    """What came on one stream: heads in order (1xx, final, trailers), body, and how it ended."""

    heads: list[dict[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None
    stopped: int | None = None

    @property
    def status(self) -> int:
        """The final status; 0 while there is none."""
        return next((int(head[b":status"]) for head in self.heads if head.get(b":status", b"1") >= b"2"), 0)


class Client(QuicConnectionProtocol):
    """``answers`` by stream; ``terminated`` once the connection is over, with the code that the
    server gave.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.h3 = H3Connection(self._quic)
        self.answers: dict[int, Answer] = {}
        self.terminated: int | None = None
        self._changed = asyncio.Event()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated):
            self.terminated = event.error_code
        elif isinstance(event, StreamReset):
            self.of(event.stream_id).reset = event.error_code
        elif isinstance(event, StopSendingReceived):
            self.of(event.stream_id).stopped = event.error_code
        for message in self.h3.handle_event(event):
            if isinstance(message, HeadersReceived):
                answer = self.of(message.stream_id)
                answer.heads.append(dict(message.headers))
                answer.ended |= message.stream_ended
            elif isinstance(message, DataReceived):
                answer = self.of(message.stream_id)
                answer.body += message.data
                answer.ended |= message.stream_ended
        self._changed.set()

    def of(self, stream: int) -> Answer:
        return self.answers.setdefault(stream, Answer())

    @property
    def certificate(self) -> x509.Certificate:
        """What the server has shown."""
        shown = self._quic.tls._peer_certificate
        assert shown is not None
        return shown

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until a condition on what came holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def begin(
        self,
        method: bytes = b"GET",
        path: bytes = b"/",
        *more: tuple[bytes, bytes],
        end: bool = True,
        host: bytes = b"a.example",
    ) -> int:
        """Send a request's head; returns its stream."""
        stream = self._quic.get_next_available_stream_id()
        pseudo = [(b":method", method), (b":scheme", b"https"), (b":authority", host), (b":path", path)]
        self.h3.send_headers(stream, [*pseudo, *more], end)
        self.transmit()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        self.h3.send_data(stream, data, end)
        self.transmit()

    def sent(self, stream: int) -> int:
        """How many bytes of a stream went out at least once."""
        return self._quic._streams[stream].sender.highest_offset

    def reset(self, stream: int) -> None:
        """Give a request up."""
        self._quic.reset_stream(stream, 0x10C)
        self._quic.stop_stream(stream, 0x10C)
        self.transmit()

    async def answer(self, stream: int) -> Answer:
        """What came on a stream, once it is over."""
        await self.until(lambda: self.of(stream).ended or self.of(stream).reset is not None)
        return self.of(stream)

    async def get(self, path: bytes = b"/", *more: tuple[bytes, bytes]) -> Answer:
        return await self.answer(self.begin(b"GET", path, *more))


@asynccontextmanager
async def connected(
    address: tuple[str, int], authority: Path | None = None, *, first_id: bytes = b"", name: str | None = None
) -> AsyncIterator[Client]:
    """A connection; without an authority's certificate the server's may be any. ``first_id`` is the
    server's connection id until it has told its own; by default it is random. ``name`` is the
    server that is asked for (SNI); by default, as it is an address, none is.
    """
    verify = ssl.CERT_NONE if authority is None else ssl.CERT_REQUIRED
    cafile = None if authority is None else str(authority)
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, verify_mode=verify, cafile=cafile, server_name=name
    )

    def make(quic: QuicConnection, stream_handler: Any = None) -> Client:
        if first_id:
            quic._peer_cid.cid = quic._original_destination_connection_id = first_id
        return Client(quic, stream_handler)

    async with (
        asyncio.timeout(3 * PATIENCE),
        connect(*address, configuration=configuration, create_protocol=make) as client,
    ):
        yield cast(Client, client)
