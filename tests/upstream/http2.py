"""Upstreams that say exactly which HTTP/2 frames they send: frames from hyperframe, header blocks
from hpack.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import hpack
from hyperframe.frame import DataFrame, Frame, HeadersFrame, SettingsFrame, WindowUpdateFrame

from sentinel_host.http.client import Target
from sentinel_host.http.client.h2_pool import Http2Pool
from tests.upstream.support import PATIENT, Peer, Script, Upstream

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
Fields = list[tuple[bytes, bytes]]
OK: Fields = [(b":status", b"200")]


@dataclass
class Asked:
    """A request's head, as it came."""

    stream: int
    fields: dict[bytes, bytes]
    ended: bool


class Http2Peer:
    """The upstream's side of one connection. SETTINGS and PING are answered unless a test reads
    frames by itself.
    """

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.number = peer.number
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.settings: dict[int, int] = {}

    async def begin(self, settings: dict[int, int] | None = None, *, window: int = 0) -> None:
        """Exchange prefaces."""
        assert await self.peer.exactly(len(PREFACE)) == PREFACE
        frames: list[Frame] = [SettingsFrame(settings=settings or {})]
        if window:
            frames.append(WindowUpdateFrame(0, window_increment=window))
        await self.send(*frames)

    async def send(self, *frames: Frame | bytes) -> None:
        """Frames, or bytes as they are, in one piece."""
        await self.peer.send(b"".join(each if isinstance(each, bytes) else each.serialize() for each in frames))

    async def frame(self) -> Any:
        """The next frame, whatever it is."""
        head = await self.peer.exactly(9)
        frame, length = Frame.parse_frame_header(memoryview(head))
        frame.parse_body(memoryview(await self.peer.exactly(length)))
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.settings |= frame.settings
            await self.send(SettingsFrame(flags=["ACK"]))
        return frame

    async def next(self, kind: type[Frame], stream: int | None = None) -> Any:
        """The next frame of a kind; others are passed over."""
        while True:
            frame = await self.frame()
            if isinstance(frame, kind) and stream in (None, frame.stream_id):
                return frame

    async def request(self) -> Asked:
        """The head of the next request."""
        frame = await self.next(HeadersFrame)
        fields = {bytes(name): bytes(value) for name, value in self.decoder.decode(frame.data, raw=True)}
        return Asked(frame.stream_id, fields, "END_STREAM" in frame.flags)

    async def body(self, stream: int) -> bytes:
        """The rest of a request's body; every piece is given back at once."""
        received = b""
        while True:
            frame = await self.next(DataFrame, stream)
            received += frame.data
            if frame.data:
                size = len(frame.data)
                await self.send(WindowUpdateFrame(0, window_increment=size))
            if "END_STREAM" in frame.flags:
                return received
            if frame.data:
                await self.send(WindowUpdateFrame(stream, window_increment=len(frame.data)))

    def headers(self, stream: int, fields: Fields, *, end: bool = False) -> HeadersFrame:
        """A HEADERS frame; blocks must be sent in the order in which they were made."""
        frame = HeadersFrame(stream, self.encoder.encode(fields), flags=["END_HEADERS"])
        if end:
            frame.flags.add("END_STREAM")
        return frame

    async def answer(self, stream: int, body: bytes = b"ok") -> None:
        """200, with a body."""
        await self.send(self.headers(stream, OK), data(stream, body, end=True))

    async def closed(self) -> None:
        """Wait until the client has closed."""
        await self.peer.closed()


def data(stream: int, payload: bytes = b"", *, end: bool = False) -> DataFrame:
    """A DATA frame."""
    return DataFrame(stream, payload, flags=["END_STREAM"] if end else [])


Http2Script = Callable[[Http2Peer], Awaitable[None]]


def speaking(script: Http2Script) -> Script:
    """A script for `Upstream`."""

    async def run(peer: Peer) -> None:
        await script(Http2Peer(peer))

    return run


async def serve(peer: Http2Peer) -> None:
    """Answer every request at once."""
    await peer.begin()
    while True:
        asked = await peer.request()
        if not asked.ended:
            await peer.body(asked.stream)
        await peer.answer(asked.stream)


def pool(upstream: Upstream, **options: Any) -> Http2Pool:
    options.setdefault("timeouts", PATIENT)
    return Http2Pool(Target.parse(f"http://127.0.0.1:{upstream.port}"), **options)


async def settle() -> None:
    """Let the other tasks of the loop go on until they all wait."""
    for _ in range(10):
        await asyncio.sleep(0)
