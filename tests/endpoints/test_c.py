"""The C's own tests, under sanitizers: every schedule, killed processes, threads that race."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).resolve().parents[2] / "host" / "native" / "endpoints" / "tests" / "run.py"


def test_c_programs_pass_under_sanitizers() -> None:
    done = subprocess.run([sys.executable, str(RUN)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed_workers_leave_nothing_behind" in done.stdout
    assert "test_threads (thread)" in done.stdout
