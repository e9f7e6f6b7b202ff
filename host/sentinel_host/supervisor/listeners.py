"""The listening sockets of a configuration, and how they change with it. Workers share them: see
`fairness`.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sentinel_host.config import BindConfig, Config, TlsConfig
from sentinel_host.errors import ConfigError
from sentinel_host.server import Certificates, Endpoint, QuicGroup, address_of, bind, take_no_more
from sentinel_host.supervisor.output import say_on_stderr


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket, the name of its listener, and the TLS files of that address; ``owned`` and
    ``proxy_protocol`` are as in `Endpoint`.
    """

    name: str
    socket: socket.socket
    tls: TlsConfig | None = None
    owned: bool = False
    proxy_protocol: tuple[str, ...] = ()

    def endpoint(self, certificates: Certificates) -> Endpoint:
        """What `serve` takes."""
        tls = certificates.of(self.tls).context if self.tls else None
        return Endpoint(self.name, self.socket, tls, self.owned, self.proxy_protocol)

    def __str__(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{self.name} on {scheme}://{address_of(self.socket)}"


def print_listeners(listeners: Iterable[Listening | QuicGroup]) -> None:
    """One line per listener on stderr, for people and for programs that asked for port 0."""
    for listening in listeners:
        say_on_stderr(str(listening))


class Listeners:
    """Opens what configurations ask for; a socket stays open as long as the current configuration
    asks for it.

    ``activated`` is sockets from the service manager, by listener: they stand for the configured
    addresses, in order. With ``may_be_used`` the sockets are not listened on, and an address that
    another process uses is no error.
    """

    def __init__(self, activated: dict[str, list[socket.socket]], *, may_be_used: bool = False) -> None:
        self._activated = activated
        self._may_be_used = may_be_used
        self._opened: list[socket.socket] = []
        self._bound: dict[tuple[str, int], socket.socket] = {}

    def open_public(self, config: Config) -> list[Listening]:
        """A socket for each address of ``server.bind``: the one that is open, or a new one.

        Raises `ConfigError`; `keep` closes what is not used in the end.
        """
        entries = [entry if isinstance(entry, BindConfig) else BindConfig(entry) for entry in config.server.bind]
        sockets = self._activated["public"]
        if not sockets:
            sockets = self._bind([entry.address for entry in entries])
        elif len(sockets) != len(entries):
            raise ConfigError(
                f"LISTEN_FDS: {len(sockets)} public sockets stand for server.bind, which has {len(entries)}"
            )
        return [
            Listening(
                "public", sock, entry.tls or config.server.tls, not self._activated["public"], entry.proxy_protocol
            )
            for entry, sock in zip(entries, sockets, strict=True)
        ]

    def open_admin(self, config: Config) -> Listening | None:
        """To be called once: the admin listener is not opened anew. Raises `ConfigError`."""
        sockets = self._activated["admin"]
        if len(sockets) > 1:
            raise ConfigError("LISTEN_FDS: there is one admin listener")
        if sockets:
            return Listening("admin", sockets[0])
        if config.server.admin is None:
            return None
        return Listening("admin", self._open(config.server.admin), owned=True)

    def open_datagrams(self, address: str, count: int) -> list[socket.socket]:
        """So many sockets for HTTP/3, of one address. Raises `ConfigError`."""
        first = self._open(address, socket.SOCK_DGRAM)
        if count == 1:
            return [first]
        # Another gateway's sockets must not join ours, nor ours another's: the first has found the
        # address to be free.
        address = address_of(first)
        self._opened.remove(first)
        first.close()
        return [self._open(address, socket.SOCK_DGRAM, in_group=True) for _ in range(count)]

    def keep(self, used: list[Listening]) -> None:
        """Close every other public socket, and let none of those that we bound be connected to.

        Workers that have it too still accept what has connected.
        """
        kept = {listening.socket for listening in used}
        for key, sock in list(self._bound.items()):
            if sock not in kept:
                take_no_more(sock)
                self._bound.pop(key).close()
        for sock in self._activated["public"]:
            if sock not in kept:
                sock.close()

    def close(self) -> None:
        """Close every socket that was opened: nothing is to be served."""
        for sock in self._opened:
            sock.close()

    def _bind(self, addresses: list[str]) -> list[socket.socket]:
        # Port 0 may be asked for more than once: each time is a socket of its own.
        seen: Counter[str] = Counter()
        sockets = []
        for address in addresses:
            key = (address, seen[address])
            seen[address] += 1
            if key not in self._bound:
                self._bound[key] = self._open(address)
            sockets.append(self._bound[key])
        return sockets

    def _open(
        self, address: str, kind: socket.SocketKind = socket.SOCK_STREAM, *, in_group: bool = False
    ) -> socket.socket:
        try:
            sock = bind(address, kind, in_group=in_group)
        except ConfigError as error:
            cause = error.__cause__
            if not self._may_be_used or not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
                raise
            sock = socket.socket(type=kind)
        self._opened.append(sock)
        return sock
