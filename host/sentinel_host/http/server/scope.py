"""The ASGI scopes of one connection's requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from sentinel_host.http.server.client_certificate import tls_extension
from sentinel_host.http.server.connections import EMPTY_QUERY, TLS, Listener

_QUESTION_MARK: Final = 0x3F
_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}

Address = tuple[Any, ...]


class ScopeBuilder:
    """What the requests of one connection have in common.

    ``client_host`` is the peer's address, as connections per client are counted; None on a Unix
    socket.
    """

    __slots__ = ("_client", "_extensions", "_last", "_method", "_server", "_tls", "_version", "client_host", "scheme")

    def __init__(
        self, client: Address | None, server: Address | None, scheme: str, tls: dict[str, Any] | None = None
    ) -> None:
        self.client_host: str | None = None if client is None else client[0]
        self.scheme = scheme
        self._client = client
        self._server = server
        self._tls = tls
        # A scope with what most requests of a connection have in common.
        self._last: dict[str, Any] | None = None
        self._version = self._method = ""
        self._extensions: dict[str, dict[str, Any]] | None = None

    def tell_serves(self, serves: Callable[[str], bool] | None) -> None:
        """What the handshake has chosen, of a client that shows no certificate; see
        `ServerSslObject`.
        """
        self._tls = None if serves is None else {"serves": serves, "client_certificate": None}
        self._last = None

    @staticmethod
    def of(transport: asyncio.BaseTransport) -> ScopeBuilder:
        """Read the addresses and the scheme from a transport."""
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        ssl_object = transport.get_extra_info("ssl_object")
        scheme = "http" if ssl_object is None else "https"
        tls = None if ssl_object is None else tls_extension(ssl_object)
        if type(peer) is tuple:
            return ScopeBuilder(peer[:2], own[:2], scheme, tls)
        return ScopeBuilder(None, (own, None), scheme, tls)

    def request(
        self,
        listener: Listener,
        version: str,
        method: str,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        extensions: dict[str, dict[str, Any]],
    ) -> dict[str, Any]:
        """The scope of one request; ``target`` is as it was sent, names in ``headers`` are
        lower-case.
        """
        # Most targets have no query, which `in` tells in a quarter of the time that `find` takes.
        mark = target.find(b"?") if _QUESTION_MARK in target else -1
        raw_path, query = (target, b"") if mark < 0 else (target[:mark], target[mark + 1 :])
        path = raw_path.decode("ascii")
        last = self._last
        if last is None or version != self._version or method != self._method or extensions is not self._extensions:
            self._version, self._method, self._extensions = version, method, extensions
            last = self._last = {
                "type": "http",
                "asgi": _ASGI,
                "http_version": version,
                "method": method,
                "scheme": self.scheme,
                "path": "",
                "raw_path": b"",
                "query_string": b"",
                "root_path": "",
                "headers": [],
                "client": self._client,
                "server": self._server,
                "state": {},
                "extensions": extensions if self._tls is None else {**extensions, TLS: self._tls},
            }
        # Copying a scope and replacing some of its values costs a third of building it anew.
        scope = last.copy()
        if mark >= 0 and not query:
            scope["extensions"] = {**scope["extensions"], EMPTY_QUERY: {}}
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        if query:
            scope["query_string"] = query
        scope["headers"] = headers
        state = listener.state
        scope["state"] = state.copy() if state else {}
        return scope
