"""Clients that say exactly what a test wants said."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tests.support.clocks import PATIENCE


@dataclass
class Answer:
    """A whole response. ``headers`` keep their order, with names in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        """The first value of that name."""
        return next((value for key, value in self.headers if key == name), None)

    def values(self, name: str) -> list[str]:
        """All values of that name."""
        return [value for key, value in self.headers if key == name]

    def json(self) -> Any:
        return json.loads(self.body)


def fetch(
    address: tuple[str, int],
    path: str = "/",
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: Any = None,
    timeout: float = PATIENCE,
) -> Answer:
    """One request over http.client, on a connection of its own."""
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        data = response.read()
        return Answer(response.status, [(name.lower(), value) for name, value in response.getheaders()], data)
    finally:
        connection.close()


def exchange(address: tuple[str, int], data: bytes, *, timeout: float = PATIENCE, half_close: bool = False) -> bytes:
    """Send bytes as they are and return everything that comes back until the other side closes."""
    with socket.create_connection(address, timeout=timeout) as connection:
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = bytearray()
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        return bytes(received)


class Wire:
    """A connection on which a test says every byte, and reads responses one part at a time."""

    def __init__(
        self, address: tuple[str, int], *, timeout: float = PATIENCE, receive_buffer: int | None = None
    ) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self._stream = self.socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def get(self, path: str = "/", *fields: str, host: str = "test.example") -> None:
        """Send a GET with these header lines."""
        lines = "".join(f"{line}\r\n" for line in fields)
        self.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode())

    def head(self) -> Answer:
        """The next response's head, interim ones included; the body stays unread."""
        line = self.line()
        headers = []
        while field_line := self.line():
            name, _, value = field_line.partition(b":")
            headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip()))
        return Answer(int(line.split(b" ")[1]), headers)

    def answer(self, method: str = "GET") -> Answer:
        """The next final response, whole."""
        answer = self.head()
        while answer.status < 200:
            answer = self.head()
        if method == "HEAD" or answer.status in (204, 304):
            return answer
        length = answer.header("content-length")
        if answer.header("transfer-encoding"):
            while chunk := self.chunk():
                answer.body += chunk
            while field_line := self.line():
                name, _, value = field_line.partition(b":")
                answer.trailers.append((name.decode().lower(), value.decode().strip()))
        elif length is not None:
            answer.body = self.exactly(int(length))
        else:
            answer.body = self.rest()
        return answer

    def line(self) -> bytes:
        """The next line, without its CRLF."""
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(f"the connection ended after {line!r}")
        return line[:-2]

    def chunk(self) -> bytes:
        """The next chunk, ``b""`` for the last."""
        size = int(self.line(), 16)
        data = self.exactly(size)
        if size:
            assert self.line() == b""
        return data

    def exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise EOFError(f"the connection ended {size - len(data)} bytes early")
        return data

    def rest(self) -> bytes:
        """Everything until the other side closes; a reset ends it too."""
        received = b""
        with suppress(ConnectionResetError):
            while data := self._stream.read(65536):
                received += data
        return received

    def finish_sending(self) -> None:
        """Close the sending direction."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Leave as a process that crashed does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self._stream.close()
        self.socket.close()
