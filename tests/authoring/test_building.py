from __future__ import annotations

from pathlib import Path

import pytest

from sentinel_host.authoring.building import build_once, failure, present
from sentinel_host.authoring.language import Build
from sentinel_host.errors import ToolchainError


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(tmp_path, "guest", tmp_path / "build" / "guest.wasm")


def fails() -> bytes:
    raise ToolchainError("it does not build")


def test_a_guest_is_built_again_only_from_other_inputs(build: Build) -> None:
    build_once(build, "one", lambda: b"first")
    assert build.file.read_bytes() == b"first"
    build_once(build, "one", fails)
    build_once(build, "two", lambda: b"second")
    assert build.file.read_bytes() == b"second"
    assert sorted(path.name for path in build.file.parent.iterdir()) == [".guest.json", "guest.wasm"]


def test_a_guest_that_was_changed_by_hand_is_built_again(build: Build) -> None:
    build_once(build, "one", lambda: b"first")
    build.file.write_bytes(b"other")
    build_once(build, "one", lambda: b"first")
    assert build.file.read_bytes() == b"first"


def test_a_build_that_fails_leaves_the_guest_alone(build: Build) -> None:
    build_once(build, "one", lambda: b"first")
    with pytest.raises(ToolchainError, match="it does not build"):
        build_once(build, "two", fails)
    assert build.file.read_bytes() == b"first"
    build_once(build, "one", fails)


def test_the_sources_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "a.json").touch()
    assert present(tmp_path, ("src", "b.json", "a.json")) == [tmp_path / "src", tmp_path / "a.json"]


def test_a_failure_shows_both_ends_of_a_long_output() -> None:
    told = str(failure("guest", "\n".join(f"line {number}" for number in range(200))))
    assert told.startswith("guest does not build:\nline 0\n")
    assert told.endswith("\nline 199")
    assert "lines left out" in told
