"""Links lead somewhere, indexes are complete, and generated pages are what the code says."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from sitebuild import guests, links, markdown, reference, site
from sitebuild.places import DOCS, ROOT, pages


def test_every_link_names_a_file_and_a_heading_that_are_there() -> None:
    assert links.broken_links() == []


def test_prose_wraps() -> None:
    faults = [
        f"{path.relative_to(ROOT)}:{line} is longer than {markdown.WIDTH} columns"
        for path in links.documents()
        for line in markdown.long_lines(path.read_text())
    ]
    assert faults == []


def test_lines_of_prose_are_measured() -> None:
    long, target = "x" * 101, "y" * 101
    page = ["x" * 100, long, f"[a link]({target})", f"| {long} |", "```", long, "```", f"- {long}"]
    assert list(markdown.long_lines("\n".join(page))) == [2, 8]


def test_tables_are_whole() -> None:
    torn = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in links.documents()
        for line in markdown.torn_tables(path.read_text())
    ]
    assert torn == []


def test_a_row_that_a_blank_line_tears_off_is_found() -> None:
    page = ["| a |", "|---|", "| b |", "", "| c |", "```", "| d |", "```"]
    assert list(markdown.torn_tables("\n".join(page))) == [5]


def test_every_page_is_listed_in_an_index() -> None:
    assert site.unlisted() == []


def test_what_the_index_lists_is_on_the_site() -> None:
    """The site's navigation is made of it."""
    linked = {(DOCS / target).resolve() for _, target in markdown.links((DOCS / "index.md").read_text())}
    assert linked - set(pages()) == set()


def test_the_reference_is_what_the_code_says() -> None:
    assert reference.stale() == []


def test_tables_of_guests_are_what_their_schemas_say() -> None:
    assert guests.stale() == []


def test_a_schema_is_a_table() -> None:
    inner = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    schema = {
        "properties": {
            "mode": {"enum": ["a", "b"], "default": "a", "description": "a|b"},
            "many": {"type": "array", "items": inner},
            "named": {"type": "object", "additionalProperties": inner},
        }
    }
    assert guests.table(schema).splitlines()[2:] == [
        r'| `mode` | `"a"` or `"b"` | `"a"` | a\|b |',
        "| `many` | list of table | none |  |",
        "| `many[].name` | string | needed |  |",
        "| `named` | table of table | none |  |",
        "| `named.*.name` | string | needed |  |",
    ]


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = sorted(path.name[:3] for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert numbers == [f"{number:03}" for number in range(1, len(numbers) + 1)]


def test_terms_are_explained_once() -> None:
    tables = (ROOT / "docs" / "GLOSSARY.md").read_text().split("## ")[1:]
    terms = [term for table in tables for term in re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)[1:]]
    assert len(terms) == len(set(terms))


def test_the_order_of_modules_is_the_one_that_is_enforced() -> None:
    """A package was once missing from one of two lists."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    enforced = [set(re.findall(r"\w+", layer)) for layer in reversed(contract["layers"])]
    (written,) = re.findall(r"```\n(errors → .*?)```", (ROOT / "ARCHITECTURE.md").read_text(), re.DOTALL)
    told = [set(re.findall(r"\w+", layer)) for layer in written.split("→")]
    # How the package is started is no module that anybody imports.
    assert told == enforced[: len(told)]
    assert enforced[len(told) :] == [{"__main__"}]


def test_modules_and_files_that_documents_cite_are_there() -> None:
    """Documents name modules below the package, such as ``http/batch``, and files below the
    repository.
    """
    path = re.compile(
        r"`([a-z_0-9]+(?:/[\w.-]+)+)/?`|\b((?:config|gateway|hotload|http|server|supervisor)/[a-z0-9_/]+)"
    )
    cited = [ROOT / "ARCHITECTURE.md", *(ROOT / "docs" / "decisions").glob("*.md")]
    missing = [
        f"{page.name}: {found[1] or found[2]}"
        for page in cited
        for found in path.finditer(page.read_text())
        if not _exists(found[1] or found[2])
    ]
    assert missing == []


def test_functions_that_the_architecture_lists_are_there() -> None:
    """A line of a list is a module, a function or class in it, and what it does."""
    listed = re.findall(r"^([a-z0-9_/]+) +(\w+)(?:\.(\w+))?  ", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert len(listed) > 40
    missing = [
        f"{module}: {name}{'.' * bool(method)}{method}"
        for module, name, method in listed
        if not _defines(ROOT / "host" / "sentinel_host" / f"{module}.py", name, method)
    ]
    assert missing == []


def test_decisions_that_code_cites_are_there() -> None:
    decision = re.compile(r"docs/decisions/[\w-]+\.md")
    sources = [ROOT / "setup.py", *(ROOT / "host").rglob("*.[pch]*"), *(ROOT / "sdk").rglob("*.rs")]
    cited = {
        name
        for path in sources
        if path.suffix in {".py", ".c", ".h", ".rs"}
        for name in decision.findall(path.read_text())
    }
    assert cited
    assert [name for name in sorted(cited) if not (ROOT / name).is_file()] == []


def _defines(file: Path, name: str, method: str) -> bool:
    tree = ast.parse(file.read_text()) if file.is_file() else ast.Module([], [])
    if not method:
        return name in _names(tree.body)
    return any(
        isinstance(node, ast.ClassDef) and node.name == name and method in _names(node.body) for node in tree.body
    )


def _names(body: Iterable[ast.stmt]) -> set[str]:
    defined = {node.name for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)}
    # Functions in C are imported where Python uses them.
    return defined | {alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names}


def _exists(name: str) -> bool:
    bases = (ROOT, ROOT / "host" / "sentinel_host")
    return any((base / candidate).exists() for base in bases for candidate in (name, f"{name}.py"))
