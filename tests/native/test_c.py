"""The C's own tests, under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parents[2] / "host" / "native" / "tests" / "run.py"
PROGRAMS = sorted(path.stem for path in RUN.parent.glob("test_*.c"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_c_program_passes_under_sanitizers(program: str) -> None:
    done = subprocess.run([sys.executable, str(RUN), program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert program in done.stdout
    assert program != "test_guest" or "random_answers_never_read_outside" in done.stdout
