"""An HTTP/2 client that says exactly which frames it sends: frames from hyperframe, header blocks
from hpack.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import hpack
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.support.clocks import PATIENCE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
Fields = list[tuple[bytes, bytes]]


def request(method: bytes = b"GET", path: bytes = b"/", *more: tuple[bytes, bytes]) -> Fields:
    """The fields of an ordinary request."""
    return [(b":method", method), (b":scheme", b"http"), (b":path", path), (b":authority", b"a.example"), *more]


@dataclass
class Answer:
    """What came on one stream: heads in order (1xx, final, trailers), body, and how it ended."""

    heads: list[dict[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        """The final status; 0 while there is none."""
        return next((int(head[b":status"]) for head in self.heads if head.get(b":status", b"1") >= b"2"), 0)

    @property
    def over(self) -> bool:
        return self.ended or self.reset is not None


class Peer:
    """One connection. ``answers`` grows by what is read; nothing is acknowledged or credited by
    itself but SETTINGS.
    """

    def __init__(self, sock: socket.socket, *, window: int = 1 << 30, settings: dict[int, int] | None = None) -> None:
        self.sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.answers: dict[int, Answer] = {}
        self.goaways: list[GoAwayFrame] = []
        self.pongs = 0
        self.settings: dict[int, int] = {}
        self.credit: dict[int, int] = {}
        self.closed = False
        self._received = b""
        opening = SettingsFrame(settings={SettingsFrame.INITIAL_WINDOW_SIZE: window} | (settings or {}))
        self.send(PREFACE, opening, WindowUpdateFrame(0, window_increment=window) if window > 65535 else b"")

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.sock.close()

    def send(self, *frames: Frame | bytes) -> None:
        """Send frames, or bytes as they are, in one piece."""
        self.sock.sendall(b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in frames))

    def headers(self, stream: int, fields: Fields, *, end: bool = False) -> HeadersFrame:
        """A HEADERS frame; blocks must be sent in the order in which they were made."""
        frame = HeadersFrame(stream, self.encoder.encode(fields), flags=["END_HEADERS"])
        if end:
            frame.flags.add("END_STREAM")
        return frame

    def pieces(self, stream: int, fields: Fields, count: int) -> list[Frame]:
        """The same request in that many HEADERS and CONTINUATION frames."""
        block = self.encoder.encode(fields)
        size = -(-len(block) // count)
        parts = [block[start : start + size] for start in range(0, len(block), size)]
        frames: list[Frame] = [HeadersFrame(stream, parts[0], flags=["END_STREAM"])]
        frames += [ContinuationFrame(stream, part) for part in parts[1:]]
        frames[-1].flags.add("END_HEADERS")
        return frames

    def get(self, stream: int, path: bytes = b"/", *more: tuple[bytes, bytes]) -> Answer:
        """A GET, answered."""
        self.send(self.headers(stream, request(b"GET", path, *more), end=True))
        return self.answer(stream)

    def answer(self, stream: int) -> Answer:
        """What came on a stream, once it is over."""
        self.until(lambda: self.of(stream).over)
        return self.of(stream)

    def of(self, stream: int) -> Answer:
        return self.answers.setdefault(stream, Answer())

    def until(self, condition: Any) -> None:
        """Read until a condition on what was read holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "it never came about"
            assert self.read(), f"closed: {self.goaways}"

    def read(self) -> bool:
        """Read what is there, at least something; false once the server has closed."""
        with contextlib.suppress(ConnectionResetError):
            data = self.sock.recv(1 << 20)
            if data:
                self._received += data
                self._take_frames()
                return True
        self.closed = True
        return False

    def read_to_end(self) -> None:
        """Everything until the server closes."""
        while self.read():
            pass

    def quiet(self, seconds: float = 0.15) -> None:
        """Read for that long; for what must not happen."""
        self.sock.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            while self.read():
                pass
        self.sock.settimeout(PATIENCE)

    def ping(self) -> None:
        """Wait until the server has handled everything that was sent."""
        expected = self.pongs + 1
        self.send(PingFrame(0, b"x" * 8))
        self.until(lambda: self.pongs >= expected)

    def _take_frames(self) -> None:
        while len(self._received) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self._received[:9]))
            if len(self._received) < 9 + length:
                return
            frame.parse_body(memoryview(self._received[9 : 9 + length]))
            self._received = self._received[9 + length :]
            self._take(frame)

    def _take(self, frame: Any) -> None:
        if isinstance(frame, HeadersFrame):
            assert "END_HEADERS" in frame.flags
            fields = self.decoder.decode(frame.data, raw=True)
            answer = self.of(frame.stream_id)
            answer.heads.append({bytes(name): bytes(value) for name, value in fields})
            answer.ended |= "END_STREAM" in frame.flags
        elif isinstance(frame, DataFrame):
            answer = self.of(frame.stream_id)
            answer.body += frame.data
            answer.ended |= "END_STREAM" in frame.flags
        elif isinstance(frame, RstStreamFrame):
            self.of(frame.stream_id).reset = frame.error_code
        elif isinstance(frame, GoAwayFrame):
            self.goaways.append(frame)
        elif isinstance(frame, WindowUpdateFrame):
            self.credit[frame.stream_id] = self.credit.get(frame.stream_id, 0) + frame.window_increment
        elif isinstance(frame, PingFrame):
            self.pongs += 1
        elif isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.settings |= frame.settings
            with contextlib.suppress(OSError):
                self.send(SettingsFrame(flags=["ACK"]))


def data(stream: int, payload: bytes = b"", *, end: bool = False) -> DataFrame:
    """A DATA frame."""
    return DataFrame(stream, payload, flags=["END_STREAM"] if end else [])


def bodies(stream: int, payload: bytes) -> Iterable[DataFrame]:
    """A body in frames of 16 KiB, the last with END_STREAM."""
    for start in range(0, len(payload), 16384):
        yield data(stream, payload[start : start + 16384], end=start + 16384 >= len(payload))
