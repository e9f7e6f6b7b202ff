"""Which response heads and trailers are written on HTTP/2 and HTTP/3.

Rule 1: Nothing is written of a message that has a fault: the application gets a `ValueError`, as on
        HTTP/1.
Rule 2: Connection-specific fields have no place here (RFC 9113 section 8.2.2, RFC 9114 section 4.2)
        and are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sentinel_host.fields import FieldNames
from sentinel_host.grammar import CONNECTION_SPECIFIC
from sentinel_host.http.field_section import Fields

_SPECIFIC: Final = (*CONNECTION_SPECIFIC, b"te")
# The numbers are those of `FieldNames.list_response`.
_NAMES: Final = FieldNames({b"content-length": 1, b"date": 2, **dict.fromkeys(_SPECIFIC, 4)})
_list: Final = _NAMES.list_response
frame_response: Final = _NAMES.frame_response
"""An ordinary response with its whole body, as frames of HTTP/2."""
_NO_PART: Final = FieldNames(dict.fromkeys((*_SPECIFIC, b"content-length"), 4))
_list_part: Final = _NO_PART.list_response
_NO_CONTENT: Final = 204


def response_head(status: object, headers: Iterable[Any]) -> tuple[Fields, int, bool]:
    """The fields of a final response's head, its Content-Length or -1, and whether it has a Date.

    Raises `ValueError` for what may not be written and for a malformed or repeated Content-Length.
    """
    if not isinstance(status, int) or not 200 <= status <= 999:
        raise ValueError(f"not a final status: {status!r}")
    # RFC 9110 section 8.6: a 204 has no length.
    return _list(headers, status != _NO_CONTENT)


def response_section(headers: Iterable[tuple[bytes, bytes]], *, trailers: bool = False) -> Fields:
    """The fields of a 1xx response or of trailers; raises `ValueError` for what may not be
    written.
    """
    if not trailers:
        return _list_part(headers, False)[0]
    section = list(headers)
    fields = _list_part(section, False)[0]
    if len(fields) != len(section):
        name = next(name for name, _ in section if _NO_PART.number_of(name))
        raise ValueError(f"not a trailer field: {name!r}")
    return fields
