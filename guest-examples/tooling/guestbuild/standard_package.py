"""Assembles the folder that the package ``sentinel-guests`` is built from, out of guests that are
built already.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from guestbuild.places import GUESTS, REPOSITORY
from sentinel_host.errors import ToolchainError
from sentinel_host.sandbox.artefact import parse_artefact

_EXAMPLES = REPOSITORY / "guest-examples"
# Of a guest that is there in both languages, the first: it is smaller and faster.
_LANGUAGES = ("rust", "assemblyscript")


def assemble(out: Path) -> list[str]:
    """Make ``out`` anew; returns the guests' names.

    Raises ToolchainError if no guest is built, or one has no page. Raises GuestLoadError for a file
    that is none.
    """
    found = {path.stem: path for language in reversed(_LANGUAGES) for path in (GUESTS / language).glob("*.wasm")}
    if not found:
        raise ToolchainError(f"{GUESTS} has no guests: python guest-examples/tooling build")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(_EXAMPLES / "package", out)
    shutil.copy(REPOSITORY / "LICENSE", out)
    package = out / "sentinel_guests"
    for folder in ("wasm", "schemas", "docs"):
        (package / folder).mkdir()
    for name, path in sorted(found.items()):
        document = _document(name)
        data = path.read_bytes()
        schema = parse_artefact(data, str(path)).config_schema
        (package / "wasm" / path.name).write_bytes(data)
        (package / "docs" / f"{name}.md").write_bytes(document.read_bytes())
        if schema:
            (package / "schemas" / f"{name}.json").write_bytes(schema)
    return sorted(found)


def _document(name: str) -> Path:
    """A guest's page. Raises ToolchainError if there is none."""
    page = REPOSITORY / "docs" / "guests" / f"{name}.md"
    if not page.is_file():
        raise ToolchainError(f"{page} is missing: each standard guest has a page")
    return page
