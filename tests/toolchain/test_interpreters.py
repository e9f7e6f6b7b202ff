from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from guestbuild import interpreters


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_the_running_interpreter_is_found_once_under_its_tag() -> None:
    found = interpreters.installed()
    assert [python.tag for python in found].count(interpreters.TAG) == 1
    version = ".".join(map(str, sys.version_info[:3]))
    assert {python.tag: python.version for python in found}[interpreters.TAG] == version
    assert [python.tag for python in found] == sorted(python.tag for python in found)


def test_what_is_no_supported_cpython_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shim of pyenv's stands on PATH and fails where its version is not chosen: it is no
    interpreter.
    """
    script(tmp_path / "python3.97", "echo 'pyenv: python3.97: command not found' >&2; exit 127")
    script(tmp_path / "python3.98", "echo PyPy 3.98.0 True /usr/bin/pypy")
    script(tmp_path / "python3.99", "echo CPython 3.99.1 False /usr/bin/python3.99")
    script(tmp_path / "python3.10", "echo CPython 3.10.1 True /usr/bin/python3.10")
    script(tmp_path / "python3.96", "echo CPython 3.96.2 True /opt/has blanks/python3.96")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = {python.tag: python for python in interpreters.installed()}
    assert not {"cp397", "cp398", "cp399", "cp310"} & set(found)
    assert found["cp396"] == interpreters.Interpreter("3.96.2", "cp396", "/opt/has blanks/python3.96")
