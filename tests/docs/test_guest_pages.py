"""The configurations on the pages of standard guests are taken by the guests themselves, self-tests
included.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from guestbuild.places import GUESTS, REPOSITORY
from sentinel_host.sandbox.artefact import read_artefact
from sitebuild.markdown import blocks
from tests.support.forked import run_command

PAGES = sorted((REPOSITORY / "docs" / "guests").glob("*.md"))


def test_each_standard_guest_has_a_page_a_schema_a_self_test_and_a_case_table() -> None:
    guests = sorted((GUESTS / "rust").glob("*.wasm"))
    assert [page.stem for page in PAGES] == [guest.stem for guest in guests]
    for guest in guests:
        artefact = read_artefact(guest)
        assert artefact.config_schema, guest.stem
        assert artefact.self_test, guest.stem
        assert (REPOSITORY / "guest-examples" / "cases" / f"{guest.stem}.json").is_file(), guest.stem


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_guest_accepts_what_its_page_shows(page: Path, tmp_path: Path) -> None:
    shown = [block.text for block in blocks(page.read_text()) if block.language == "toml"]
    assert shown
    for text in shown:
        config = tmp_path / "sentinel.toml"
        upstream = '\n[[upstream]]\nname = "origin"\ntargets = ["http://127.0.0.1:9000"]\n'
        directory = f'[guests]\ndirectory = "{GUESTS / "rust"}"\n'
        config.write_text(directory + text + ("" if "[[upstream]]" in text else upstream))
        checked = run_command(["check", "--config", str(config)], tmp_path)
        assert checked.returncode == 0, checked.stderr
        assert page.stem in checked.stdout, checked.stdout
