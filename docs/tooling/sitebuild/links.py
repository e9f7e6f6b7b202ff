"""The links of every document in the repository: each names a file that is there, and a heading in
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sitebuild.markdown import anchors, links
from sitebuild.places import ROOT

_SKIPPED: Final = {".git", ".nox", "build", "node_modules", "target"}


def documents() -> list[Path]:
    """Every Markdown file of the repository that is not made by a build."""
    return sorted(path for path in ROOT.rglob("*.md") if not _SKIPPED.intersection(path.relative_to(ROOT).parent.parts))


def broken_links() -> list[str]:
    """One line for each link that leads nowhere. Links to other hosts are not followed."""
    return [fault for path in documents() for fault in _broken(path)]


def _broken(path: Path) -> Iterator[str]:
    for line, target in links(path.read_text()):
        if ":" in target.partition("/")[0]:
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name) if name else path
        at = f"{path.relative_to(ROOT)}:{line}"
        if not file.exists() or not file.resolve().is_relative_to(ROOT):
            yield f"{at}: there is no {target}"
        elif anchor and (file.suffix != ".md" or anchor not in anchors(file.read_text())):
            yield f"{at}: {name or 'this page'} has no heading #{anchor}"
