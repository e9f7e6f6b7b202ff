"""What the native modules' test runners share; each is run as a file, without a package around
it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

REPLAY = Path(__file__).with_name("replay.c")
FLAGS = [
    "-std=c11",
    "-O1",
    "-g",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Werror",
    "-fno-sanitize-recover=all",
    "-pthread",
]
OPTIONS = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}


def run_tests(
    names: Sequence[str],
    sanitizers: Mapping[str, Iterable[str]],
    folder: Path,
    sources: Mapping[str, Sequence[Path]],
    flags: Sequence[str] = (),
) -> int:
    """Build and run test programs; returns the exit code.

    ``names`` are those to run, or none for all; ``sanitizers`` has for every program those under
    which it runs, one build for each. A program is ``NAME.c`` in ``folder``, with the ``sources``
    of that name or else those of ``""``; ``flags`` are more for the compiler. One named ``fuzz_…``
    is a target of libFuzzer, and is given every input of the kept ``corpus``.
    """
    unknown = set(names) - set(sanitizers)
    if unknown:
        print(f"no such test: {' '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    compiler = [os.environ.get("CC", "gcc"), *FLAGS, *flags]
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in names or sanitizers:
            for sanitizer in sanitizers[name]:
                command = [*compiler, f"-fsanitize={sanitizer}", folder / f"{name}.c", *sources.get(name, sources[""])]
                inputs: list[Path] = []
                if name.startswith("fuzz_"):
                    command.append(REPLAY)
                    inputs.extend(sorted((folder / "corpus").iterdir()))
                title = f"{name} ({sanitizer})"
                if not _run(command, Path(scratch) / f"{name}-{sanitizer}", title, inputs):
                    failed.append(title)
    for title in failed:
        print(f"{title} failed", file=sys.stderr)
    return 1 if failed else 0


def _run(compile_it: Sequence[str | Path], program: Path, title: str, inputs: Sequence[Path]) -> bool:
    if subprocess.run([*compile_it, "-o", program], check=False).returncode != 0:
        return False
    print(title, flush=True)
    return subprocess.run([program, *inputs], check=False, env={**os.environ, **OPTIONS}).returncode == 0
