"""One response as bytes: its head, and a body in the framing that fits the request (RFC 9112
section 6).

Rule 1: The head waits for the first body message and leaves with it (ASGI: a server must not send
        the head before). An application that wants it out early sends an empty body with
        ``more_body``.
Rule 2: A body that does not fit its Content-Length is an error of the application, before a byte of
        it is sent.
Rule 3: Messages in, bytes out: no socket, no clock. Messages out of order raise `RuntimeError`.
"""

from __future__ import annotations

from collections.abc import Iterable

from sentinel_host.http.h1.response import encode_fields, encode_head, encode_informational, encode_switch
from sentinel_host.http.h1.states import BY_CHUNKS, BY_LENGTH, NO_BODY, TUNNELLED, UNTIL_CLOSE
from sentinel_host.http.server.phases import BEFORE_HEAD, BODY, DONE, HEAD_HELD, TRAILERS

Fields = Iterable[tuple[bytes, bytes]]


class ResponseFramer:
    """``phase`` is how far the response is, ``framing`` how its body is delimited."""

    __slots__ = (
        "_bodyless",
        "_close",
        "_dated",
        "_framing_field",
        "_head",
        "_http11",
        "_left",
        "_to_head",
        "_trailers_follow",
        "framing",
        "phase",
    )

    def __init__(self, *, to_head: bool, http11: bool) -> None:
        """For the answer to a HEAD request, or another; to a client that speaks HTTP/1.1, or
        1.0.
        """
        self.phase = BEFORE_HEAD
        self.framing = NO_BODY
        self._to_head = to_head
        self._http11 = http11
        self._bodyless = self._close = self._dated = self._trailers_follow = False
        self._head = self._framing_field = b""
        # Bytes of the body that are left; -1 if its length is unknown.
        self._left = -1

    def start(self, status: int, headers: Fields, *, trailers: bool) -> None:
        """Take the head; ``trailers`` says that they follow the body.

        Raises `ValueError` for what may not be written.
        """
        if self.phase != BEFORE_HEAD:
            raise RuntimeError("http.response.start came twice")
        self._head, self._left, self._dated, self._close = encode_head(status, headers)
        self._bodyless = status == 204 or status == 304 or self._to_head
        self._trailers_follow = trailers
        self.phase = HEAD_HELD

    def frame(self, size: int, more: bool) -> bool:
        """Choose the framing by the first piece of the body. Returns whether the connection must
        end with it.
        """
        if not self._bodyless:
            if self._left >= 0:
                self.framing = BY_LENGTH
            elif not more and not self._trailers_follow:
                self.framing = BY_LENGTH
                self._left = size
                self._framing_field = b"\r\ncontent-length: %d" % size
            elif self._http11:
                self.framing = BY_CHUNKS
                self._framing_field = b"\r\ntransfer-encoding: chunked"
            else:
                self.framing = UNTIL_CLOSE
                self._close = True
        if self.framing == BY_LENGTH and (size > self._left or (not more and size < self._left)):
            raise RuntimeError("the body does not fit its content-length")
        return self._close

    def head(self, *, date: bytes, close: bool) -> bytes:
        """The whole head, once framed. ``date`` is a Date field after a line end, for a head that
        has none.
        """
        if close:
            end = b"\r\nconnection: close\r\n\r\n"
        else:
            end = b"\r\n\r\n" if self._http11 else b"\r\nconnection: keep-alive\r\n\r\n"
        # An upstream's response mostly has both fields: the end is all that is missing.
        if self._framing_field:
            end = self._framing_field + end
        if not self._dated:
            end = date + end
        self.phase = BODY
        head, self._head = self._head, b""
        return head + end

    def body(self, data: bytes | memoryview, more: bool) -> tuple[bytes | memoryview, ...]:
        """A piece of the body with its framing, in parts; it is the last one unless ``more``."""
        if self.phase != BODY:
            raise RuntimeError("http.response.body out of order")
        framing = self.framing
        if framing == BY_LENGTH:
            self._left -= len(data)
            if self._left < 0 or (not more and self._left):
                raise RuntimeError("the body does not fit its content-length")
            parts: tuple[bytes | memoryview, ...] = (data,)
        elif framing == BY_CHUNKS:
            end = b"" if more else b"0\r\n" if self._trailers_follow else b"0\r\n\r\n"
            parts = (b"%x\r\n" % len(data), data, b"\r\n", end) if data else (end,)
        else:
            parts = () if framing == NO_BODY else (data,)
        if not more:
            self.phase = TRAILERS if self._trailers_follow else DONE
        return parts

    def relayed(self, size: int) -> None:
        """So many bytes of a body that has a length have gone past here; never its last."""
        self._left -= size

    def trailers(self, headers: Fields, more: bool) -> bytes:
        """Trailer fields, the last unless ``more``; no bytes where the framing has no room for
        them.
        """
        if self.phase != TRAILERS:
            raise RuntimeError("http.response.trailers out of order")
        block = encode_fields(headers)
        if not more:
            self.phase = DONE
        if self.framing != BY_CHUNKS:
            return b""
        return block if more else block + b"\r\n"

    def informational(self, status: int, headers: Fields) -> bytes:
        """A 1xx response; no bytes for HTTP/1.0, which has none."""
        if self.phase != BEFORE_HEAD and self.phase != HEAD_HELD:
            raise RuntimeError("http.response.informational after the final head")
        data = encode_informational(status, headers)
        return data if self._http11 else b""

    def switch(self, protocol: bytes, headers: Fields) -> bytes:
        """The 101 that makes a tunnel of the connection: bytes without framing from here on."""
        data = encode_switch(protocol, headers)
        self.phase = BODY
        self.framing = TUNNELLED
        self._trailers_follow = False
        return data

    def replace(self, data: bytes) -> bytes:
        """Send ``data``, a whole response, in place of the application's, of which nothing was
        sent.
        """
        self.phase = DONE
        return data[: data.index(b"\r\n\r\n") + 4] if self._to_head else data
