"""Compiles and runs the C tests under the address and undefined-behaviour sanitizers; needs gcc or
clang.

``python host/native/tests/run.py [NAME ...]`` runs those of that name, or all.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parent
SOURCES = [
    *sorted((NATIVE / "src").glob("*.c")),
    *sorted((NATIVE / "kv" / "src").glob("*.c")),
    NATIVE / "limiter" / "src" / "siphash.c",
    HERE / "fake_engine.c",
    HERE / "guests.c",
]
SANITIZERS = {test.stem: ["address,undefined"] for test in sorted(HERE.glob("test_*.c"))}
testing = runpy.run_path(str(NATIVE / "testing.py"))

# They include the source themselves: to give the ticker another clock, and for other processors.
BY_NAME = {
    "": SOURCES,
    "test_ticker": [source for source in SOURCES if source.name != "ticker.c"],
    "test_log_json_portable": [source for source in SOURCES if source.name != "log_json.c"],
}

if __name__ == "__main__":
    sys.exit(testing["run_tests"](sys.argv[1:], SANITIZERS, HERE, BY_NAME, ["-fno-omit-frame-pointer"]))
