"""The store's own tests, under sanitizers, killed and stopped processes among them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).resolve().parents[2] / "host" / "native" / "kv" / "tests" / "run.py"


def test_c_programs_pass_under_sanitizers() -> None:
    done = subprocess.run([sys.executable, str(RUN)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed_processes_leave_everything_whole" in done.stdout
