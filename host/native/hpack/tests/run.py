"""Compiles and runs the C tests of header blocks under the address and undefined-behaviour
sanitizers.

``python host/native/hpack/tests/run.py [NAME ...]`` runs those of that name, or all; it needs gcc
or clang.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = [HERE.parent / "src" / name for name in ("block.c", "huffman.c")]
SANITIZERS = {"test_block": ["address,undefined"], "fuzz_block": ["address,undefined"]}
testing = runpy.run_path(str(HERE.parents[1] / "testing.py"))

if __name__ == "__main__":
    sys.exit(testing["run_tests"](sys.argv[1:], SANITIZERS, HERE, {"": SOURCES}, []))
