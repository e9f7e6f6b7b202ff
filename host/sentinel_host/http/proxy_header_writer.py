"""Writes the header of the PROXY protocol, which tells an upstream who the client is.

Source: "The PROXY protocol, versions 1 and 2" (HAProxy, doc/proxy-protocol.txt).
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Any, Final, Literal

ProxyVersion = Literal["v1", "v2"]

_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_UNKNOWN_LINE: Final = b"PROXY UNKNOWN\r\n"
# Version 2, LOCAL, no family, no addresses.
_LOCAL: Final = _SIGNATURE + b"\x20\x00\x00\x00"
_PROXY_TCP4: Final = _SIGNATURE + b"\x21\x11\x00\x0c"
_PROXY_TCP6: Final = _SIGNATURE + b"\x21\x21\x00\x24"
# RFC 4291 section 2.5.5.2
_MAPPED: Final = bytes(10) + b"\xff\xff"


def local_header(version: ProxyVersion) -> bytes:
    """The header of a connection that no client caused: LOCAL, which version 1 calls UNKNOWN."""
    return _UNKNOWN_LINE if version == "v1" else _LOCAL


def proxy_header(version: ProxyVersion, client: tuple[Any, ...], own: tuple[Any, ...]) -> bytes:
    """The header for a client and for the address that it connected to, each with its port.

    An address that is not of IPv4 or IPv6, such as that of a Unix socket, makes it a
    `local_header`, as with HAProxy.
    """
    source, destination = _packed(client[0]), _packed(own[0])
    if source is None or destination is None:
        return local_header(version)
    # Both are of one family in the header (section 2.1).
    if len(source) != len(destination):
        source, destination = _as_ipv6(source), _as_ipv6(destination)
    is_ipv6 = len(source) == 16
    if version == "v2":
        ports = int(client[1]).to_bytes(2, "big") + int(own[1]).to_bytes(2, "big")
        return (_PROXY_TCP6 if is_ipv6 else _PROXY_TCP4) + source + destination + ports
    family = AF_INET6 if is_ipv6 else AF_INET
    addresses = f"{inet_ntop(family, source)} {inet_ntop(family, destination)}"
    return f"PROXY {'TCP6' if is_ipv6 else 'TCP4'} {addresses} {client[1]} {own[1]}\r\n".encode("ascii")


def _packed(address: str) -> bytes | None:
    """An address as the network has it; that of an IPv4 client of an IPv6 socket as IPv4's."""
    host = address.partition("%")[0]
    try:
        packed = inet_pton(AF_INET6 if ":" in host else AF_INET, host)
    except OSError:
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def _as_ipv6(packed: bytes) -> bytes:
    return _MAPPED + packed if len(packed) == 4 else packed
