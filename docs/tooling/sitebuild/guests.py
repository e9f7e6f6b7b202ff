"""The pages of the standard guests: their tables of configuration, from the schemas inside the
built guests, and of costs, from the benchmark's figures.

A page is written by hand, but for what stands between the comments `CONFIGURATION` or `COST` and
`END`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sentinel_host.sandbox.artefact import read_artefact
from sitebuild.places import DOCS, ROOT

PAGES: Final = DOCS / "guests"
CONFIGURATION: Final = "<!-- made of the guest's schema -->"
COST: Final = "<!-- made of the figures of a benchmark -->"
END: Final = "<!-- end -->"
_FIGURES: Final = ROOT / "tests" / "bench" / "results" / "guest-call.json"
# What the hooks get, by what the names of their figures end in.
_HOOKS: Final = {
    "": "the request's head",
    "_request_chunk": "a request's body of one chunk",
    "_response": "the response's head",
    "_response_chunk": "a response's body of one chunk",
    "_complete": "the summary at the end",
}
_SIZES: Final = {"": "256 bytes", "_1024": "1 KiB", "_8192": "8 KiB"}
_BUILT: Final = ROOT / "build" / "guests" / "rust"


def write() -> None:
    """Write the tables of every page. Raises `ValueError` for a page without a place for them."""
    for page in _pages():
        page.write_text(_renewed(page))


def stale() -> list[str]:
    """One line for each page whose tables are not what schema and figures say."""
    return [
        f"docs/guests/{page.name} is not what schema and figures say; `nox -s guests docs` writes it anew"
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


def costs(name: str) -> str:
    """The table of what calls of a guest cost, in µs. Raises `ValueError` if nobody measured it."""
    figures: dict[str, float] = json.loads(_FIGURES.read_text())["figures"]
    rows = []
    for suffix, what in _HOOKS.items():
        found = [figures.get(f"guest_call.rust-{name}{suffix}{size}_us") for size in _SIZES]
        if None not in found:
            rows.append(f"| {what} | {' | '.join(f'{figure:.2g}' for figure in found)} |")
    if not rows:
        raise ValueError(f"{_FIGURES} has no {name}; `nox -s bench -- guest-call --json {_FIGURES}` measures it")
    return "\n".join([f"| | {' | '.join(_SIZES.values())} |", "|---|---|---|---|", *rows])


def _pages() -> list[Path]:
    return sorted(PAGES.glob("*.md"))


def _renewed(page: Path) -> str:
    return _with(_with(page.read_text(), CONFIGURATION, table(schema(page.stem)), page), COST, costs(page.stem), page)


def _with(text: str, begin: str, table: str, page: Path) -> str:
    before, found, rest = text.partition(f"{begin}\n")
    _, end, after = rest.partition(f"{END}\n")
    if not found or not end:
        raise ValueError(f"{page}: no place for a table between {begin} and {END}")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


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
