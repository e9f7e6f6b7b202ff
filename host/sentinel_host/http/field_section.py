"""Field sections of HTTP/2 and HTTP/3, whichever way they were compressed: their size, and which values they may hold.

Rule: A section's size is that of HTTP/1: the bytes of names and values, with four for each field. The crumbs of a
      cookie count as one field (RFC 9113 section 8.2.3).
"""

from __future__ import annotations

from typing import Final

from sentinel_host.grammar import CONTROLS

Fields = list[tuple[bytes, bytes]]

FIELD_COST: Final = 4
"""What a field costs beside its name and value: the colon, the space and the line end that it has on HTTP/1."""
SAVED_BY_CRUMB: Final = len(b"cookie") + FIELD_COST - len(b"; ")
"""How much less a cookie's second field costs than another field of its size."""
_NOT_LINE_END: Final = bytes(byte for byte in range(256) if byte not in b"\n")
_CONTROLS: Final = CONTROLS.replace(b"\n", b"")


class Malformed(Exception):
    """A malformed message (RFC 9113 section 8.1.1, RFC 9114 section 4.1.2): an error of its stream alone."""


def section_size(fields: Fields) -> int:
    """The bytes of a field section, as the limit counts them."""
    crumbs = sum([name == b"cookie" for name, _ in fields])
    size = sum([len(name) + len(value) + FIELD_COST for name, value in fields])
    return size - max(0, crumbs - 1) * SAVED_BY_CRUMB


def check_values(fields: Fields) -> None:
    """RFC 9113 section 8.2.1, and no other control character either: one pass over all values. Raises `Malformed`."""
    block = b"\n".join([b"", *(value for _, value in fields), b""])
    if (
        len(block.translate(None, _CONTROLS)) != len(block)
        or len(block.translate(None, _NOT_LINE_END)) != len(fields) + 1
    ):
        raise Malformed("control character in a header value")
    if b" \n" in block or b"\n " in block or b"\t\n" in block or b"\n\t" in block:
        raise Malformed("white space around a header value")
