"""Which request header fields need more than being passed on.

`FieldNames.sort_request` knows the numbers, too, and what becomes of a name that is not here: it is
no token (RFC 9110 section 5.1), an alias if it has ``_`` or ``.``, vouched for if it begins with
``x-forwarded-``, such as X-Forwarded-User, or kept.
"""

from __future__ import annotations

import enum
from typing import Final

from sentinel_host.fields import FieldNames
from sentinel_host.grammar import HOP_BY_HOP


class Field(enum.IntEnum):
    """How admission treats a field."""

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


def field_names(identity_headers: list[str], *, traced: bool = False) -> FieldNames:
    """The names of the fields that are not kept, with their `Field`.

    Without ``traced`` the fields of W3C Trace Context are passed on like any other.
    """
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
    return FieldNames(kinds)
