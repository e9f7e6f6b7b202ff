"""An upstream that takes bodies: ``python -m tests.bench.sink PORT [BYTES_PER_SECOND]``.

It takes requests that have a Content-Length, and answers each once its body is there. The kernel
discards what is only counted; of a body for a path under /checked, the answer is the SHA-256. With
a rate it only reads, at that rate, whatever comes.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import sys
import threading
import time

from tests.bench.transfer import CHECKED, CHUNK, discard, receive_head

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def serve(port: int) -> None:
    """A thread for each connection: nearly all of its time it spends within the kernel."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection, contextlib.suppress(ConnectionError):
        while True:
            head, begin = receive_head(connection)
            length = _LENGTH.search(head)
            left = (int(length[1]) if length else 0) - len(begin)
            if head.split(b" ", 2)[1].startswith(CHECKED.encode()):
                body = _digest(connection, begin, left)
            else:
                discard(connection, left)
                body = b""
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


def _digest(connection: socket.socket, begin: bytes, left: int) -> bytes:
    digest = hashlib.sha256(begin)
    while left and (data := connection.recv(min(left, CHUNK))):
        left -= len(data)
        digest.update(data)
    return digest.hexdigest().encode()


def read_slowly(port: int, rate: int) -> None:
    """One connection at a time, a twentieth of a second's worth at a time, through the smallest
    buffer.
    """
    with socket.create_server(("127.0.0.1", port)) as listening:
        # An accepted socket inherits it. The kernel would else hold megabytes for a reader that is
        # slow.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        while True:
            connection, _ = listening.accept()
            with connection:
                while connection.recv(rate // 20):
                    time.sleep(0.05)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        read_slowly(int(sys.argv[1]), int(sys.argv[2]))
    else:
        serve(int(sys.argv[1]))
