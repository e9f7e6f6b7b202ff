"""What an upstream that balances by a hash chooses the endpoint by.

A request that lacks the field or cookie goes anywhere: all of them at one endpoint would be too
many.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from random import getrandbits

from sentinel_host.messages import RequestHead

HashKey = Callable[[RequestHead], int]
"""The hash of a request as the upstream gets it: the same in every worker."""


def hash_key(key: str) -> HashKey:
    """The function for ``client-ip``, ``path``, ``header:NAME`` or ``cookie:NAME``."""
    kind, _, name = key.partition(":")
    if kind == "client-ip":
        return _by_client
    if kind == "path":
        return _by_path
    encoded = name.encode("ascii")
    return (lambda head: _by_header(head, encoded)) if kind == "header" else (lambda head: _by_cookie(head, encoded))


def _by_client(head: RequestHead) -> int:
    return zlib.crc32(head.client.encode())


def _by_path(head: RequestHead) -> int:
    return zlib.crc32(head.path.encode())


def _by_header(head: RequestHead, name: bytes) -> int:
    for field, value in head.headers:
        if field == name:
            return zlib.crc32(value)
    return getrandbits(32)


def _by_cookie(head: RequestHead, name: bytes) -> int:
    prefix = name + b"="
    for field, value in head.headers:
        if field == b"cookie":
            for part in value.split(b";"):
                pair = part.strip()
                if pair.startswith(prefix):
                    return zlib.crc32(pair)
    return getrandbits(32)
