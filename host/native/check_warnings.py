"""Compiles all C of the package with every warning an error; needs gcc or clang, and CPython's
headers.

``python host/native/check_warnings.py`` is part of `nox -s native`. Installing the package never
turns warnings into errors: a user's compiler or CPython may warn of what ours do not know yet.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

NATIVE = Path(__file__).resolve().parent
WARNINGS = ("-Wall", "-Wextra", "-Werror")
# cffi's generated code has unused parameters and short initializers of its own.
GENERATED = (*WARNINGS, "-Wno-unused-parameter", "-Wno-missing-field-initializers")
building = runpy.run_path(str(NATIVE / "building.py"))


def main() -> int:
    modules = sorted([*NATIVE.rglob("module.c"), *NATIVE.rglob("*_type.c")])
    sources = sorted(path for path in NATIVE.rglob("src/*.c"))
    checks = [(source, WARNINGS, [source.parent]) for source in (*modules, *sources)]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for builder in sorted(NATIVE.rglob("build_ffi.py")):
            generated = Path(scratch) / f"{builder.parent.name}.c"
            runpy.run_path(str(builder))["ffibuilder"].emit_c_code(str(generated))
            checks.append((generated, GENERATED, [builder.parent, builder.parent / "src"]))
        results = list(pool.map(lambda check: compiles(*check), checks))
    print(f"{results.count(True)} of {len(results)} C files compile without a warning")
    return 0 if all(results) else 1


def compiles(source: Path, warnings: tuple[str, ...], include: list[Path]) -> bool:
    folders = [f"-I{folder}" for folder in (*include, sysconfig.get_path("include"))]
    # With optimisation, for some warnings come from it.
    command = [os.environ.get("CC", "gcc"), *building["FLAGS"], *warnings, "-c", "-o", os.devnull, *folders, source]
    return subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
