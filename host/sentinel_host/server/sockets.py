"""Listening sockets and TLS contexts."""

from __future__ import annotations

import socket
import ssl

from hypercorn.config import Config

from sentinel_host.errors import ConfigError


def bind(address: str) -> socket.socket:
    """A bound, not yet listening socket for ``host:port`` or ``[v6]:port``; port 0 takes a free one (see `address_of`).

    Raises `ConfigError` that names the address.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{address}: expected host:port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # A bind of [::] beside one of 0.0.0.0 must not collide, whatever the system's default is.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((host, int(port)))
    except OSError as error:
        sock.close()
        raise ConfigError(f"{address}: {error.strerror or error}") from error
    return sock


def address_of(sock: socket.socket) -> str:
    """``host:port`` as `bind` takes it, with the actual port."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def tls_context(cert: str, key: str) -> ssl.SSLContext:
    """A server context that offers HTTP/2 and HTTP/1.1 by ALPN. Raises `ConfigError` that names the files."""
    config = Config()
    config.certfile, config.keyfile = cert, key
    config.alpn_protocols = ["h2", "http/1.1"]
    try:
        context = config.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls: {cert}, {key}: {error}") from error
    assert context is not None
    return context
