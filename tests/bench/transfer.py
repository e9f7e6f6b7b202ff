"""A client for large bodies that costs little, so that what is between it and the upstream bounds
the rate.

An upload is a file that the kernel sends (sendfile). A download is discarded in the kernel: with
MSG_TRUNC, TCP counts bytes and copies none (tcp(7)). So nobody has looked at the bytes: `checked`
transfers are read, and compared by their SHA-256.
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import time
from pathlib import Path

from tests.bench.processes import BenchError, Server

CHUNK = 1 << 20
CHECKED = "/checked"
"""Where a path begins of which the sink answers the digest."""
_WAKE_FOR = 1 << 19
"""Bytes of a download for which its client is woken, which costs its core more than to count them."""
_PATIENCE = struct.pack("ll", 60, 0)
"""As ``struct timeval``: a transfer that stands still for so long has failed."""


def receive_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """A message's head, and what has come of its body. Raises `ConnectionError` if none comes."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError(f"the connection ended amid a head: {data!r}")
        data += more
    head, _, begin = data.partition(b"\r\n\r\n")
    return head, begin


def discard(connection: socket.socket, size: int) -> int:
    """Receive so many bytes, or fewer if the connection ends; how many came."""
    buffer = bytearray(CHUNK)
    left = size
    while left and (count := connection.recv_into(buffer, min(left, CHUNK), socket.MSG_TRUNC)):
        left -= count
    return size - left


def download(target: Server, path: str, size: int) -> float:
    """The seconds that it takes to download ``size`` bytes.

    Raises `BenchError` unless that is what comes.
    """
    begin = time.perf_counter()
    with _request(target, "GET", path) as connection:
        head, body = receive_head(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, _WAKE_FOR)
        received = len(body) + discard(connection, size - len(body))
        taken = time.perf_counter() - begin
        _check(target, head, received == size and not connection.recv(1), f"{received} of {size} bytes")
    return taken


def upload(target: Server, file: Path) -> float:
    """The seconds until a file has been uploaded and that is answered.

    Raises `BenchError` unless all is well.
    """
    begin = time.perf_counter()
    with _upload(target, "/", file) as connection:
        head, _ = receive_head(connection)
        taken = time.perf_counter() - begin
        _check(target, head, True, "")
    return taken


def check_download(target: Server, file: Path) -> None:
    """Download the file by its name. Raises `BenchError` where other bytes come."""
    with _request(target, "GET", f"/{file.name}") as connection:
        head, body = receive_head(connection)
        digest = hashlib.sha256(body)
        while data := connection.recv(CHUNK):
            digest.update(data)
        _check(target, head, digest.digest() == hashlib.sha256(file.read_bytes()).digest(), "other bytes came")


def check_upload(target: Server, file: Path) -> None:
    """Upload the file to a `sink`. Raises `BenchError` where that has got other bytes."""
    with _upload(target, CHECKED, file) as connection:
        head, said = receive_head(connection)
        while data := connection.recv(CHUNK):
            said += data
        _check(target, head, said.decode() == hashlib.sha256(file.read_bytes()).hexdigest(), "other bytes arrived")


def _upload(target: Server, path: str, file: Path) -> socket.socket:
    size = file.stat().st_size
    connection = _request(target, "PUT", path, f"Content-Length: {size}\r\n")
    with file.open("rb") as source:
        sent = 0
        while sent < size:
            sent += os.sendfile(connection.fileno(), source.fileno(), sent, CHUNK)
    return connection


def _request(target: Server, method: str, path: str, fields: str = "") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", target.port))
    # Python's own time-outs would make each call wait in two system calls.
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, option, _PATIENCE)
    connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n{fields}\r\n".encode())
    return connection


def _check(target: Server, head: bytes, is_right: bool, otherwise: str) -> None:
    if head.split(b" ", 2)[1] != b"200" or not is_right:
        raise BenchError(f"{target.name}: {head!r} {otherwise}\n{target.log()}")
