"""Links lead somewhere, indexes are complete, and generated pages are what the code says."""

from __future__ import annotations

import re
import tomllib

from sitebuild import links, reference, site
from sitebuild.places import ROOT


def test_every_link_names_a_file_and_a_heading_that_are_there() -> None:
    assert links.broken_links() == []


def test_every_page_is_listed_in_an_index() -> None:
    assert site.unlisted() == []


def test_the_reference_is_what_the_code_says() -> None:
    assert reference.stale() == []


def test_the_order_of_modules_is_the_one_that_is_enforced() -> None:
    """A package was once missing from one of two lists."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    enforced = [set(re.findall(r"\w+", layer)) for layer in reversed(contract["layers"])]
    (written,) = re.findall(r"```\n(errors → .*?)```", (ROOT / "ARCHITECTURE.md").read_text(), re.DOTALL)
    told = [set(re.findall(r"\w+", layer)) for layer in written.split("→")]
    # How the package is started is no module that anybody imports.
    assert told == enforced[: len(told)]
    assert enforced[len(told) :] == [{"__main__"}]
