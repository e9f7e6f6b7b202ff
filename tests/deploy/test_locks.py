"""What an image is built from is pinned, and the pins are what the package asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.deploy.examples import DEPLOY, PROJECT


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("requirements.txt", PROJECT["project"]["dependencies"]),
        ("build-requirements.txt", PROJECT["build-system"]["requires"]),
    ],
)
def test_every_requirement_is_pinned_with_hashes(file: str, wanted: list[str]) -> None:
    pinned = pins(DEPLOY / file)
    for requirement in map(Requirement, wanted):
        version = pinned.get(requirement.name, "0")
        assert requirement.specifier.contains(version), f"{file} lacks {requirement}: its head says how it is made"


def pins(file: Path) -> dict[str, str]:
    """The versions by name; each has a hash."""
    lines = "".join(line for line in file.read_text().splitlines(keepends=True) if not line.startswith("#"))
    found = {}
    for line in lines.replace("\\\n", " ").splitlines():
        requirement, *hashes = line.split("--hash=sha256:")
        assert hashes, line
        name, _, version = requirement.partition(";")[0].strip().partition("==")
        found[name] = version
    return found
