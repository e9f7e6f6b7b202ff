"""Where an upstream is, and how long to wait for it."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sentinel_host.errors import ConfigError
from sentinel_host.grammar import is_host_name, without_password

_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNIX = "http+unix"
# What Linux has room for in sockaddr_un, less the zero at its end.
_LONGEST_PATH = 107


@dataclass(frozen=True, slots=True)
class Target:
    """One address of an upstream: scheme, host (an IPv6 address without brackets) and port.

    ``tls_name`` is the server that TLS asks for, unless it is the host.

    Of a Unix socket, ``path`` is where it is, ``host`` is ``localhost`` and the port that of http.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    tls_name: str = ""

    @classmethod
    def parse(cls, url: str) -> Target:
        """Read ``http://host[:port]``, ``https://host[:port]`` or ``http+unix:///path``.

        Anything more or other is a ConfigError.
        """
        shown = f"upstream target {without_password(url)!r}"
        if any(character <= " " or character > "~" for character in url):
            raise ConfigError(f"{shown}: only visible ASCII characters are allowed")
        if "@" in url:
            # What a parser says of it may quote a part of the password.
            raise ConfigError(f"{shown}: a user name or password is not allowed")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"{shown}: {error}") from None
        if parts.scheme == _UNIX:
            path = unquote(parts.path)
            if parts.netloc or not path.startswith("/") or "?" in url or "#" in url or "\0" in path:
                raise ConfigError(f"{shown}: expected {_UNIX}:///, and the path of a socket")
            if len(os.fsencode(path)) > _LONGEST_PATH:
                raise ConfigError(f"{shown}: a socket's path has at most {_LONGEST_PATH} bytes")
            return cls("http", "localhost", _DEFAULT_PORTS["http"], path)
        if parts.scheme not in _DEFAULT_PORTS:
            raise ConfigError(f"{shown}: the scheme must be http or https, or {_UNIX} for a socket")
        if parts.path not in ("", "/") or "?" in url or "#" in url:
            raise ConfigError(f"{shown}: a path, query or fragment is not allowed")
        host = parts.hostname or ""
        if not _is_host(host):
            raise ConfigError(f"{shown}: {host!r} is not a host name or address")
        if port is None:
            if parts.netloc.endswith(":"):
                raise ConfigError(f"{shown}: the port is missing")
            port = _DEFAULT_PORTS[parts.scheme]
        if port == 0:
            raise ConfigError(f"{shown}: port 0 is not allowed")
        return cls(parts.scheme, host, port)

    @property
    def is_fixed(self) -> bool:
        """Whether it needs no name looked up."""
        return bool(self.path) or is_address(self.host)

    @property
    def authority(self) -> bytes:
        """The Host value of a request to this target; the scheme's own port is left out (RFC 9110
        section 4.2.3).
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}").encode("ascii")

    @property
    def server_name(self) -> str:
        """The name that TLS asks for and the certificate must have: without the root's dot (RFC
        6066 section 3).
        """
        return self.tls_name or self.host.removesuffix(".")

    def __str__(self) -> str:
        if self.path:
            return f"{_UNIX}://{self.path}"
        return f"{self.scheme}://{self.authority.decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait for an upstream, in seconds.

    ``connect`` covers name resolution, every address tried and the TLS handshake. ``response`` runs
    from the request (progress of an upload starts it again; time that the upload spends waiting for
    its client does not count) to the response's head. ``idle`` is the longest silence between two
    pieces of a response's body while we are reading; None allows any. ``pool_wait`` is the wait for
    a free connection; ``keepalive`` closes one that was idle so long. The 60 seconds are nginx's
    proxy_read_timeout; 55 stays below the 60 of common load balancers, so that we are the first to
    close an idle connection.
    """

    connect: float = 5.0
    response: float = 60.0
    idle: float | None = 60.0
    pool_wait: float = 5.0
    keepalive: float = 55.0


def is_address(host: str) -> bool:
    """Whether a host is an IP address, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            return False
        return "%" not in host
    return is_host_name(host) is not None and ".." not in host
