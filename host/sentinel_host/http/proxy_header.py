"""The PROXY protocol's header, by which a load balancer says who connected to it.

Source: "The PROXY protocol, versions 1 and 2" (HAProxy, doc/proxy-protocol.txt).
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_WORD: Final = b"PROXY "
# Section 2.1: a receiver waits for the line end in its first 107 bytes.
_LONGEST_LINE: Final = 107
_FIXED: Final = 16
# nginx reads as much. A header holds addresses, and names and identifiers of the load balancer.
_LONGEST: Final = 4096
_LOCAL: Final = 0x20
_PROXY: Final = 0x21
# Of the family and the protocol: bytes of an address.
_TCP4: Final = 0x11
_TCP6: Final = 0x21
# Those whose addresses say nothing to HTTP, with the bytes that both addresses take.
_WITHOUT_ADDRESS: Final = {0x00: 0, 0x31: 216}
_CRC32C: Final = 0x03
_PORT: Final = re.compile(rb"0|[1-9][0-9]{0,4}")


class ProxyHeaderError(ValueError):
    """What came is not a PROXY header."""


class ProxyHeader:
    """Reads one header, of either version, from bytes that are cut anywhere.

    When ``is_complete``, ``client`` and ``own`` are the addresses of the connection to the load
    balancer, both None if the header tells of none, and ``rest`` is what came behind it.
    """

    __slots__ = ("_data", "client", "is_complete", "own", "rest")

    def __init__(self) -> None:
        self._data = b""
        self.is_complete = False
        self.client: tuple[str, int] | None = None
        self.own: tuple[str, int] | None = None
        self.rest = b""

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; says whether the header is complete. Raises `ProxyHeaderError`."""
        self._data += data
        if _SIGNATURE.startswith(self._data[: len(_SIGNATURE)]):
            self._read_binary()
        elif _WORD.startswith(self._data[: len(_WORD)]):
            self._read_line()
        else:
            raise ProxyHeaderError("the connection does not begin with a PROXY header")
        return self.is_complete

    def _end(self, size: int) -> None:
        self.is_complete = True
        self.rest = self._data[size:]
        self._data = b""

    def _read_line(self) -> None:
        end = self._data.find(b"\r\n", 0, _LONGEST_LINE)
        if end < 0:
            if len(self._data) >= _LONGEST_LINE:
                raise ProxyHeaderError("a line that is too long")
            return
        words = self._data[:end].split(b" ")
        if words[1] != b"UNKNOWN":
            if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
                raise ProxyHeaderError("a line that is not TCP4, TCP6 or UNKNOWN with addresses and ports")
            version = 4 if words[1] == b"TCP4" else 6
            self.client = _written(version, words[2], words[4])
            self.own = _written(version, words[3], words[5])
        self._end(end + 2)

    def _read_binary(self) -> None:
        data = self._data
        if len(data) < _FIXED:
            return
        size = _FIXED + int.from_bytes(data[14:16], "big")
        command, family = data[12], data[13]
        if command not in (_LOCAL, _PROXY):
            raise ProxyHeaderError("neither LOCAL nor PROXY of version 2")
        if size > _LONGEST:
            raise ProxyHeaderError(f"more than {_LONGEST} bytes")
        if len(data) < size:
            return
        # Section 2.2: of LOCAL, everything else is ignored.
        if command == _PROXY:
            self._read_addresses(data[:size], family)
        self._end(size)

    def _read_addresses(self, header: bytes, family: int) -> None:
        if family in (_TCP4, _TCP6):
            length = 4 if family == _TCP4 else 16
            at = _FIXED + 2 * length
            end = at + 4
        elif family in _WITHOUT_ADDRESS:
            length, at = 0, _FIXED
            end = _FIXED + _WITHOUT_ADDRESS[family]
        else:
            raise ProxyHeaderError("addresses of another protocol than TCP")
        if end > len(header):
            raise ProxyHeaderError("addresses that are cut off")
        _check_extensions(header, end)
        if length:
            client, own = header[_FIXED : _FIXED + length], header[_FIXED + length : at]
            self.client = _packed(client), int.from_bytes(header[at : at + 2], "big")
            self.own = _packed(own), int.from_bytes(header[at + 2 : end], "big")


def _written(version: int, address: bytes, port: bytes) -> tuple[str, int]:
    try:
        parsed = ipaddress.ip_address(address.decode("ascii"))
    except ValueError:
        raise ProxyHeaderError("an address that is none") from None
    if parsed.version != version or b"%" in address:
        raise ProxyHeaderError("an address of another family")
    if _PORT.fullmatch(port) is None or int(port) > 65535:
        raise ProxyHeaderError("a port that is none")
    return str(parsed), int(port)


def _packed(address: bytes) -> str:
    return str(ipaddress.ip_address(address))


def _check_extensions(header: bytes, at: int) -> None:
    """The TLVs of section 2.2. Only the checksum is looked at, which has to be right if it is
    there.
    """
    while at < len(header):
        value = at + 3
        end = value + int.from_bytes(header[at + 1 : value], "big")
        if end > len(header):
            raise ProxyHeaderError("an extension that is cut off")
        if header[at] == _CRC32C:
            zeroed = header[:value] + bytes(end - value) + header[end:]
            if header[value:end] != crc32c(zeroed).to_bytes(4, "big"):
                raise ProxyHeaderError("a wrong checksum")
        at = end


def crc32c(data: bytes) -> int:
    """The checksum of RFC 9260 appendix A."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
