"""Which response heads and trailers are written on HTTP/2 and HTTP/3.

Rule 1: Nothing is written of a message that has a fault: the application gets a `ValueError`, as on
        HTTP/1.
Rule 2: Connection-specific fields have no place here (RFC 9113 section 8.2.2, RFC 9114 section 4.2)
        and are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sentinel_host.grammar import CONNECTION_SPECIFIC, CONTROLS, MAX_LENGTH_DIGITS, is_field_name
from sentinel_host.http.field_section import Fields
from sentinel_host.memo import Memo

# What becomes of a field. Plain numbers: compiled code compares them in one instruction.
_AS_IT_IS: Final = 0
_LOWERED: Final = 1
_DROPPED: Final = 2
_LENGTH: Final = 3
_DATE: Final = 4
_SPECIAL: Final[dict[bytes, int]] = {
    **dict.fromkeys((*CONNECTION_SPECIFIC, b"te"), _DROPPED),
    b"content-length": _LENGTH,
    b"date": _DATE,
}
# An upstream makes names.
_KINDS: Final[Memo[bytes, int]] = Memo(1024, 64, _SPECIAL)


def response_head(status: object, headers: Iterable[Any]) -> tuple[Fields, int, bool]:
    """The fields of a final response's head, its Content-Length or -1, and whether it has a Date.

    Raises `ValueError` for what may not be written and for a malformed or repeated Content-Length.
    """
    if not isinstance(status, int) or not 200 <= status <= 999:
        raise ValueError(f"not a final status: {status!r}")
    length = -1
    dated = False
    fields: Fields = []
    values: list[bytes] = []
    kinds = _KINDS.known
    # As objects, so that compiled code hands the same tuple on.
    for field in headers:
        name, value = field
        kind = kinds.get(name)
        if kind is None:
            kind = _kind(name)
        if kind == _AS_IT_IS:
            fields.append(field)
        elif kind == _DROPPED:
            continue
        elif kind == _LENGTH:
            if length >= 0 or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
                raise ValueError(f"malformed or repeated content-length {value!r}")
            length = int(value)
            if status == 204:  # RFC 9110 8.6
                continue
            fields.append((b"content-length", value))
        else:
            fields.append((name.lower(), value))
            dated = dated or kind == _DATE
        values.append(value)
    _check(values)
    return fields, length, dated


def response_section(headers: Iterable[tuple[bytes, bytes]], *, trailers: bool = False) -> Fields:
    """The fields of a 1xx response or of trailers; raises `ValueError` for what may not be
    written.
    """
    fields: Fields = []
    for name, value in headers:
        kind = _KINDS.known.get(name)
        if kind is None:
            kind = _kind(name)
        if kind in (_DROPPED, _LENGTH):
            if trailers:
                raise ValueError(f"not a trailer field: {name!r}")
            continue
        fields.append((name.lower(), value))
    _check([value for _, value in fields])
    return fields


def _kind(name: object) -> int:
    if type(name) is not bytes:
        raise ValueError(f"malformed header name {name!r}")
    lower = name.lower()
    if is_field_name(lower) is None:
        raise ValueError(f"malformed header name {name!r}")
    kind = _SPECIAL.get(lower, _AS_IT_IS if lower == name else _LOWERED)
    _KINDS.keep(name, kind)
    return kind


def _check(values: list[bytes]) -> None:
    block = b"".join(values)
    if len(block.translate(None, CONTROLS)) != len(block):
        raise ValueError("control character in a header value")
