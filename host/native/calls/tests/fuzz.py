"""Fuzzes the reader of plain answers with libFuzzer, under the sanitizers; needs clang.

``python host/native/calls/tests/fuzz.py [SECONDS] [--keep]``: see ``host/native/fuzzing.py``.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1]
SOURCES = [HERE.parent / "src" / "answer.c", NATIVE / "fields" / "src" / "field.c"]
# An answer of some headers; longer ones reach nothing that shorter ones do not.
LONGEST = 512
fuzzing = runpy.run_path(str(NATIVE / "fuzzing.py"))

if __name__ == "__main__":
    sys.exit(fuzzing["fuzz"](sys.argv[1:], HERE / "fuzz_answer.c", SOURCES, LONGEST))
