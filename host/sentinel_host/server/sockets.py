"""Listening sockets and TLS contexts."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import ssl
import struct
from collections.abc import Sequence
from typing import Final, TypeAlias

from hypercorn.config import Config

from sentinel_host.errors import ConfigError

Instruction: TypeAlias = tuple[int, int, int, int]
"""Of classic BPF: code, the two jumps, and the operand."""

# From <asm-generic/socket.h> and <linux/filter.h>; Python names neither.
_SO_ATTACH_FILTER: Final = 26
# A TCP socket's filter sees a segment from its header on, where byte 13 is the flags: drop it if
# SYN is set and ACK is not, and take every other whole.
_NO_NEW_CONNECTION: Final = (
    (0x30, 0, 0, 13),  # ldb [13]
    (0x54, 0, 0, 0x12),  # and #SYN|ACK
    (0x15, 0, 1, 0x02),  # jeq #SYN, next, next but one
    (0x06, 0, 0, 0),  # ret #0
    (0x06, 0, 0, 0xFFFFFFFF),  # ret #all
)


def bind(address: str, kind: socket.SocketKind = socket.SOCK_STREAM, *, in_group: bool = False) -> socket.socket:
    """A bound, not yet listening socket for ``host:port`` or ``[v6]:port``; port 0 takes a free one
    (see `address_of`).

    ``kind`` may be that of datagrams. Sockets that are ``in_group`` share an address with others.
    Raises `ConfigError` that names the address.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{address}: expected host:port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_STREAM:
            # Datagram sockets of several processes could share the address, and take each other's.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if in_group:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # [::] must not collide with 0.0.0.0, whatever the system's default is.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((host, int(port)))
    except OSError as error:
        sock.close()
        raise ConfigError(f"{address}: {error.strerror or error}") from error
    return sock


def take_no_more(sock: socket.socket) -> None:
    """Accept no new handshake on a listening socket that is about to be closed, in any process.

    Closing a listening socket resets the connections in its queue. Accepting until the queue is
    empty is not enough: more may arrive before the close. After this call only handshakes that have
    begun still complete. A client repeats a dropped SYN, usually after one second, and is then
    refused or accepted by a successor. Does nothing on systems without socket filters.
    """
    with contextlib.suppress(OSError):
        attach_program(sock, _SO_ATTACH_FILTER, _NO_NEW_CONNECTION)


def attach_program(sock: socket.socket, option: int, instructions: Sequence[Instruction]) -> None:
    """Have the kernel run a program of classic BPF for a socket; ``option`` says what for. Raises
    OSError.
    """
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    code = ctypes.create_string_buffer(program, len(program))
    sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("HL", len(instructions), ctypes.addressof(code)))


def address_of(sock: socket.socket) -> str:
    """``host:port`` as `bind` takes it, with the actual port."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def tls_context(cert: str, key: str, alpn: Sequence[str] = ("h2", "http/1.1")) -> ssl.SSLContext:
    """A server context that offers these protocols. Raises `ConfigError` that names the
    files.
    """
    config = Config()
    config.certfile, config.keyfile = cert, key
    # OpenSSL would ask for a passphrase on the terminal.
    config.keyfile_password = ""
    config.alpn_protocols = list(alpn)
    try:
        context = config.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls: {cert}, {key}: {error}") from error
    assert context is not None
    # HTTP has no use for it, and clients could make us work with it (RFC 9113 section 9.2.1).
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context
