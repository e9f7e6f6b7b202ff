"""The C's own tests, under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).resolve().parents[2] / "host" / "native" / "tests" / "run.py"


def test_c_programs_pass_under_sanitizers() -> None:
    done = subprocess.run([sys.executable, str(RUN)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "random_answers_never_read_outside" in done.stdout
