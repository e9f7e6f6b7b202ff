"""The C's own tests, under sanitizers: every schedule, killed processes, threads that race."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).resolve().parents[2] / "host" / "native" / "limiter" / "tests" / "run.py"


def test_c_programs_pass_under_sanitizers() -> None:
    done = subprocess.run([sys.executable, str(RUN)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a_caller_killed_anywhere_is_in_nobodys_way" in done.stdout
    assert "test_threads (thread)" in done.stdout
