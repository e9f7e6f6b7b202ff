"""A TLS client as bytes over a plain socket: it can leave as rudely as it likes, and sees how it
was left.
"""

from __future__ import annotations

import contextlib
import socket
import ssl


class RawTls:
    """One connection; ``clean`` is true once the server has sent close_notify.

    ``first`` leaves in one piece with the last of the handshake.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, *, first: bytes = b"") -> None:
        self._socket = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self.clean = False
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self._ssl.do_handshake()
                break
            self._flush()
            data = self._socket.recv(65536)
            assert data, "closed in the handshake"
            self._incoming.write(data)
        self.send(first)

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._socket.sendall(self._outgoing.read())

    def send(self, data: bytes, *, notify: bool = False) -> None:
        """Send, with close_notify in the same segment if asked for."""
        if data:
            self._ssl.write(data)
        if notify:
            with contextlib.suppress(ssl.SSLError):
                self._ssl.unwrap()
        self._flush()

    def receive(self) -> bytes:
        """The next bytes; ``b""`` when the server has ended, cleanly or not."""
        while not self.clean:
            try:
                data = self._ssl.read(65536)
            except ssl.SSLWantReadError:
                with contextlib.suppress(ConnectionResetError):
                    if data := self._socket.recv(65536):
                        self._incoming.write(data)
                        continue
                return b""
            except ssl.SSLZeroReturnError:
                data = b""
            if data:
                return data
            self.clean = True
        return b""

    def rest(self) -> bytes:
        """Everything until the server ends."""
        received = b""
        while data := self.receive():
            received += data
        return received
