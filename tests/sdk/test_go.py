"""The Go SDK: its README's guest and test are run, and what a build refuses is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestbuild.places import REPOSITORY
from sentinel_host.authoring.go import Go
from sentinel_host.authoring.go_toolchain import is_too_old
from sentinel_host.authoring.project import Project, create_project
from sentinel_host.errors import ToolchainError
from sentinel_host.pytest_plugin import StartGuest
from sitebuild.markdown import blocks

README = REPOSITORY / "sdk" / "go" / "README.md"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return create_project(tmp_path / "maintenance", Go())


def test_the_guest_of_the_readme(project: Project, sentinel_guest: StartGuest) -> None:
    guest_code, test_code = (block.text for block in blocks(README.read_text()) if block.language == "go")
    (project.folder / "self-test.json").unlink()
    (project.folder / "guest.go").write_text(guest_code)
    (project.folder / "guest_test.go").write_text(test_code)
    unit_tests = project.language.test(project.folder)
    assert unit_tests is not None
    assert unit_tests.passed, unit_tests.output
    project.build()
    assert b'"default": "/health"' in project.file.read_bytes()
    guest = sentinel_guest(project.file, config={"open": "/up"})
    assert guest.request("GET", "/up/now").action == "continue"
    refused = guest.request("GET", "/health")
    assert (refused.status, refused.body) == (503, b"back soon\n")


def test_a_hook_that_is_none_is_refused(project: Project) -> None:
    source = project.folder / "guest.go"
    source.write_text(source.read_text().replace("func OnRequest(", "func OnReqest("))
    with pytest.raises(ToolchainError, match="OnReqest is no hook"):
        project.build()


@pytest.mark.parametrize(
    ("version", "too_old"), [("go1.23.9", True), ("go1.24", False), ("go1.26.8", False), ("go2.0", False), ("", True)]
)
def test_versions(version: str, too_old: bool) -> None:
    assert is_too_old(version) == too_old
