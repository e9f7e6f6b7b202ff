"""What is preloaded into tools that start an interpreter while a guest is built."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sentinel_host.authoring import steady
from sentinel_host.authoring.processes import clean_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the library is one for Linux")

ASK = "import os, time; print(time.time(), time.monotonic(), os.getrandom(6).decode())"


def asked(seed: str) -> str:
    environment = clean_environment(steady.environment(seed, files=True))
    return subprocess.check_output((sys.executable, "-c", ASK), env=environment, text=True).strip()


def test_the_clock_stands_and_random_numbers_follow_from_the_seed() -> None:
    assert steady.LIBRARY is not None
    assert asked("abcd") == "1700000000.0 1700000000.0 abcdab"
    assert asked("ef") == "1700000000.0 1700000000.0 efefef"


def test_what_else_is_preloaded_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "other.so")
    assert steady.environment("seed")["LD_PRELOAD"] == f"{steady.LIBRARY}:other.so"
    assert "SENTINEL_STEADY_FILES" not in steady.environment("seed")


def test_elsewhere_nothing_is_preloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "LIBRARY", None)
    assert steady.environment("seed") == {}
    assert steady.identity() == ""
