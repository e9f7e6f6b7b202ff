"""What the native modules' fuzzers share; each is run as a file, without a package around it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["-std=c11", "-O1", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]


def fuzz(arguments: Sequence[str], target: Path, sources: Sequence[Path], longest: int) -> int:
    """Build and run libFuzzer's ``target`` with ``sources``; returns the exit code, which is not 0
    when an input fails.

    ``arguments`` are ``[SECONDS] [--keep]``. It begins with the ``corpus`` beside the target; what
    it finds that reaches new code goes to ``build/fuzz``. With ``--keep`` the corpus becomes the
    smallest set of both that reaches all of it. Inputs have at most ``longest`` bytes.
    """
    numbers = [argument for argument in arguments if argument != "--keep"]
    seconds = int(numbers[0]) if numbers else 60
    clang = os.environ.get("CLANG") or shutil.which("clang")
    if clang is None:
        print("clang is not installed", file=sys.stderr)
        return 2
    corpus = target.with_name("corpus")
    found = ROOT / "build" / "fuzz" / target.stem.removeprefix("fuzz_")
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / target.stem
        subprocess.run([clang, *FLAGS, target, *sources, "-o", program], check=True)
        limits = [f"-max_total_time={seconds}", f"-max_len={longest}", f"-artifact_prefix={found.parent}/"]
        status = subprocess.run([program, *limits, found, corpus], check=False).returncode
        if status == 0 and "--keep" in arguments:
            smallest = Path(scratch) / "smallest"
            smallest.mkdir()
            subprocess.run([program, "-merge=1", smallest, corpus, found], check=True)
            shutil.rmtree(corpus)
            shutil.copytree(smallest, corpus)
    return status
