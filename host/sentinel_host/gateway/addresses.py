"""Which addresses a guest's HTTP calls may reach, whatever name led there.

The name of a service is allowed by the configuration, but who answers for the name decides what its address is. So the
address is looked at when it is about to be connected to: what is this machine's own, or its network's own, is denied.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 6052: an IPv4 address stands in the last four bytes, and is reached through a translator.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Where a cloud's machines ask for their credentials; over IPv4 that is link-local.
_METADATA = ipaddress.IPv6Address("fd00:ec2::254")


class AllowedAddresses:
    """``networks`` are allowed though they would be denied; ``admin`` is the admin listener's host and port."""

    def __init__(self, networks: Iterable[str], admin: tuple[str, int] | None) -> None:
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]
        self._admin_port = admin[1] if admin is not None else None

    def __call__(self, text: str, port: int) -> bool:
        """Whether a connection may be made to that address."""
        address = _embedded(ipaddress.ip_address(text.partition("%")[0]))
        if port == self._admin_port and _is_ours(address):
            return False
        return not _is_special(address) or any(address in network for network in self._networks)


def _embedded(address: Address) -> Address:
    """The address that is meant: an IPv4 one that is written as an IPv6 one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _is_special(address: Address) -> bool:
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or address == _METADATA
    )


def _is_ours(address: Address) -> bool:
    """Whether this machine answers there: only its own addresses can be bound to."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
