"""Compiles and runs the C tests of header fields under the address and undefined-behaviour
sanitizers.

``python host/native/fields/tests/run.py [NAME ...]`` runs those of that name, or all; it needs gcc
or clang.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = [HERE.parent / "src" / name for name in ("field.c", "head.c", "names.c", "trace_parent.c")]
TESTS = ("test_field", "test_head", "test_names", "test_trace_parent")
SANITIZERS = {name: ["address,undefined"] for name in TESTS}
testing = runpy.run_path(str(HERE.parents[1] / "testing.py"))

if __name__ == "__main__":
    sys.exit(testing["run_tests"](sys.argv[1:], SANITIZERS, HERE, {"": SOURCES}, []))
