"""The generated pages of the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sitebuild import commands, configuration, contract, metrics
from sitebuild.places import REFERENCE

PAGES: Final[dict[str, Callable[[], str]]] = {
    "configuration.md": configuration.page,
    "cli.md": commands.page,
    "metrics.md": metrics.page,
    "wit.md": contract.page,
}


def write() -> None:
    """Write every page that is made of code."""
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page())


def stale() -> list[str]:
    """One line for each page that is not what the code says."""
    return [
        f"docs/reference/{name} is not what the code says; `nox -s docs` writes it anew"
        for name, page in PAGES.items()
        if not (REFERENCE / name).is_file() or (REFERENCE / name).read_text() != page()
    ]
