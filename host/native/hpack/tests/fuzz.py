"""Fuzzes the reader of header blocks with libFuzzer, under the sanitizers; needs clang.

``python host/native/hpack/tests/fuzz.py [SECONDS] [--keep]``: see ``host/native/fuzzing.py``.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = [HERE.parent / "src" / "block.c", HERE.parent / "src" / "huffman.c"]
# A block of some fields; longer ones reach nothing that shorter ones do not.
LONGEST = 256
fuzzing = runpy.run_path(str(HERE.parents[1] / "fuzzing.py"))

if __name__ == "__main__":
    sys.exit(fuzzing["fuzz"](sys.argv[1:], HERE / "fuzz_block.c", SOURCES, LONGEST))
