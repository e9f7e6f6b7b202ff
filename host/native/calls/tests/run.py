"""Compiles and runs the C tests of plain answers, and of records that they edit, under the address
and undefined-behaviour sanitizers.

``python host/native/calls/tests/run.py [NAME ...]`` runs those of that name, or all; it needs gcc
or clang.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = [
    *(HERE.parent / "src" / f"{name}.c" for name in ("answer", "edited")),
    HERE.parents[1] / "fields" / "src" / "field.c",
]
SANITIZERS = {name: ["address,undefined"] for name in ("test_answer", "test_edited", "fuzz_answer")}
testing = runpy.run_path(str(HERE.parents[1] / "testing.py"))

if __name__ == "__main__":
    sys.exit(testing["run_tests"](sys.argv[1:], SANITIZERS, HERE, {"": SOURCES}, []))
