"""The keys of limits: the client's address, a header, the route, the host, or several of them
together.

A key does not contain the limit's name: the table hashes the limit's identity before the key.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable, Sequence
from typing import Final

from sentinel_host.grammar import host_of
from sentinel_host.memo import Memo
from sentinel_host.messages import RequestHead

KeyFunction = Callable[[RequestHead], bytes]
"""Makes a request's key. Two requests share a counter exactly when their keys are equal."""

DEFAULT_IPV6_PREFIX: Final = 64
"""One customer's network, at least: RFC 6177 and RFC 4291 section 2.5.4 give a site a /64 or
more.
"""

_KEPT: Final = 4096
_MAPPED: Final = bytes(10) + b"\xff\xff"


def address_key(address: str, ipv6_prefix: int = DEFAULT_IPV6_PREFIX) -> bytes:
    """The key of a client address: an IPv4 address, also when it is mapped into IPv6, or an IPv6
    network.

    Text that is no address, as on a Unix socket, is its own key.
    """
    try:
        return b"4" + socket.inet_pton(socket.AF_INET, address)
    except (OSError, ValueError):
        pass
    try:
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):
        return b"?" + address.encode("utf-8", "surrogateescape")
    if packed.startswith(_MAPPED):
        return b"4" + packed[12:]
    whole, bits = divmod(ipv6_prefix, 8)
    if bits == 0:
        return b"6" + packed[:whole]
    return b"6" + packed[:whole] + bytes((packed[whole] & 0xFF00 >> bits & 0xFF,))


class AddressKeys:
    """`address_key` with a memo: most requests come from few clients.

    The table bounds the number of keys, not this class.
    """

    __slots__ = ("_ipv6_prefix", "_keys", "_last", "_last_key")

    def __init__(self, ipv6_prefix: int = DEFAULT_IPV6_PREFIX) -> None:
        self._ipv6_prefix = ipv6_prefix
        self._keys: Memo[str, bytes] = Memo(_KEPT)
        # To compare takes a fifth of a look-up.
        self._last = ""
        self._last_key = address_key("", ipv6_prefix)

    def of(self, address: str) -> bytes:
        """The key of a client address."""
        if address == self._last:
            return self._last_key
        key = self._keys.known.get(address)
        if key is None:
            key = address_key(address, self._ipv6_prefix)
            self._keys.keep(address, key)
        self._last, self._last_key = address, key
        return key


def key_function(parts: Sequence[str], ipv6_prefix: int = DEFAULT_IPV6_PREFIX) -> KeyFunction:
    """Compile ``client-ip``, ``route``, ``host`` and ``header:NAME``, or several, to a function.

    A value that a guest sets is a header too, read after the guest ran. All requests without the
    header share the key of an empty value. Of several fields of one name the last one counts,
    because guests append. Raises `ValueError`, which names the part.
    """
    if not 1 <= ipv6_prefix <= 128:
        raise ValueError(f"an IPv6 prefix must be from 1 to 128, not {ipv6_prefix}")
    if not parts:
        raise ValueError("a limit needs a key")
    functions = [_part(part, ipv6_prefix) for part in parts]
    if len(functions) == 1:
        return functions[0]

    def joined(head: RequestHead) -> bytes:
        # Each with its length: ("ab", "c") and ("a", "bc") are different keys.
        values = [function(head) for function in functions]
        return b"".join(b"%d:%b" % (len(value), value) for value in values)

    return joined


def _part(part: str, ipv6_prefix: int) -> KeyFunction:
    if part == "client-ip":
        addresses = AddressKeys(ipv6_prefix)
        return lambda head: addresses.of(head.client)
    if part == "route":
        return lambda head: head.route.encode()
    if part == "host":
        return lambda head: host_of(head.authority).encode("utf-8", "surrogateescape")
    kind, colon, name = part.partition(":")
    if kind == "header" and colon and name.isascii() and name.replace("-", "").replace("_", "").isalnum():
        return functools.partial(_header, name.lower().encode())
    raise ValueError(f'unknown key {part!r}: expected "client-ip", "route", "host" or "header:NAME"')


def _header(name: bytes, head: RequestHead) -> bytes:
    for field, value in reversed(head.headers):
        if field == name:
            return value
    return b""
