"""The templates of redirects: a URL with ``{scheme}``, ``{host}``, ``{path}`` and ``{query}`` of a
request in it.

``{host}`` has no port. ``{path}`` begins with a slash; ``{query}`` begins with a question mark, or
is empty.

Rule 1: where the authority begins and ends is decided here, never by a request: what follows
        ``://`` is a host, and nothing of a path or a query can become a part of it.
Rule 2: a location without a host begins with exactly one slash. What begins with two names a host
        (RFC 3986 section 4.2).
"""

from __future__ import annotations

import re
from typing import Final

NAMES: Final = ("scheme", "host", "path", "query")

_NAME: Final = re.compile(r"\{([^{}]*)\}")
# RFC 3986 section 2: unreserved and reserved characters, and escapes.
_LITERAL: Final = re.compile(r"(?:[!#$&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]|%[0-9A-Fa-f]{2})*").fullmatch
_START: Final = re.compile(
    r"(?:https?|\{scheme\})://(?:(?:[A-Za-z0-9._-]|\{host\})+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?=[/?#]|\{path\}|\{query\}|\Z)"
    r"|/(?!/)|\{path\}"
).match


def location_parts(template: str) -> tuple[str, ...]:
    """The texts and the names of a template in turns, beginning and ending with a text."""
    return tuple(_NAME.split(template))


def location_fault(template: str) -> str | None:
    """What is wrong with a template, or None."""
    parts = location_parts(template)
    for text in parts[::2]:
        if not _LITERAL(text):
            return "expected the characters of a URL, others written as % and two digits"
    for name in parts[1::2]:
        if name not in NAMES:
            return f"no part of a request is named {name!r} (known: {', '.join(NAMES)})"
    if not _START(template):
        return "expected http://, https:// or {scheme}:// and a host, or one slash, or {path}"
    if "/{path}" in template:
        return "{path} begins with a slash: write it without one before it"
    if "?{query}" in template:
        return "{query} begins with a question mark: write it without one before it"
    return None
