"""Field sections of HTTP/2 and HTTP/3, uncompressed: their size, and the values that they may hold.

Rule: A section's size is that of HTTP/1: the bytes of names and values, with four for each field.
      The crumbs of a cookie count as one field (RFC 9113 section 8.2.3).
"""

from __future__ import annotations

from typing import Final

from sentinel_host.fields import first_fault

Fields = list[tuple[bytes, bytes]]

FIELD_COST: Final = 4
"""Bytes of a field beside its name and value: colon, space and line end, as on HTTP/1."""
SAVED_BY_CRUMB: Final = len(b"cookie") + FIELD_COST - len(b"; ")
"""How much less a cookie's second field costs than another field of its size."""
_SPACE: Final = ord(" ")


class Malformed(Exception):
    """A malformed message (RFC 9113 section 8.1.1, RFC 9114 section 4.1.2): an error of its stream
    alone.
    """


def section_size(fields: Fields) -> int:
    """The bytes of a field section, as the limit counts them."""
    crumbs = sum([name == b"cookie" for name, _ in fields])
    size = sum([len(name) + len(value) + FIELD_COST for name, value in fields])
    return size - max(0, crumbs - 1) * SAVED_BY_CRUMB


def check_values(fields: Fields) -> None:
    """RFC 9113 section 8.2.1, and no other control character either. Raises `Malformed`."""
    if first_fault(fields) >= 0:
        raise Malformed("control character in a header value")
    for _, value in fields:
        # Control characters are excluded already: a byte up to the space is a space or a tab.
        if value and (value[0] <= _SPACE or value[-1] <= _SPACE):
            raise Malformed("white space around a header value")
