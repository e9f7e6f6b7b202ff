"""Fuzzes the reader of plain heads with libFuzzer, under the sanitizers; needs clang.

``python host/native/heads/tests/fuzz.py [SECONDS] [--keep]``: see ``host/native/fuzzing.py``.
The kept corpus is also read by ``tests/unit/http/test_plain_heads.py``, which compares with llhttp.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1]
SOURCES = [HERE.parent / "src" / f"{name}.c" for name in ("common_names", "plain")]
SOURCES += [NATIVE / "fields" / "src" / f"{name}.c" for name in ("field", "head")]
# A head of some fields; longer ones reach nothing that shorter ones do not.
LONGEST = 256
fuzzing = runpy.run_path(str(NATIVE / "fuzzing.py"))

if __name__ == "__main__":
    sys.exit(fuzzing["fuzz"](sys.argv[1:], HERE / "fuzz_heads.c", SOURCES, LONGEST))
