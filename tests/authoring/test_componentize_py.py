"""What componentize-py is given, shown by a program in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel_host.authoring import componentize_py
from sentinel_host.errors import ToolchainError

# As the real one does, it looks for packages in the environment, and leaves what it compiled beside
# the sources.
PROGRAM = """
import os
import sys
from pathlib import Path


def script():
    told = sys.argv
    folders = [Path(told[at + 1]) for at, word in enumerate(told) if word == "-p"]
    installed = Path(os.environ["VIRTUAL_ENV"], "lib").rglob("site-packages")
    files = sorted(path for folder in (*folders, *installed) for path in folder.rglob("*"))
    if any(path.name == "broken.py" for path in files):
        sys.exit("broken.py: no module")
    for folder in folders:
        (folder / "__pycache__").mkdir()
    Path(told[told.index("-o") + 1]).write_text(" ".join(path.name for path in files))
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module. The tool is installed; so is a package in the author's
    environment.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "environment"))
    package = tmp_path / "sentinel" / "tools" / f"componentize-py-{componentize_py.VERSION}" / "componentize_py"
    for file, text in {
        package / "__init__.py": PROGRAM,
        tmp_path / "environment" / "lib" / "python3" / "site-packages" / "undeclared.py": "",
        tmp_path / "src" / "guest.py": "",
        tmp_path / "src" / "__pycache__" / "guest.cpython-314.pyc": "",
    }.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "src"


def test_a_guest_finds_what_it_names_and_nothing_else(sources: Path, tmp_path: Path) -> None:
    """Packages of the author's environment used to become part of a guest that did not name them,
    and a second build read what the interpreter of the first one had compiled.
    """
    before = sorted(sources.rglob("*"))
    out = tmp_path / "out"
    componentize_py.componentize(tmp_path, "world", "guest", [sources, tmp_path / "missing"], out, "seed")
    assert out.read_text() == "guest.py"
    assert sorted(sources.rglob("*")) == before


def test_what_the_program_says_is_the_error(sources: Path, tmp_path: Path) -> None:
    (sources / "broken.py").touch()
    with pytest.raises(ToolchainError, match=r"broken\.py: no module"):
        componentize_py.componentize(tmp_path, "world", "guest", [sources], tmp_path / "out", "seed")
