"""The pages of the standard guests: their tables of configuration, from the schemas inside the
built guests.

A page is written by hand, but for what stands between the two comments `BEGIN` and `END`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sentinel_host.sandbox.artefact import read_artefact
from sitebuild.places import DOCS, ROOT

PAGES: Final = DOCS / "guests"
BEGIN: Final = "<!-- made of the guest's schema -->"
END: Final = "<!-- end -->"
_BUILT: Final = ROOT / "build" / "guests" / "rust"


def write() -> None:
    """Write the table of every page. Raises `ValueError` for a page without a place for it."""
    for page in _pages():
        page.write_text(_renewed(page))


def stale() -> list[str]:
    """One line for each page whose table is not what the guest's schema says."""
    return [
        f"docs/guests/{page.name} is not what the guest's schema says; `nox -s guests docs` writes it anew"
        for page in _pages()
        if page.read_text() != _renewed(page)
    ]


def schema(name: str) -> dict[str, Any]:
    """The schema of a built guest. Raises `GuestLoadError` if it is not built."""
    found: dict[str, Any] = json.loads(read_artefact(_BUILT / f"{name}.wasm").config_schema)
    return found


def table(found: dict[str, Any]) -> str:
    """The table of a schema's keys; those of nested tables have the outer key before them."""
    rows = [
        f"| `{key}` | {_kind(member)} | {default} | {_cell(member.get('description', ''))} |"
        for key, member, default in _keys(found, "")
    ]
    return "\n".join(["| key | type | default | |", "|---|---|---|---|", *rows])


def _pages() -> list[Path]:
    return sorted(PAGES.glob("*.md"))


def _renewed(page: Path) -> str:
    before, begin, rest = page.read_text().partition(f"{BEGIN}\n")
    _, end, after = rest.partition(f"{END}\n")
    if not begin or not end:
        raise ValueError(f"{page}: no place for the table between {BEGIN} and {END}")
    return f"{before}{begin}\n{table(schema(page.stem))}\n\n{end}{after}"


def _keys(found: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    needed = found.get("required", [])
    for name, member in found.get("properties", {}).items():
        default = "needed" if name in needed else "none"
        if "default" in member:
            default = f"`{json.dumps(member['default'])}`"
        yield prefix + name, member, default
        inner, separator = (member["items"], "[].") if "items" in member else (member, ".")
        if isinstance(inner.get("additionalProperties"), dict):
            inner, separator = inner["additionalProperties"], ".*."
        yield from _keys(inner, f"{prefix}{name}{separator}")


def _kind(member: dict[str, Any]) -> str:
    if "enum" in member:
        return " or ".join(f"`{json.dumps(choice)}`" for choice in member["enum"])
    kind: str = member.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(member['items'])}"
    if kind == "object":
        values = member.get("additionalProperties")
        return f"table of {_kind(values)}" if isinstance(values, dict) else "table"
    return {"boolean": "bool", "integer": "whole number"}.get(kind, kind)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
