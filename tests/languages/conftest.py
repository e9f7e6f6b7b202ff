"""Guests in languages other than the two of the first SDKs, that fail as they are asked to."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestbuild.places import BUILD
from guestbuild.project_guests import build_projects
from sentinel_host.authoring.c import C
from sentinel_host.authoring.cache import locked
from sentinel_host.authoring.go import Go
from sentinel_host.authoring.language import Build, Language
from sentinel_host.authoring.python import Python
from sentinel_host.authoring.typescript import TypeScript
from sentinel_host.authoring.zig import Zig

HERE = Path(__file__).parent
BUILT = BUILD / "languages"
# Files of tests that run at the same time want the same guests, which take up to a minute to build.
LOCK = BUILD / "languages.lock"
LANGUAGES: dict[str, Language] = {language.name: language for language in (C(), Go(), Zig())}


@pytest.fixture(scope="session")
def faulty_guests() -> dict[str, Path]:
    """The guest ``faulty`` of each language, by the language's name."""
    built = {}
    with locked(LOCK):
        for name, language in LANGUAGES.items():
            (guest,) = build_projects(language, HERE / name, BUILT / name)
            built[name] = Path(guest.path)
    return built


@pytest.fixture(scope="session")
def python_guest() -> Path:
    """The guest ``faults`` in Python, which does what the query says."""
    file = BUILT / "python" / "faults.wasm"
    with locked(LOCK):
        Python().build(Build(HERE / "python" / "faults", "faults", file))
    return file


@pytest.fixture(scope="session")
def typescript_guest() -> Path:
    """The guest ``faults`` in TypeScript, which does what the query says."""
    file = BUILT / "typescript" / "faults.wasm"
    file.parent.mkdir(parents=True, exist_ok=True)
    with locked(LOCK):
        TypeScript().build(Build(HERE / "typescript" / "faults", "faults", file))
    return file
