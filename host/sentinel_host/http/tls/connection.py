"""One TLS connection: a protocol to the socket's transport, a transport to the application's
protocol.

Rules:
1. The bytes of one read of the socket are decrypted at once and passed on in one piece. Pausing
   pauses the socket. So nothing is kept here, and nothing is lost when the connection ends.
2. The peer's close_notify is the end of its stream: ``eof_received``. A bare FIN is a truncation,
   which any attacker on the path can forge: ``connection_lost`` with an error (RFC 8446 section
   6.1).
3. close_notify ends one direction only (RFC 8446 section 6.1). With TLS 1.2, a peer should answer
   with its own and discard unsent data; peers that do not are served in the same way.
4. Written bytes are encrypted at once. The socket's transport holds them, and its marks give the
   backpressure.
5. The application's protocol gets the connection once the handshake is complete, and never one that
   failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
import threading
from collections.abc import Iterable
from typing import Any, Final

from sentinel_host.http.tls.records import RecordBoundaries

_log = logging.getLogger(__name__)

HANDSHAKE: Final = 0
OPEN: Final = 1
LOST: Final = 2

_READ_SIZE: Final = 256 * 1024
"""Bytes that one read of the socket takes at most; uvloop's own reads take as many."""
_FEED_SIZE: Final = 64 * 1024
"""Ciphertext is decrypted in pieces of this size: a MemoryBIO keeps the most memory that it ever
needed.
"""
_RECORD_SIZE: Final = 16384
"""The most that one record holds (RFC 8446 section 5.1), and one read of OpenSSL returns."""
_WRITE_SIZE: Final = 128 * 1024
"""Plaintext is encrypted in pieces of this size, for the same reason."""
_JOIN_BELOW: Final = 4096
"""To copy pieces up to this size costs less than a record for each."""

_buffers: Final = threading.local()


