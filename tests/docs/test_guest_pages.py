"""The configurations on the pages of standard guests are taken by the guests themselves, self-tests
included.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from guestbuild.places import GUESTS, REPOSITORY
from sitebuild.markdown import blocks

PAGES = sorted((REPOSITORY / "docs" / "guests").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_guest_accepts_what_its_page_shows(page: Path, tmp_path: Path) -> None:
    shown = [block.text for block in blocks(page.read_text()) if block.language == "toml"]
    assert shown
    for text in shown:
        config = tmp_path / "sentinel.toml"
        upstream = '\n[[upstream]]\nname = "origin"\ntargets = ["http://127.0.0.1:9000"]\n'
        directory = f'[guests]\ndirectory = "{GUESTS / "rust"}"\n'
        config.write_text(directory + text + ("" if "[[upstream]]" in text else upstream))
        command = [sys.executable, "-m", "sentinel_host", "check", "--config", str(config)]
        checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert checked.returncode == 0, checked.stderr
        assert page.stem in checked.stdout, checked.stdout
