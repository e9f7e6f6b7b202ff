"""Compiles and runs the endpoint table's C tests under sanitizers; needs gcc or clang.

``python host/native/endpoints/tests/run.py [NAME ...]`` runs those of that name, or all: every one
under the address and undefined-behaviour sanitizers, the threads under the thread sanitizer too.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = sorted((HERE.parent / "src").glob("*.c"))
SANITIZERS = {
    "test_table": ["address,undefined"],
    "test_group": ["address,undefined"],
    "test_maglev": ["address,undefined"],
    # It switches stacks, which the address sanitizer does not follow.
    "test_schedules": ["undefined"],
    # It forks hundreds of times, and the address sanitizer's shadow makes each take long.
    "test_kills": ["undefined"],
    "test_threads": ["address,undefined", "thread"],
}
testing = runpy.run_path(str(HERE.parents[1] / "testing.py"))

if __name__ == "__main__":
    # test_schedules includes the sources.
    sys.exit(testing["run_tests"](sys.argv[1:], SANITIZERS, HERE, {"": SOURCES, "test_schedules": []}))
