"""The site: every page of the documentation in one folder, as zensical wants them.

Pages link to each other as they stand in the repository. Here links follow pages to their place on
the site, images are copied, and a link to a file that is no page becomes that file's path.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from sitebuild.markdown import LINK, links, prose, without_blocks
from sitebuild.places import DOCS, ELSEWHERE, ROOT, pages

_IMAGES: Final = {".svg", ".png"}
_FOREIGN: Final = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(?:https?:)?//|<link\b[^>]*\bstylesheet")
_CONFIGURATION: Final = """\
[project]
site_name = "Sentinel"
site_description = "An API gateway whose every middleware is a sandboxed WebAssembly guest"
docs_dir = "pages"
site_dir = "site"
use_directory_urls = false
nav = NAV

[project.theme]
# Fonts would come from another host.
font = false
features = ["navigation.indexes", "navigation.top", "content.code.copy"]

[[project.theme.palette]]
scheme = "default"
media = "(prefers-color-scheme: light)"

[[project.theme.palette]]
scheme = "slate"
media = "(prefers-color-scheme: dark)"

[project.markdown_extensions]
tables = {}
attr_list = {}

[project.markdown_extensions.toc]
permalink = true

[project.markdown_extensions.pymdownx.highlight]

[project.markdown_extensions.pymdownx.superfences]
"""


def build(target: Path) -> int:
    """Build the site below a folder; returns zensical's exit code, 0 when every link of it leads
    somewhere.
    """
    shutil.rmtree(target, ignore_errors=True)
    places = {path: target / "pages" / _place(path) for path in pages()}
    for source, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_moved(source, place, places, target / "pages"))
    navigation = json.dumps(_navigation(places, target / "pages"))
    (target / "zensical.toml").write_text(_CONFIGURATION.replace("NAV", _as_toml(json.loads(navigation))))
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=target, check=False).returncode


def foreign(site: Path) -> list[str]:
    """The built pages that load a script, a style or an image from another host."""
    return [
        f"{page.relative_to(site)}: {match[0]}"
        for page in sorted(site.rglob("*.html"))
        for match in _FOREIGN.finditer(page.read_text())
        if "//" in match[0]
    ]


def unlisted() -> list[str]:
    """Pages that nobody finds from the index: neither it nor the decisions' own index has a link to
    them.
    """
    listed = {DOCS / "index.md", ROOT / "README.md"}
    for index in (DOCS / "index.md", DOCS / "decisions" / "README.md"):
        listed |= {(index.parent / target).resolve() for _, target in links(index.read_text())}
    found = [path for path in DOCS.rglob("*.md") if path.resolve() not in listed]
    return [f"{path.relative_to(ROOT)} is listed in no index" for path in sorted(found)]


def _place(path: Path) -> str:
    """Where the site has a page."""
    name = path.relative_to(ROOT).as_posix()
    return ELSEWHERE.get(name) or re.sub(r"README\.md$", "index.md", name.removeprefix("docs/"))


def _moved(source: Path, place: Path, places: dict[Path, Path], folder: Path) -> str:
    """A page with its links as they are to be on the site."""
    page = source.read_text()

    def follow(match: re.Match[str]) -> str:
        text, target = match[1], match[2]
        if ":" in target.partition("/")[0] or target.startswith("#"):
            return match[0]
        name, hash_, anchor = target.partition("#")
        file = (source.parent / name).resolve()
        if file in places:
            return f"[{text}]({os.path.relpath(places[file], place.parent)}{hash_}{anchor})"
        if file.suffix in _IMAGES:
            copy = folder / "images" / file.name
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, copy)
            return f"[{text}]({os.path.relpath(copy, place.parent)})"
        path = file.relative_to(ROOT).as_posix()
        return text if text in path else f"{text} (`{path}`)"

    moved = page
    # From the end, so that what comes before stands where it stood.
    for match in reversed(list(LINK.finditer(without_blocks(page)))):
        moved = moved[: match.start()] + follow(match) + moved[match.end() :]
    return moved


def _navigation(places: dict[Path, Path], folder: Path) -> list[object]:
    """The site's navigation, by the headings and links of the index."""
    sections: list[tuple[str, list[str]]] = []
    for _, line in prose((DOCS / "index.md").read_text()):
        if line.startswith("## "):
            sections.append((line[3:], []))
        elif sections:
            for match in LINK.finditer(line):
                page = places[(DOCS / match[2]).resolve()]
                sections[-1][1].append(page.relative_to(folder).as_posix())
    decisions = sorted(path.relative_to(folder).as_posix() for path in (folder / "decisions").glob("*.md"))
    sections[-1][1].remove("decisions/index.md")
    sections.append(("Decisions", ["decisions/index.md", *(name for name in decisions if "index" not in name)]))
    sections.append(("Project", ["readme.md", "GLOSSARY.md", "contributing.md", "changelog.md"]))
    return ["index.md", *({title: found} for title, found in sections)]


def _as_toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_as_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(key)} = {_as_toml(each)}' for key, each in value.items())} }}"
    return json.dumps(value)
