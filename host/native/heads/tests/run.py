"""Compiles and runs the C tests of plain heads under the address and undefined-behaviour
sanitizers.

``python host/native/heads/tests/run.py [NAME ...]`` runs those of that name, or all; it needs gcc
or clang.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1]
SOURCES = [HERE.parent / "src" / f"{name}.c" for name in ("common_names", "plain")]
SOURCES += [NATIVE / "fields" / "src" / f"{name}.c" for name in ("field", "head")]
SANITIZERS = {name: ["address,undefined"] for name in ("test_common_names", "test_plain", "fuzz_heads")}
testing = runpy.run_path(str(NATIVE / "testing.py"))

if __name__ == "__main__":
    sys.exit(testing["run_tests"](sys.argv[1:], SANITIZERS, HERE, {"": SOURCES}, []))
