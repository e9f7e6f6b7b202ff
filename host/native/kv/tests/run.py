"""Compiles and runs the store's C tests under sanitizers; needs gcc or clang.

``python host/native/kv/tests/run.py [NAME ...]`` runs those of that name, or all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = [HERE.parent / "src" / "kv.c", HERE.parents[1] / "limiter" / "src" / "siphash.c"]
FLAGS = ["-std=c11", "-g", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fno-sanitize-recover=all", "-pthread"]
SANITIZERS = {
    "test_kv": ["address,undefined"],
    "test_threads": ["address,undefined", "thread"],
    # It forks hundreds of times, and the address sanitizer's shadow makes each take long.
    "test_kills": ["undefined"],
}


def run(test: str, sanitizer: str, folder: Path) -> bool:
    """Build and run one test program; returns whether it passed."""
    program = folder / f"{test}-{sanitizer}"
    compiler = [os.environ.get("CC", "gcc"), *FLAGS, "-O1", f"-fsanitize={sanitizer}"]
    if subprocess.run([*compiler, "-o", program, HERE / f"{test}.c", *SOURCES], check=False).returncode != 0:
        return False
    print(f"{test} ({sanitizer})", flush=True)
    return subprocess.run([program], check=False).returncode == 0


def main(names: list[str]) -> int:
    unknown = set(names) - set(SANITIZERS)
    if unknown:
        print(f"no such test: {' '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        failed = [
            f"{test} ({sanitizer})"
            for test in names or SANITIZERS
            for sanitizer in SANITIZERS[test]
            if not run(test, sanitizer, Path(folder))
        ]
    for name in failed:
        print(f"{name} failed", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
