"""Compiles and runs the access log's C tests under sanitizers; needs gcc or clang.

``python host/native/access/tests/run.py [NAME ...]`` runs those of that name, or all.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SANITIZERS = {"test_line": ["address,undefined"]}
SOURCES = {"": [HERE.parent / "src" / "line.c"]}
testing = runpy.run_path(str(HERE.parents[1] / "testing.py"))

if __name__ == "__main__":
    # The calendar's check is the C library's, which POSIX has.
    sys.exit(testing["run_tests"](sys.argv[1:], SANITIZERS, HERE, SOURCES, ["-D_POSIX_C_SOURCE=200809L"]))
