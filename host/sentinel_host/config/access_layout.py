"""How a line of the access log is laid out: JSON, a format that tools know, or a text with fields
in it.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Final

JSON: Final = "json"
COMMON: Final = "common"
"""Apache's formats, which every tool reads; ``COMBINED`` has two more fields."""
COMBINED: Final = "combined"

FIELDS: Final = (
    *("time", "request_id", "trace_id", "client", "method", "path", "query", "authority", "http_version"),
    *("route", "status", "outcome", "origin", "duration_ms", "request_bytes", "response_bytes"),
    *("upstream", "endpoint", "upstream_ms", "tries", "user_agent", "referer"),
)
"""What a line may tell."""

DEFAULT_FIELDS: Final = (
    *("time", "request_id", "client", "method", "path", "status", "duration_ms", "response_bytes"),
    *("route", "upstream", "endpoint", "outcome"),
)


def check_layout(layout: str, fields: Sequence[str]) -> None:
    """Raises `ValueError` with a reason for what is no layout."""
    if layout == JSON:
        for name in fields:
            _check_field(name)
    elif fields:
        raise ValueError("fields are chosen for the format json only")
    elif layout not in (COMMON, COMBINED) and not any(name is not None for _, name in parse_layout(layout)):
        raise ValueError("expected json, common, combined, or a text with fields such as {status}")


def parse_layout(layout: str) -> list[tuple[str, str | None]]:
    """A text's pieces, each with the field behind it, if there is one. Raises `ValueError` with a
    reason.
    """
    if not layout.isprintable():
        raise ValueError("expected one line of printable text")
    parts = []
    for literal, name, specification, conversion in string.Formatter().parse(layout):
        if name is not None:
            _check_field(name)
            if specification or conversion:
                raise ValueError(f"{{{name}}} takes nothing behind the name")
        parts.append((literal, name))
    return parts


def _check_field(name: str) -> None:
    if name not in FIELDS:
        raise ValueError(f"there is no field {name!r}; known: {', '.join(FIELDS)}")
