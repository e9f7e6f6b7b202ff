"""The URL of the store that machines share their limits through."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, parse_qsl, urlsplit

from sentinel_host.grammar import is_host_name

_DATABASE = re.compile(r"/?|/[0-9]{1,9}", re.ASCII).fullmatch
_ESCAPE = "in a user name or password, '/' is written %2F, '?' %3F, '#' %23 and '@' %40"


def store_fault(url: str) -> str | None:
    """Why a URL is none of a store, or None. The reason repeats nothing of the URL, which may hold
    a password.

    redis-py reads many a URL as another than was meant: what stands behind a ``#`` is dropped, and
    so is a path that is no number.
    """
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return "expected redis://, rediss:// or unix://"
    if any(character <= " " or character == "\x7f" for character in url):
        return "a space or control character must be written as % and two digits"
    if "#" in url:
        return f"a '#' must be written %23: {_ESCAPE}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"its host or port is malformed: {_ESCAPE}"
    return _place_fault(parts, port) or _options_fault(url, parts.query)


def _place_fault(parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme == "unix":
        if parts.hostname or port is not None or not parts.path.startswith("/"):
            return "expected the path of a socket, such as unix:///run/redis.sock"
        return None
    if port == 0 or (port is None and parts.netloc.endswith(":")):
        return f"its host or port is malformed: {_ESCAPE}"
    if parts.hostname is not None and not _is_host(parts.hostname):
        return f"its host or port is malformed: {_ESCAPE}"
    if not _DATABASE(parts.path):
        return f"its path must be the number of a database: {_ESCAPE}"
    return None


def _options_fault(url: str, query: str) -> str | None:
    if not query:
        return None
    # Loaded for those who use it only.
    from redis.asyncio.connection import ConnectionPool
    from redis.exceptions import RedisError

    try:
        parse_qsl(query, strict_parsing=True)
        ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call]
    except (TypeError, ValueError, RedisError):
        return f"an option in its query is unknown, or has a value that it cannot have: {_ESCAPE}"
    return None


def _is_host(host: str) -> bool:
    if ":" not in host:
        return is_host_name(host) is not None
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True
