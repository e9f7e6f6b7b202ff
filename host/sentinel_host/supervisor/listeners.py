"""The listening sockets of a configuration, and their life over changes of it. Workers share them: see `fairness`."""

from __future__ import annotations

import socket
from collections import Counter
from dataclasses import dataclass

from sentinel_host.config import BindConfig, Config, TlsConfig
from sentinel_host.errors import ConfigError
from sentinel_host.server import Endpoint, address_of, bind, take_no_more, tls_context


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket, the name of its listener, and the TLS files of that address; ``owned`` is as in `Endpoint`."""

    name: str
    socket: socket.socket
    tls: TlsConfig | None = None
    owned: bool = False

    def endpoint(self) -> Endpoint:
        """What `serve` takes. Raises `ConfigError` for files that are not a certificate and its key."""
        tls = tls_context(self.tls.cert, self.tls.key) if self.tls else None
        return Endpoint(self.name, self.socket, tls, self.owned)

    def __str__(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{self.name} on {scheme}://{address_of(self.socket)}"


class Listeners:
    """Opens what configurations ask for; a socket stays open as long as the current configuration asks for it.

    ``activated`` is sockets from the service manager, by listener: they stand for the configured addresses, in order.
    """

    def __init__(self, activated: dict[str, list[socket.socket]]) -> None:
        self._activated = activated
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
            Listening("public", sock, entry.tls or config.server.tls, owned=not self._activated["public"])
            for entry, sock in zip(entries, sockets, strict=True)
        ]

    def open_admin(self, config: Config) -> Listening | None:
        """To be called once: the admin listener is not opened anew. Raises `ConfigError`."""
        sockets = self._activated["admin"]
        if len(sockets) > 1:
            raise ConfigError("LISTEN_FDS: there is one admin listener")
        if sockets:
            return Listening("admin", sockets[0])
        return Listening("admin", bind(config.server.admin), owned=True) if config.server.admin is not None else None

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

    def _bind(self, addresses: list[str]) -> list[socket.socket]:
        # Port 0 may be asked for more than once: each time is a socket of its own.
        seen: Counter[str] = Counter()
        sockets = []
        for address in addresses:
            key = (address, seen[address])
            seen[address] += 1
            if key not in self._bound:
                self._bound[key] = bind(address)
            sockets.append(self._bound[key])
        return sockets
