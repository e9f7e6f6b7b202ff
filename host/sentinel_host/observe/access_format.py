"""What a line of the access log is made of: JSON with chosen fields, the common log formats, or a
text with fields in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from sentinel_host.config.access_layout import COMBINED, COMMON, DEFAULT_FIELDS, JSON, parse_layout
from sentinel_host.messages import Origin, Outcome
from sentinel_host.observe._access import Lines
from sentinel_host.sandbox.text import escape

Piece = tuple[bytes, str, str | int, tuple[bytes, ...]]
"""What `Lines` takes: the bytes in front of a value, its kind, where it is from, names."""

# How a value is written, as host/native/access/module.c knows it. A text that is missing or empty
# is null or empty in JSON, and else a dash, if it is not bare.
_JSON_STRING: Final = "j"
_TEXT: Final = "t"
_QUOTED: Final = "q"
_BARE: Final = "p"
_QUERY: Final = "?"
_NUMBER: Final = "n"
_SIZE: Final = "b"
_JSON_MILLIS: Final = "m"
_MILLIS: Final = "M"
_RFC3339: Final = "z"
_JSON_TIME: Final = "Z"
_CLF_TIME: Final = "c"
_NAME: Final = "e"

_TEXTS: Final[dict[str, str | int]] = {
    **{name: name for name in ("request_id", "client", "method", "path", "query", "authority", "http_version")},
    **{name: name for name in ("route", "upstream", "endpoint")},
    # Beside the summary.
    **{"trace_id": 0, "user_agent": 1, "referer": 2},
}
_NUMBERS: Final = frozenset(("status", "request_bytes", "response_bytes", "tries"))
_DURATIONS: Final = {"duration_ms": "duration", "upstream_ms": "upstream_duration"}
_ENUMS: Final[dict[str, type[IntEnum]]] = {"outcome": Outcome, "origin": Origin}
_HEADER_FIELDS: Final = frozenset(("user_agent", "referer"))


@dataclass(frozen=True, slots=True)
class Layout:
    """What each line is made of. ``with_fields`` and ``with_trace`` tell whether it has header
    fields, or the trace's id.
    """

    pieces: tuple[Piece, ...]
    end: bytes
    with_fields: bool
    with_trace: bool

    def lines(self) -> Lines:
        """A place to gather such lines."""
        return Lines(self.pieces, self.end, escape)


def layout_of(layout: str, fields: Sequence[str]) -> Layout:
    """What a layout that has been checked means."""
    if layout == JSON:
        return _json(fields or DEFAULT_FIELDS)
    if layout in (COMMON, COMBINED):
        return _apache(layout == COMBINED)
    return _text(layout)


def _json(fields: Sequence[str]) -> Layout:
    pieces = [
        _piece(f"{',' if index else '{'}{json.dumps(name)}:", name, is_json=True) for index, name in enumerate(fields)
    ]
    return _layout(pieces, "}\n", fields)


def _text(layout: str) -> Layout:
    pieces, names, literal = [], [], ""
    for text, name in parse_layout(layout):
        literal += text
        if name is not None:
            pieces.append(_piece(literal, name, is_json=False))
            names.append(name)
            literal = ""
    return _layout(pieces, f"{literal}\n", names)


def _apache(combined: bool) -> Layout:
    pieces: list[Piece] = [
        (b"", _TEXT, "client", ()),
        (b" - - [", _CLF_TIME, "started_at", ()),
        (b'] "', _BARE, "method", ()),
        (b" ", _BARE, "path", ()),
        (b"", _QUERY, "query", ()),
        (b" HTTP/", _BARE, "http_version", ()),
        (b'" ', _NUMBER, "status", ()),
        (b" ", _SIZE, "response_bytes", ()),
    ]
    if not combined:
        return _layout(pieces, "\n", ())
    pieces += [(b' "', _QUOTED, _TEXTS["referer"], ()), (b'" "', _QUOTED, _TEXTS["user_agent"], ())]
    return _layout(pieces, '"\n', ("referer", "user_agent"))


def _layout(pieces: Sequence[Piece], end: str, names: Sequence[str]) -> Layout:
    return Layout(tuple(pieces), end.encode(), bool(_HEADER_FIELDS & set(names)), "trace_id" in names)


def _piece(literal: str, name: str, *, is_json: bool) -> Piece:
    """A field behind a literal."""
    before = literal.encode()
    if name == "time":
        return before, _JSON_TIME if is_json else _RFC3339, "started_at", ()
    if name in _NUMBERS:
        return before, _NUMBER, name, ()
    if name in _DURATIONS:
        return before, _JSON_MILLIS if is_json else _MILLIS, _DURATIONS[name], ()
    if name in _ENUMS:
        return before, _NAME, name, _names(_ENUMS[name], '"' if is_json else "")
    return before, _JSON_STRING if is_json else _TEXT, _TEXTS[name], ()


def _names(enum: type[IntEnum], quote: str) -> tuple[bytes, ...]:
    """The names of an enum's members, which count from 0."""
    return tuple(f"{quote}{member.name.lower().replace('_', '-')}{quote}".encode() for member in sorted(enum))
