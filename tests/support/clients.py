"""Clients that say exactly what a test wants said."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any


@dataclass
class Answer:
    """A whole response. ``headers`` keep their order, with names in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of that name."""
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        return json.loads(self.body)


def fetch(
    address: tuple[str, int],
    path: str = "/",
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: Any = None,
    timeout: float = 20,
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


def exchange(address: tuple[str, int], data: bytes, *, timeout: float = 10, half_close: bool = False) -> bytes:
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
