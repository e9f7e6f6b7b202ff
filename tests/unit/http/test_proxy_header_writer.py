"""PROXY headers for upstreams, byte by byte, and as our own reader understands them."""

from __future__ import annotations

import ipaddress

import pytest

from sentinel_host.http.proxy_header import ProxyHeader
from sentinel_host.http.proxy_header_writer import ProxyVersion, local_header, proxy_header
from tests.unit.http.test_proxy_header import SIGNATURE, V4, V6, addresses, binary

# CPython writes the second in another way from 3.13 on.
MIXED = (("2001:db8::1", 7), (str(ipaddress.ip_address("::ffff:198.51.100.2")), 443))
NOBODY = (None, None)


@pytest.mark.parametrize(
    ("client", "own", "line", "packed", "told"),
    [
        (*V4, b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", binary(0x21, 0x11, addresses(V4)), V4),
        (*V6, b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", binary(0x21, 0x21, addresses(V6)), V6),
        # An IPv4 client of a socket for both families.
        (
            ("::ffff:192.0.2.1", 56324),
            ("::ffff:198.51.100.2", 443),
            b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n",
            binary(0x21, 0x11, addresses(V4)),
            V4,
        ),
        # A client behind a trusted proxy, of another family than the proxy's connection.
        (
            ("2001:db8::1", 7),
            ("198.51.100.2", 443),
            b"PROXY TCP6 2001:db8::1 ::ffff:198.51.100.2 7 443\r\n",
            binary(0x21, 0x21, addresses(MIXED)),
            MIXED,
        ),
        (
            ("fe80::1%eth0", 1),
            ("fe80::2%eth0", 2),
            b"PROXY TCP6 fe80::1 fe80::2 1 2\r\n",
            binary(0x21, 0x21, addresses((("fe80::1", 1), ("fe80::2", 2)))),
            (("fe80::1", 1), ("fe80::2", 2)),
        ),
        (("192.0.2.1", 1), ("/run/sentinel.sock", None), b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\0\0\0", NOBODY),
        (("", 0), ("192.0.2.1", 80), b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\0\0\0", NOBODY),
    ],
    ids=["IPv4", "IPv6", "mapped", "two families", "a zone", "a Unix socket", "no address"],
)
def test_both_versions(
    client: tuple[str, int],
    own: tuple[str, int | None],
    line: bytes,
    packed: bytes,
    told: tuple[tuple[str, int] | None, tuple[str, int] | None],
) -> None:
    assert proxy_header("v1", client, own) == line
    assert proxy_header("v2", client, own) == packed
    for written in (line, packed):
        reader = ProxyHeader()
        assert reader.feed(written)
        assert (reader.client, reader.own, reader.rest) == (*told, b"")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_connection_of_our_own_names_nobody(version: ProxyVersion) -> None:
    reader = ProxyHeader()
    assert reader.feed(local_header(version))
    assert (reader.client, reader.own) == NOBODY
