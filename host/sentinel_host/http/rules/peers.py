"""The client's address behind proxies. Only trusted peers are believed."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from sentinel_host.memo import Memo

# Trusted proxies are few. Bounded, so that a scan from many addresses does not use up memory.
_KEPT = 4096


class TrustedPeers:
    """The networks whose forwarded headers and request ids are believed."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]
        self._known: Memo[str, bool] = Memo(_KEPT)

    def __contains__(self, address: str) -> bool:
        if not self._networks:
            return False
        known = self._known.known.get(address)
        if known is None:
            known = self._look_up(address)
            self._known.keep(address, known)
        return known

    def _look_up(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)

    def walk(self, peer: str, hops: Sequence[str]) -> tuple[str, int]:
        """The right-most address that is not itself trusted, and the index of the last hop that
        could be vouched for.

        ``hops`` is not empty, its last entry was told by ``peer``. One that is no address ends the
        chain: who told of what stands left of it is not known.
        """
        client = peer
        index = len(hops)
        while index:
            index -= 1
            address = _address(hops[index])
            if address is None:
                break
            client = address
            if address not in self:
                break
        return client, index


def _address(hop: str) -> str | None:
    """An address out of ``1.2.3.4``, ``1.2.3.4:80``, ``2001:db8::1``, ``[2001:db8::1]`` or
    ``[2001:db8::1]:80``.
    """
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        return str(ipaddress.ip_address(hop))
    except ValueError:
        return None
