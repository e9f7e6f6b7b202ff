"""What the native modules' test runners share; each is run as a file, without a package around
it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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

    As many run at the same time as there are cores.
    """
    unknown = set(names) - set(sanitizers)
    if unknown:
        print(f"no such test: {' '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    compiler = [os.environ.get("CC", "gcc"), *FLAGS, *flags]
    programs = [
        _Program(folder / f"{name}.c", sanitizer, tuple(sources.get(name, sources[""])))
        for name in names or sanitizers
        for sanitizer in sanitizers[name]
    ]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        objects = _compile(pool, compiler, programs, Path(scratch))
        if objects is None:
            return 1
        finished = pool.map(lambda program: program.run(compiler, objects, Path(scratch)), programs)
        failed = [program.title for program, passed in zip(programs, finished, strict=True) if not passed]
    for title in failed:
        print(f"{title} failed", file=sys.stderr)
    return 1 if failed else 0


# For each sanitizer, the objects of all sources that any program has.
_Objects = Mapping[tuple[Path, str], Path]


@dataclass(frozen=True)
class _Program:
    test: Path
    sanitizer: str
    sources: tuple[Path, ...]

    @property
    def title(self) -> str:
        return f"{self.test.stem} ({self.sanitizer})"

    def run(self, compiler: Sequence[str], objects: _Objects, scratch: Path) -> bool:
        """Build and run it, and print what it said in one piece."""
        program = scratch / f"{self.test.stem}-{self.sanitizer}"
        inputs: list[Path] = []
        parts = [self.test, *(objects[source, self.sanitizer] for source in self.sources)]
        if self.test.stem.startswith("fuzz_"):
            parts.append(REPLAY)
            inputs.extend(sorted((self.test.parent / "corpus").iterdir()))
        if not _succeeds([*compiler, f"-fsanitize={self.sanitizer}", *parts, "-o", program]):
            return False
        done = subprocess.run(
            [program, *inputs],
            check=False,
            env={**os.environ, **OPTIONS},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        print(f"{self.title}\n{done.stdout}", end="", flush=True)
        return done.returncode == 0


def _compile(
    pool: ThreadPoolExecutor, compiler: Sequence[str], programs: Iterable[_Program], scratch: Path
) -> _Objects | None:
    """Compile what the programs share, once for each sanitizer; None if any of it does not."""
    wanted = sorted({(source, program.sanitizer) for program in programs for source in program.sources})
    objects = {what: scratch / f"{number}.o" for number, what in enumerate(wanted)}
    commands = [
        [*compiler, f"-fsanitize={sanitizer}", "-c", source, "-o", made]
        for (source, sanitizer), made in objects.items()
    ]
    return objects if all(list(pool.map(_succeeds, commands))) else None


def _succeeds(command: Sequence[str | Path]) -> bool:
    return subprocess.run(command, check=False).returncode == 0
