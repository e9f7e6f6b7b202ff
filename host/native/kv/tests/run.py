"""Compiles and runs the store's C tests under sanitizers; needs gcc or clang.

``python host/native/kv/tests/run.py [NAME ...]`` runs those of that name, or all.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1]
SOURCES = [*sorted((HERE.parent / "src").glob("*.c")), NATIVE / "limiter" / "src" / "siphash.c"]
SANITIZERS = {
    "test_kv": ["address,undefined"],
    "test_threads": ["address,undefined", "thread"],
    # It forks hundreds of times, and the address sanitizer's shadow makes each take long.
    "test_kills": ["undefined"],
}
testing = runpy.run_path(str(NATIVE / "testing.py"))

if __name__ == "__main__":
    sys.exit(testing["run_tests"](sys.argv[1:], SANITIZERS, HERE, {"": SOURCES}))
