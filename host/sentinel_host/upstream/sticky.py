"""Cookies that keep a client on its endpoint.

The value names an endpoint by its key, and is signed: a client can give back what it got, but
cannot choose. It tells nothing of addresses. A value of another gateway, or of an endpoint that is
gone, means nothing; the client gets another.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import Final

Headers = list[tuple[bytes, bytes]]

_KEY_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 16


class StickyCookie:
    """The cookie ``name`` of an upstream; ``max_age`` in seconds, 0: until the browser ends.

    ``secret`` is the same in all workers, and in all gateways that share clients.
    """

    __slots__ = ("_attributes", "_prefix", "_secret", "_upstream", "name")

    def __init__(self, name: str, max_age: int, upstream: str, secret: bytes) -> None:
        self.name = name
        self._prefix = name.encode("ascii") + b"="
        # A hash takes keys of at most 64 bytes.
        self._secret = blake2b(secret, digest_size=32).digest()
        self._upstream = upstream.encode()
        lifetime = f"; Max-Age={max_age}" if max_age else ""
        self._attributes = f"; Path=/{lifetime}; HttpOnly; SameSite=Lax".encode("ascii")

    def read(self, headers: Headers) -> int | None:
        """The key of the endpoint that a request's cookie names, if the cookie is one of ours."""
        for name, value in headers:
            if name == b"cookie":
                for part in value.split(b";"):
                    pair = part.strip()
                    if pair.startswith(self._prefix):
                        return self._decode(pair[len(self._prefix) :])
        return None

    def field(self, key: int, *, secure: bool) -> tuple[bytes, bytes]:
        """The response's field that keeps a client on an endpoint; ``secure`` where it came over
        TLS.
        """
        raw = key.to_bytes(_KEY_BYTES, "little")
        value = urlsafe_b64encode(raw + self._sign(raw)).rstrip(b"=")
        return b"set-cookie", self._prefix + value + self._attributes + (b"; Secure" if secure else b"")

    def _decode(self, value: bytes) -> int | None:
        try:
            data = urlsafe_b64decode(value + b"=" * (-len(value) % 4))
        except ValueError:
            return None
        raw, signature = data[:_KEY_BYTES], data[_KEY_BYTES:]
        if not hmac.compare_digest(signature, self._sign(raw)):
            return None
        return int.from_bytes(raw, "little")

    def _sign(self, raw: bytes) -> bytes:
        return blake2b(self._upstream + b"\0" + raw, key=self._secret, digest_size=_SIGNATURE_BYTES).digest()
