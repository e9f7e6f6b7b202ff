"""The client's address and scheme, as trusted proxies report them (RFC 7239; X-Forwarded-For,
X-Forwarded-Proto).

Rule 1: ``Forwarded`` is parsed by its grammar, and refused if it is malformed. A proxy appends to
        what it received and quotes the Host, which the client chose. A parser that searches for
        ``for=`` would let a client write an element of its own.
Rule 2: an element describes one hop. Elements to the left of an untrusted hop are not believed. So
        the scheme is that of the element at which the client is found.
Rule 3: ``X-Forwarded-Proto`` does not say which hop a value belongs to. If values differ, among
        themselves or from ``Forwarded``, the request is refused.
"""

from __future__ import annotations

import re
from typing import Final

from sentinel_host.errors import ClientError
from sentinel_host.grammar import TOKEN_TEXT
from sentinel_host.http.rules.peers import TrustedPeers
from sentinel_host.messages import Headers

# WebSocket's schemes are HTTP's as far as the connection goes (RFC 6455 section 3).
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

# One pair and its end. Values that should be quoted (an IPv6 address, a port) are accepted without
# quotes, as many proxies write them. The quantifiers are possessive because clients choose the
# text.
_PAIR: Final = re.compile(
    rf"[ \t]*+(?:({TOKEN_TEXT})[ \t]*+=[ \t]*+"
    r'(?:"((?:[^"\\]|\\.)*+)"|([^\s",;]*+)))?+[ \t]*+(,|;|\Z)',
    re.ASCII | re.DOTALL,
)
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)


def client_and_scheme(trusted: TrustedPeers, peer: str, forwarded: Headers) -> tuple[str, str]:
    """The client's address, and the scheme that it used or "" where nobody says, by the fields of a
    trusted ``peer``.

    ``X-Forwarded-For`` tells the address before ``Forwarded`` does. Raises `ClientError` by the
    rules above.
    """
    client = peer
    scheme = ""
    hops: list[str] = []
    elements: list[dict[str, str]] = []
    for name, value in forwarded:
        text = value.decode("latin-1")
        if name == b"x-forwarded-for":
            # RFC 9110 section 5.6.1.2: empty members of a list count for nothing.
            hops += [hop for hop in [each.strip(" \t") for each in text.split(",")] if hop]
        elif name == b"x-forwarded-proto":
            for stated in text.split(","):
                scheme = _agreed(scheme, stated.strip(" \t"))
        elif name == b"forwarded":
            elements += parse_forwarded(text)
    if elements:
        client, at = trusted.walk(peer, [element.get("for", "") for element in elements])
        scheme = _agreed(scheme, elements[at].get("proto", ""))
    if hops:
        client, _ = trusted.walk(peer, hops)
    return client, scheme


def parse_forwarded(value: str) -> list[dict[str, str]]:
    """The elements of a ``Forwarded`` field, parameters by their names in lower case; empty ones
    are left out.

    Raises `ClientError` for what the grammar of RFC 7239 section 4 does not allow.
    """
    elements: list[dict[str, str]] = []
    element: dict[str, str] = {}
    position = 0
    end = ";"
    while end:
        match = _PAIR.match(value, position)
        if match is None:
            raise ClientError("Forwarded is malformed")
        name, quoted, plain, end = match.groups()
        if name is not None:
            name = name.lower()
            if name in element:
                raise ClientError("Forwarded repeats a parameter in one element")
            element[name] = plain if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted)
        if end != ";":
            if element:
                elements.append(element)
            element = {}
        position = match.end()
    return elements


def _agreed(scheme: str, stated: str) -> str:
    """``scheme``, or what is stated beside it if it is the first."""
    if not stated:
        return scheme
    known = _SCHEMES.get(stated.lower())
    if known is None:
        raise ClientError("the forwarded scheme is neither http nor https")
    if scheme and known != scheme:
        raise ClientError("the forwarded schemes contradict each other")
    return known
