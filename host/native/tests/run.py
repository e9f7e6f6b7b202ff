"""Compiles and runs the C tests under the address and undefined-behaviour sanitizers; needs gcc or clang.

``python host/native/tests/run.py [NAME ...]`` runs those of that name, or all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = [
    *sorted((HERE.parent / "src").glob("*.c")),
    HERE.parent / "kv" / "src" / "kv.c",
    HERE.parent / "limiter" / "src" / "siphash.c",
    HERE / "fake_engine.c",
]
FLAGS = [
    "-std=c11",
    "-O1",
    "-g",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Werror",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-pthread",
]


def run(test: Path, folder: Path) -> bool:
    """Build and run one test program; returns whether it passed."""
    program = folder / test.stem
    command = [os.environ.get("CC", "gcc"), *FLAGS, "-o", str(program), str(test), *map(str, SOURCES)]
    if subprocess.run(command, check=False).returncode != 0:
        return False
    print(test.stem, flush=True)
    options = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    return subprocess.run([str(program)], check=False, env={**os.environ, **options}).returncode == 0


def main(names: list[str]) -> int:
    tests = [test for test in sorted(HERE.glob("test_*.c")) if not names or test.stem in names]
    if not tests:
        print(f"no such test: {' '.join(names)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        failed = [test.stem for test in tests if not run(test, Path(folder))]
    for name in failed:
        print(f"{name} failed", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
