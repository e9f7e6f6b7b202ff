"""Connecting to a target: its addresses, the socket, the TLS handshake, and their errors."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from sentinel_host.errors import Progress, UpstreamDenied, UpstreamError, UpstreamTimeout
from sentinel_host.http.client.target import Target, Timeouts
from sentinel_host.http.client.tls import client_context
from sentinel_host.http.tls import connect_tls
from sentinel_host.net import Addresses, Names, UnresolvedName, connect, connect_unix

T = TypeVar("T")


class Connector:
    """Connects to one target, from one event loop. ``addresses`` are those of its name. ``alpn``
    are the protocols that TLS offers, the best first.

    ``allows`` is asked for every address before it is connected to. ``names`` looks the name up,
    and is the connector's own unless it is given; ``fixed`` are addresses that are known already,
    and then no name is looked up.
    """

    def __init__(
        self,
        target: Target,
        timeouts: Timeouts,
        *,
        ssl_context: ssl.SSLContext | None,
        dns_ttl: float,
        allows: Callable[[str], bool] | None,
        names: Names | None,
        fixed: Sequence[str] = (),
        alpn: Sequence[str] = ("http/1.1",),
    ) -> None:
        self.target = target
        self._timeouts = timeouts
        self._alpn = list(alpn)
        self._ssl = (ssl_context or client_context()) if target.scheme == "https" else None
        self._owns_names = names is None
        self._names = Names() if names is None else names
        self.addresses = Addresses(target.host, self._names, dns_ttl, fixed=fixed)
        self._allows = allows

    async def connect(self, make: Callable[[], T], proxy_header: bytes = b"") -> T:
        """A protocol that ``make`` has made, connected, after the TLS handshake if there is to be
        one. ``proxy_header`` goes before everything else.

        Raises UpstreamError, UpstreamTimeout and UpstreamDenied; nothing was sent then.
        """
        try:
            async with asyncio.timeout(self._timeouts.connect):
                connection = await self._connect_somewhere(make, proxy_header)
        except TimeoutError:
            raise UpstreamTimeout(
                f"upstream {self.target}: no connection within {self._timeouts.connect:g} s", Progress.UNSENT
            ) from None
        except OSError as error:
            self.addresses.doubt()
            reason, kind = _reason(error)
            raise UpstreamError(f"upstream {self.target}: {reason}", kind, Progress.UNSENT) from None
        return connection

    def close(self) -> None:
        """No address is looked up any more."""
        self.addresses.close()
        if self._owns_names:
            self._names.close()

    async def _connect_somewhere(self, make: Callable[[], T], proxy_header: bytes) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeouts.connect
        if self.target.path:
            return await self._begin(make, await connect_unix(self.target.path), proxy_header)
        addresses = await self.addresses.find()
        if self._allows is not None:
            addresses = list(filter(self._allows, addresses))
            if not addresses:
                raise UpstreamDenied(f"upstream {self.target}: none of its addresses may be connected to")
        refusal: OSError | None = None
        while True:
            try:
                sock, address = await connect(addresses, self.target.port, self.addresses.failed)
            except OSError as error:
                # A handshake that failed says more than that nobody answers at the other addresses.
                raise refusal or error from None
            try:
                if self._ssl is None or not addresses:
                    connection = await self._begin(make, sock, proxy_header)
                else:
                    # A server that accepts and keeps silent in its handshake must leave time for
                    # those after it.
                    async with asyncio.timeout((deadline - loop.time()) / (len(addresses) + 1)):
                        connection = await self._begin(make, sock, proxy_header)
            except OSError as error:
                self.addresses.failed(address)
                if not addresses:
                    raise
                refusal = error
            else:
                self.addresses.worked(address)
                return connection

    async def _begin(self, make: Callable[[], T], sock: socket.socket, proxy_header: bytes) -> T:
        loop = asyncio.get_running_loop()
        connection = make()
        try:
            if proxy_header:
                await loop.sock_sendall(sock, proxy_header)
            if self._ssl is None:
                await loop.create_connection(lambda: cast(Any, connection), sock=sock)
            else:
                # The context is shared with others. OpenSSL copies what it offers when the
                # handshake begins.
                self._ssl.set_alpn_protocols(self._alpn)
                await connect_tls(loop, self._ssl, self.target.server_name, connection, sock)
        except BaseException:
            sock.close()
            raise
        return connection


def _reason(error: OSError) -> tuple[str, str]:
    """One line for an operator, without addresses or descriptors: what failed; and its kind."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate was not accepted: {error.verify_message}", "tls"
    if isinstance(error, ssl.SSLError):
        # Only OpenSSL's own errors have a reason.
        return f"the TLS handshake failed: {getattr(error, 'reason', None) or 'the connection closed'}", "tls"
    if isinstance(error, UnresolvedName):
        return "its name could not be resolved", "name"
    if error.errno is not None:
        return f"no connection: {os.strerror(error.errno)}", "connect"
    return "no connection", "connect"
