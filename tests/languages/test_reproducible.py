"""Two builds of an interpreter's guest, in two places, are the same file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel_host.authoring import steady
from sentinel_host.authoring.language import Build, Language
from sentinel_host.authoring.processes import clean_environment
from sentinel_host.authoring.python import Python
from sentinel_host.authoring.typescript import TypeScript
from tests.languages.conftest import HERE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what makes them the same is there on Linux")


@pytest.mark.parametrize("language", [Python(), TypeScript()], ids=lambda language: language.name)
def test_the_same_sources_come_to_the_same_bytes(
    language: Language, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if language.name == "python" and not can_filter_calls():
        pytest.skip("this system lets no program filter its own system calls")
    first: Path = request.getfixturevalue(f"{language.name}_guest")
    folder = tmp_path / "elsewhere"
    links = shutil.ignore_patterns(".sentinel", "node_modules", "build")
    shutil.copytree(HERE / language.name / "faults", folder, ignore=links)
    again = tmp_path / "built" / "faults.wasm"
    language.build(Build(folder, "faults", again))
    assert again.read_bytes() == first.read_bytes()


def can_filter_calls() -> bool:
    environment = clean_environment(steady.environment("seed", files=True))
    read = "print(open('/proc/self/status').read())"
    return "\nSeccomp:\t2" in subprocess.check_output((sys.executable, "-c", read), env=environment, text=True)
