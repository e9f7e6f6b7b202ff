"""Headers of the PROXY protocol, whole and in pieces."""

from __future__ import annotations

import ipaddress

import pytest

from sentinel_host.http.proxy_header import ProxyHeader, ProxyHeaderError, crc32c

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V4 = (("192.0.2.1", 56324), ("198.51.100.2", 443))
V6 = (("2001:db8::1", 1), ("2001:db8::2", 65535))


def binary(command: int, family: int, body: bytes, length: int | None = None) -> bytes:
    return SIGNATURE + bytes([command, family]) + (len(body) if length is None else length).to_bytes(2, "big") + body


def addresses(pair: tuple[tuple[str, int], tuple[str, int]]) -> bytes:
    packed = b"".join(ipaddress.ip_address(address).packed for address, _ in pair)
    return packed + b"".join(port.to_bytes(2, "big") for _, port in pair)


def extension(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + len(value).to_bytes(2, "big") + value


def with_checksum(header: bytes, change: int = 0) -> bytes:
    """A header that ends in four bytes for its checksum."""
    return header[:-4] + (crc32c(header) ^ change).to_bytes(4, "big")


CHECKED = binary(0x21, 0x11, addresses(V4) + extension(0x02, b"a.test") + extension(0x03, bytes(4)))
NOTHING = (None, None)
GOOD = {
    "v1 IPv4": (b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", V4),
    "v1 IPv6": (b"PROXY TCP6 2001:DB8:0::1 2001:db8::2 1 65535\r\n", V6),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", NOTHING),
    "v1 unknown with more": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", NOTHING),
    "v2 IPv4": (binary(0x21, 0x11, addresses(V4)), V4),
    "v2 IPv6": (binary(0x21, 0x21, addresses(V6)), V6),
    "v2 extensions": (binary(0x21, 0x11, addresses(V4) + extension(0x04, bytes(900)) + extension(0xEA, b"")), V4),
    "v2 checksum": (with_checksum(CHECKED), V4),
    "v2 unspecified": (binary(0x21, 0x00, b""), NOTHING),
    "v2 a Unix socket": (binary(0x21, 0x31, bytes(216)), NOTHING),
    "v2 local": (binary(0x20, 0x00, b""), NOTHING),
    "v2 local with what is ignored": (binary(0x20, 0x11, b"abc"), NOTHING),
}
BAD = {
    "a request": b"GET / HTTP/1.1\r\n",
    "a TLS handshake": b"\x16\x03\x01",
    "a word of another case": b"proxy TCP4 ",
    "v1 without addresses": b"PROXY TCP4\r\n",
    "v1 another protocol": b"PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n",
    "v1 another family": b"PROXY TCP4 ::1 ::2 1 2\r\n",
    "v1 a zone": b"PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n",
    "v1 a name": b"PROXY TCP4 localhost 192.0.2.1 1 2\r\n",
    "v1 two blanks": b"PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n",
    "v1 a large port": b"PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n",
    "v1 a port with a zero": b"PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
    "v1 a port with a sign": b"PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n",
    "v1 more behind": b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
    "v1 without an end": b"PROXY UNKNOWN " + b"x" * 93,
    "v1 a bare line feed": b"PROXY UNKNOWN\n" + b"x" * 93,
    "v2 of version 1": binary(0x11, 0x11, addresses(V4)),
    "v2 another command": binary(0x22, 0x11, addresses(V4)),
    "v2 datagrams": binary(0x21, 0x12, addresses(V4)),
    "v2 addresses cut off": binary(0x21, 0x21, addresses(V4)),
    "v2 too long": binary(0x21, 0x11, b"", 4081),
    "v2 an extension cut off": binary(0x21, 0x11, addresses(V4) + b"\x04\x00\x05abcd"),
    "v2 half an extension": binary(0x21, 0x11, addresses(V4) + b"\x04\x00"),
    "v2 a wrong checksum": with_checksum(CHECKED, change=1),
    "v2 a short checksum": binary(0x21, 0x11, addresses(V4) + extension(0x03, bytes(3))),
}


@pytest.mark.parametrize("size", [1, 2, 7, 13, 100, 1 << 20])
@pytest.mark.parametrize(("data", "expected"), GOOD.values(), ids=GOOD)
def test_a_header_in_pieces(data: bytes, expected: object, size: int) -> None:
    whole = data + b"GET / HTTP/1.1"
    header = ProxyHeader()
    at = 0
    while not header.feed(whole[at : at + size]):
        at += size
        assert at < len(data)
    assert (header.client, header.own) == expected
    assert header.rest + whole[at + size :] == b"GET / HTTP/1.1"


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_no_header(data: bytes, size: int) -> None:
    with pytest.raises(ProxyHeaderError):
        read_in_pieces(data, size)


def read_in_pieces(data: bytes, size: int) -> None:
    header = ProxyHeader()
    for at in range(0, len(data), size):
        assert not header.feed(data[at : at + size])


def test_the_checksum() -> None:
    # RFC 3720 appendix B.4.
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(bytes(range(32))) == 0x46DD794E
