"""Which request header fields need more than being passed on."""

from __future__ import annotations

import enum
from typing import Final

from sentinel_host.grammar import HOP_BY_HOP, is_field_name
from sentinel_host.memo import Memo


class Field(enum.IntEnum):
    """How admission treats a field; zero is the common case, so that the loop tests one thing."""

    KEEP = 0
    DROP = 1
    IDENTITY = 2
    FORWARDED = 3
    ALIAS = 4
    HOST = 5
    CONTENT_LENGTH = 6
    TRANSFER_ENCODING = 7
    CONNECTION = 8
    REQUEST_ID = 9
    COOKIE = 10
    MAX_FORWARDS = 11
    TE = 12
    VOUCHED = 13
    TRACE_PARENT = 14
    TRACE_STATE = 15
    EXPLAIN = 16


# The server itself answers Expect (RFC 9110 section 10.1.1), and Proxy-Authorization was meant for
# us (section 11.7.2).
_DROPPED: Final = HOP_BY_HOP | {b"expect", b"proxy-authorization"}

# What proxies report about the client: only a trusted peer is believed, and upstreams get these
# fields written anew. The second line has other names for what X-Forwarded-Proto says.
_FORWARDED: Final = (
    *("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix"),
    *("x-forwarded-proto", "x-forwarded-protocol", "x-forwarded-scheme", "x-forwarded-ssl", "front-end-https"),
    *("x-forwarded-server", "x-real-ip", "x-scheme", "x-url-scheme"),
)
# Other fields with this prefix, such as X-Forwarded-User, are passed on from trusted peers only.
_VOUCHED: Final = b"x-forwarded-"

# How many names are kept of those that clients choose.
_KEPT: Final = 2048


class FieldTable:
    """Name to `Field`; ``known`` holds the names that were classified already.

    Without ``traced`` the fields of W3C Trace Context are passed on like any other.

    >>> table = FieldTable(["x-principal"])
    >>> table[b"x-principal"], table[b"accept"], table[b"x_principal"]
    (2, 0, 4)
    """

    def __init__(self, identity_headers: list[str], *, traced: bool = False) -> None:
        kinds = {
            **dict.fromkeys(_DROPPED, int(Field.DROP)),
            b"host": int(Field.HOST),
            b"content-length": int(Field.CONTENT_LENGTH),
            b"transfer-encoding": int(Field.TRANSFER_ENCODING),
            b"connection": int(Field.CONNECTION),
            b"x-request-id": int(Field.REQUEST_ID),
            b"cookie": int(Field.COOKIE),
            b"max-forwards": int(Field.MAX_FORWARDS),
            b"te": int(Field.TE),
            b"x-sentinel-explain": int(Field.EXPLAIN),
        }
        if traced:
            kinds[b"traceparent"] = int(Field.TRACE_PARENT)
            kinds[b"tracestate"] = int(Field.TRACE_STATE)
        kinds.update((name.encode(), int(Field.FORWARDED)) for name in _FORWARDED)
        kinds.update((name.encode(), int(Field.IDENTITY)) for name in identity_headers)
        self._memo = Memo(_KEPT + len(kinds), 64, kinds)
        self.known: dict[bytes, int] = self._memo.known

    def __getitem__(self, name: bytes) -> int:
        """The field's kind.

        Raises `ValueError` for a name that is no lower-case token (RFC 9110 section 5.1).
        """
        kind = self.known.get(name)
        if kind is None:
            if not is_field_name(name):
                raise ValueError(f"header name {name[:64]!r} is not a token")
            if b"_" in name or b"." in name:
                kind = int(Field.ALIAS)
            else:
                kind = int(Field.VOUCHED if name.startswith(_VOUCHED) else Field.KEEP)
            self._memo.keep(name, kind)
        return kind
