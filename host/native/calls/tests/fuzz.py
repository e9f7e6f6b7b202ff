"""Fuzzes the reader of plain answers with libFuzzer, under the sanitizers; needs clang.

``python host/native/calls/tests/fuzz.py [SECONDS]`` begins with the kept ``corpus``. What it finds
that reaches new code goes to ``build/fuzz``; with ``--keep`` the corpus becomes the smallest set of
both that reaches all of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
CORPUS = HERE / "corpus"
FOUND = ROOT / "build" / "fuzz" / "answer"
SOURCES = [HERE / "fuzz_answer.c", HERE.parent / "src" / "answer.c", HERE.parents[1] / "fields" / "src" / "field.c"]
FLAGS = ["-std=c11", "-O1", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
# An answer of some headers; longer ones reach nothing that shorter ones do not.
LONGEST = 512


def main() -> int:
    """Build and run; returns the exit code, which is not 0 when an input fails."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--keep"]
    seconds = int(arguments[0]) if arguments else 60
    clang = os.environ.get("CLANG") or shutil.which("clang")
    if clang is None:
        print("clang is not installed", file=sys.stderr)
        return 2
    FOUND.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "fuzz_answer"
        subprocess.run([clang, *FLAGS, *SOURCES, "-o", program], check=True)
        limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-artifact_prefix={FOUND.parent}/"]
        status = subprocess.run([program, *limits, FOUND, CORPUS], check=False).returncode
        if status == 0 and "--keep" in sys.argv:
            smallest = Path(scratch) / "smallest"
            smallest.mkdir()
            subprocess.run([program, "-merge=1", smallest, CORPUS, FOUND], check=True)
            shutil.rmtree(CORPUS)
            shutil.copytree(smallest, CORPUS)
    return status


if __name__ == "__main__":
    sys.exit(main())
