"""Compiles and runs the limiter's C tests under sanitizers; needs gcc or clang.

``python host/native/limiter/tests/run.py [NAME ...]`` runs those of that name, or all: every one
under the address and undefined-behaviour sanitizers, the threads under the thread sanitizer too.
"""

from __future__ import annotations

import platform
import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = sorted((HERE.parent / "src").glob("*.c"))
# As the module is built.
FLAGS = ["-mcx16"] if platform.machine() == "x86_64" else []
SANITIZERS = {
    "test_siphash": ["address,undefined"],
    "test_state": ["address,undefined"],
    "test_limiter": ["address,undefined"],
    # It switches stacks, which the address sanitizer does not follow.
    "test_schedules": ["undefined"],
    # It forks hundreds of times, and the address sanitizer's shadow makes each take long.
    "test_kills": ["undefined"],
    "test_threads": ["address,undefined", "thread"],
}
testing = runpy.run_path(str(HERE.parents[1] / "testing.py"))

if __name__ == "__main__":
    # test_schedules includes the source.
    sources = {"": SOURCES, "test_schedules": []}
    sys.exit(testing["run_tests"](sys.argv[1:], SANITIZERS, HERE, sources, FLAGS))
