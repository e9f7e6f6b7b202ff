"""Which addresses a guest's HTTP calls may reach, whatever their names are.

The configuration allows names, but the name's owner decides which address it has. So each address
is checked right before connecting: addresses of this machine and of private networks are denied.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 6052: the last four bytes are an IPv4 address, which a translator reaches.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# The metadata service of a cloud, which has credentials. Over IPv4 its address is link-local.
_METADATA = ipaddress.IPv6Address("fd00:ec2::254")


class AllowedAddresses:
    """``networks`` are allowed though they would be denied; ``admin`` is the admin listener's host
    and port.
    """

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
    """The IPv4 address that an IPv6 address embeds, or the address itself."""
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
    """Whether the address is this machine's: only then can it be bound to."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
