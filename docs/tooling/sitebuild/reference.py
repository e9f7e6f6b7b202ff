"""The generated pages of the reference, and what watches a gateway."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from sitebuild import commands, configuration, contract, metrics, monitoring
from sitebuild.places import REFERENCE, ROOT

PAGES: Final[dict[Path, Callable[[], str]]] = {
    REFERENCE / "configuration.md": configuration.page,
    REFERENCE / "cli.md": commands.page,
    REFERENCE / "metrics.md": metrics.page,
    REFERENCE / "wit.md": contract.page,
    monitoring.DASHBOARD: monitoring.dashboard,
    monitoring.ALERTS: monitoring.alerts,
}


def write() -> None:
    """Write every file that is made of code."""
    for path, page in PAGES.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page())


def stale() -> list[str]:
    """One line for each file that is not what the code says."""
    return [
        f"{path.relative_to(ROOT)} is not what the code says; `nox -s docs` writes it anew"
        for path, page in PAGES.items()
        if not path.is_file() or path.read_text() != page()
    ]
