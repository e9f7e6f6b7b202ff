"""A request's target: its path, query and scheme (RFC 9112 section 3.2)."""

from __future__ import annotations

from typing import Any, Final

from sentinel_host.errors import ClientError
from sentinel_host.grammar import without_empty_port
from sentinel_host.paths import PathError, PathRule, is_query

EMPTY_QUERY: Final = "sentinel.empty_query"
"""The scope extension of a target that ended in ``?``, which ASGI's ``query_string`` cannot tell
from one without.
"""

TARGET_SCHEME: Final = "sentinel.target_scheme"
"""The scope extension of an HTTP/2 or HTTP/3 request whose ``:scheme``, its ``scheme``, is not the
connection's.
"""


def scheme_of(target: bytes, connections: str, stated: str, trusted: bool, extensions: dict[str, Any]) -> str:
    """The request's scheme: its target's if it has one, else what a trusted peer ``stated``, else
    the connection's.

    Raises `ClientError`.
    """
    if TARGET_SCHEME in extensions:
        return _checked_scheme(extensions[TARGET_SCHEME]["scheme"], connections, stated, trusted)
    if not target.startswith(b"/"):
        return _checked_scheme(_scheme_in(target), connections, stated, trusted)
    return stated or connections


def path_of(target: bytes, method: str, host: bytes, query: str | None, paths: PathRule) -> str:
    """The canonical path, or ``*`` for a request that asks about the server. Raises
    `ClientError`.
    """
    if not target.startswith(b"/"):
        asks_server = method == "OPTIONS" and query is None
        if target == b"*" and asks_server:
            return "*"
        target = _absolute(target, host)
        if not target:
            # RFC 9112 section 3.2.4: without a path it asks about the server, by whichever form.
            if asks_server:
                return "*"
            target = b"/"
    try:
        return paths.canonical(target.decode("ascii"))
    except UnicodeDecodeError:
        raise ClientError("path holds a character that is not ASCII") from None
    except PathError as error:
        raise ClientError(str(error)) from None


def query_of(query: bytes, extensions: dict[str, Any]) -> str | None:
    """The query without its question mark, ``None`` if the target has none. Raises
    `ClientError`.
    """
    if not query:
        return "" if EMPTY_QUERY in extensions else None
    text = query.decode("latin-1")
    if not is_query(text):
        raise ClientError("query holds a character that is not allowed")
    return text


def _absolute(target: bytes, host: bytes) -> bytes:
    """The path of an absolute-form target, empty where it has none.

    Its authority must be what Host says, as two different ones are two readings.
    """
    authority, slash, path = target.partition(b"://")[2].partition(b"/")
    if not _scheme_in(target) or not authority or without_empty_port(authority).lower() != host.lower():
        raise ClientError("target is neither a path nor a URL of this host")
    return slash + path


def _scheme_in(target: bytes) -> str:
    """The scheme of an absolute-form target, empty where it has none that is HTTP's."""
    scheme = target.partition(b"://")[0].lower()
    return scheme.decode("ascii") if scheme in (b"http", b"https") else ""


def _checked_scheme(targets: str, connections: str, stated: str, trusted: bool) -> str:
    """The request's scheme where its target tells one.

    RFC 9110 section 7.4: unless it comes from a trusted gateway, a target of a scheme that the
    connection does not have is to be refused.
    """
    if not targets or targets in (connections, stated):
        return stated or connections
    if stated or not trusted:
        raise ClientError(f"{targets} is not served on this connection", 421, close=False)
    return targets
