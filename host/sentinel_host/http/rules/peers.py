"""Who the client is when proxies stand between: only what trusted peers say is believed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

_FOR = re.compile(r'for\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^;,\s]*))', re.IGNORECASE)

# Peers are few where proxies are trusted; a scan from many addresses must not grow the memory without end.
_REMEMBERED = 4096


class TrustedPeers:
    """The networks whose forwarded headers and request ids are believed."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]
        self._known: dict[str, bool] = {}

    def __contains__(self, address: str) -> bool:
        if not self._networks:
            return False
        known = self._known.get(address)
        if known is None:
            known = self._look_up(address)
            if len(self._known) < _REMEMBERED:
                self._known[address] = known
        return known

    def _look_up(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)

    def client(self, peer: str, forwarded_for: str, forwarded: str) -> str:
        """The right-most address of the forwarded chain that is not itself trusted; the peer when there is none.

        ``forwarded_for`` and ``forwarded`` are the joined values of ``X-Forwarded-For`` and ``Forwarded`` (RFC 7239);
        the first wins. An entry that is no address ends the chain: what stands left of it cannot be vouched for.
        """
        if forwarded_for:
            hops = [hop.strip() for hop in forwarded_for.split(",")]
        else:
            hops = [match["quoted"] or match["plain"] or "" for match in _FOR.finditer(forwarded)]
        client = peer
        for hop in reversed(hops):
            address = _address(hop)
            if address is None:
                break
            client = address
            if address not in self:
                break
        return client


def _address(hop: str) -> str | None:
    """An address out of ``1.2.3.4``, ``1.2.3.4:80``, ``2001:db8::1``, ``[2001:db8::1]`` or ``[2001:db8::1]:80``."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        return str(ipaddress.ip_address(hop))
    except ValueError:
        return None