class TlsConnection:
    """An `asyncio.BufferedProtocol` and an `asyncio.Transport` in all but name: a subclass of those
    is not compiled.

    On a client's side, ``ready`` is done when the handshake is, with the error where it failed.
    """

    __slots__ = (
        "_boundaries",
        "_eof_sent",
        "_error",
        "_handshake_timer",
        "_handshakes",
        "_incoming",
        "_loop",
        "_notified",
        "_outgoing",
        "_protocol",
        "_raw",
        "_server_side",
        "_ssl",
        "_state",
        "_view",
        "ready",
    )

    _raw: Any  # uvloop's transports inherit from none of asyncio's classes
    _protocol: Any  # and our protocols neither
    _view: memoryview

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        protocol: object,
        *,
        server_side: bool = False,
        server_name: str | None = None,
    ) -> None:
        self._loop = loop
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side, server_name)
        self._protocol = protocol
        self._server_side = server_side
        self._boundaries = RecordBoundaries()
        self._state = HANDSHAKE
        self._notified = False
        self._eof_sent = False
        self._error: Exception | None = None
        self._handshake_timer: asyncio.TimerHandle | None = None
        self._handshakes: set[TlsConnection] | None = None
        self._raw = None
        # Reads fill it and are done with it before the loop turns to another connection: one does
        # for all of a thread.
        try:
            self._view = _buffers.view
        except AttributeError:
            self._view = _buffers.view = memoryview(bytearray(_READ_SIZE))
        self.ready: asyncio.Future[None] = loop.create_future()

    # The socket's protocol.

    def connection_made(self, transport: Any) -> None:
        self._raw = transport
        if not self._server_side:
            self._shake_hands()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, size: int) -> None:
        self._received(self._view[:size])

    def data_received(self, data: bytes) -> None:
        """For asyncio's own loop, which asks for the class to inherit from
        `asyncio.BufferedProtocol`.
        """
        self._received(memoryview(data))

    def eof_received(self) -> bool:
        if self._notified:
            return True
        if self._state == HANDSHAKE:
            self._handshake_failed(ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the connection closed"))
        else:
            self._error = ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the connection closed without close_notify")
            self._raw.abort()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._state == HANDSHAKE:
            self._handshake_failed(exc or ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the connection closed"))
        elif self._state == OPEN:
            if isinstance(exc, OSError) and not self._server_side and not self._notified:
                self._salvage()
            self._state = LOST
            self._protocol.connection_lost(self._error or exc)

    def pause_writing(self) -> None:
        if self._state == OPEN:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._state == OPEN:
            self._protocol.resume_writing()

    # The handshake.

    def limit_handshake(self, seconds: float, handshakes: set[TlsConnection]) -> None:
        """Give the handshake so long; while it lasts the connection is one of ``handshakes``."""
        self._handshake_timer = self._loop.call_later(seconds, self._handshake_expired)
        self._handshakes = handshakes
        handshakes.add(self)

    def _shake_hands(self) -> None:
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            self._send()
            return
        except ssl.SSLError as error:
            self._handshake_failed(error)
            return
        self._send()
        self._handshake_over()
        self._state = OPEN
        self._protocol.connection_made(self)
        if not self.ready.done():
            self.ready.set_result(None)

    def _handshake_expired(self) -> None:
        self._handshake_failed(TimeoutError("the TLS handshake took too long"))

    def _handshake_failed(self, error: Exception) -> None:
        if self._state != HANDSHAKE:
            return
        self._state = LOST
        self._handshake_over()
        _log.debug("TLS handshake: %r", error)
        if not self._server_side and not self.ready.done():
            self.ready.set_exception(error)
        self._end_with_alert()

    def _handshake_over(self) -> None:
        if self._handshake_timer is not None:
            self._handshake_timer.cancel()
            self._handshake_timer = None
        if self._handshakes is not None:
            self._handshakes.discard(self)
            self._handshakes = None

    # Reading.

    def _received(self, data: memoryview) -> None:
        if self._notified or self._state == LOST:
            return
        self._boundaries.follow(data)
        if self._state == HANDSHAKE:
            self._incoming.write(data)
            self._shake_hands()
            if self._state != OPEN:
                return
            data = data[:0]
        plain = self._decrypt(data)
        if self._outgoing.pending:
            self._send()
        if plain and not self._raw.is_closing():
            self._protocol.data_received(plain)
        if self._raw.is_closing():
            return
        if self._notified:
            if not self._protocol.eof_received():
                self.close()
        elif self._error is not None:
            self._end_with_alert()

    def _decrypt(self, data: memoryview) -> bytes:
        """What the records that have come whole hold. Sets ``_notified`` behind the last, or
        ``_error``.
        """
        incoming, read = self._incoming, self._ssl.read
        pieces: list[bytes] = []
        size, at = len(data), 0
        try:
            while True:
                if at < size:
                    incoming.write(data[at : at + _FEED_SIZE])
                    at += _FEED_SIZE
                try:
                    while incoming.pending:
                        piece = read(_RECORD_SIZE)
                        if not piece:
                            raise ssl.SSLZeroReturnError
                        pieces.append(piece)
                except ssl.SSLWantReadError:
                    pass
                if at >= size:
                    break
        except ssl.SSLZeroReturnError:
            self._notified = True
        except ssl.SSLError as error:
            self._error = error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def has_no_pending_input(self) -> bool:
        """Whether no byte, and no end, has come that the application's protocol was not told of, as
        far as the socket knows. What TLS sends for itself does not count (a session ticket: RFC
        8446 section 4.6.1). Where something has come it is lost: the connection is then to be
        closed.
        """
        if self._boundaries.inside or self._is_over():
            return False
        try:
            data = memoryview(os.read(self._raw.get_extra_info("socket").fileno(), _FEED_SIZE))
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._boundaries.follow(data)
        plain = self._decrypt(data)
        return bool(data) and not (plain or self._boundaries.inside or self._is_over())

    def _is_over(self) -> bool:
        # A method, because mypy and mypyc assume that an attribute does not change after a test.
        return self._notified or self._error is not None

    def _salvage(self) -> None:
        """Read what the peer said before the connection broke.

        A peer that refuses what it is sent answers and closes. Our next write then fails, and the
        event loop gives the connection up with that answer unread. The socket is still open here,
        and ours. It holds what it had received.
        """
        descriptor = self._raw.get_extra_info("socket").fileno()
        try:
            while not self._is_over() and (data := os.read(descriptor, _READ_SIZE)):
                plain = self._decrypt(memoryview(data))
                if plain:
                    self._protocol.data_received(plain)
        except OSError:
            pass
        if self._notified:
            self._protocol.eof_received()

    def pause_reading(self) -> None:
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        if not self._notified:
            self._raw.resume_reading()

    # Writing.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._encrypt(data)
        self._send()

    def writelines(self, parts: Iterable[bytes | bytearray | memoryview]) -> None:
        small: list[bytes | bytearray | memoryview] = []
        for part in parts:
            if len(part) < _JOIN_BELOW:
                small.append(part)
                continue
            if small:
                self._encrypt(b"".join(small))
                small = []
            self._encrypt(part)
        if small:
            self._encrypt(b"".join(small))
        self._send()

    def _encrypt(self, data: bytes | bytearray | memoryview) -> None:
        if self._eof_sent:
            raise RuntimeError("write() after write_eof()")
        size = len(data)
        if not size or self._raw.is_closing():
            return
        try:
            if size <= _WRITE_SIZE:
                self._ssl.write(data)
                return
            view = memoryview(data)
            for at in range(0, size, _WRITE_SIZE):
                self._ssl.write(view[at : at + _WRITE_SIZE])
                self._send()
        except ssl.SSLError as error:
            self._error = error
            self._raw.abort()

    def _send(self) -> None:
        if self._outgoing.pending and not self._raw.is_closing():
            self._raw.write(self._outgoing.read())

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._eof_sent and not self._raw.is_closing():
            self._notify()
            self._raw.write_eof()

    def _notify(self) -> None:
        """Send close_notify."""
        self._eof_sent = True
        # After sending close_notify, OpenSSL reads until the peer's, and drops other data.
        unread = self._incoming.read()
        # SSLWantReadError: the peer's has not come.
        with contextlib.suppress(ssl.SSLError):
            self._ssl.unwrap()
        if unread:
            self._incoming.write(unread)
        self._send()

    def get_write_buffer_size(self) -> int:
        """Bytes of ciphertext."""
        size: int = self._raw.get_write_buffer_size()
        return size

    # The transport's other duties.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._ssl if name == "ssl_object" else self._raw.get_extra_info(name, default)

    def set_protocol(self, protocol: object) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        closing: bool = self._raw.is_closing()
        return closing

    def close(self) -> None:
        """Send what was written, and close_notify; then close, without waiting for the peer's."""
        if self._raw.is_closing():
            return
        if self._state == OPEN and not self._eof_sent:
            self._notify()
        self._raw.close()

    def abort(self) -> None:
        """Close at once, without close_notify: to the peer, what it got is incomplete."""
        if self._raw is not None:
            self._raw.abort()

    def _end_with_alert(self) -> None:
        """Send an alert (RFC 8446 6.2) and close, without waiting for a peer that does not read."""
        if self._raw.is_closing():
            return
        if self._raw.get_write_buffer_size():
            self._raw.abort()
        else:
            self._send()
            self._raw.close()
