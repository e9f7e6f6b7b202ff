"""What the builders of the modules behind cffi share; each is run by setuptools as a file, without
a package around.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from cffi import FFI

NATIVE = Path(__file__).resolve().parent
PACKAGE = NATIVE.parent / "sentinel_host"

# Warnings are errors in the project's own checks only (`nox -s native`): a user's compiler may know
# newer ones.
FLAGS = ["-std=c11", "-O2"]
# A slot of the limiter is swapped as 16 bytes. Every x86-64 since 2006 can; compilers still ask to
# be told.
if platform.machine() == "x86_64":
    FLAGS.append("-mcx16")


def make_builder(root: str, module: str, folder: str, sources: Sequence[str], prelude: str = "") -> FFI:
    """A builder for ``module``. ``root`` is host/native, absolute or relative to where the compiler
    will run.

    ``folder`` holds ``cdef.h``, what Python sees, and ``prelude.h``, what cffi's C includes behind
    ``prelude``, below host/native; ``sources`` are patterns below it.
    """
    builder = FFI()
    builder.cdef((NATIVE / folder / "cdef.h").read_text())
    builder.set_source(
        module,
        prelude + (NATIVE / folder / "prelude.h").read_text(),
        sources=[f"{root}/{path}" for path in _files(sources)],
        depends=[f"{root}/{path}" for path in _files([str(Path(source).parent / "*.h") for source in sources])],
        include_dirs=[f"{root}/{folder}/src" if folder else f"{root}/src"],
        extra_compile_args=FLAGS,
        extra_link_args=["-pthread"],
    )
    return builder


def build_in_place(make: Callable[[str], FFI], module: str) -> Path:
    """Compile into the working tree; returns the shared object."""
    *_, package, name = module.split(".")
    with tempfile.TemporaryDirectory() as scratch:
        built = Path(make(str(NATIVE)).compile(tmpdir=scratch))
        # A running process may have the old file mapped: replace the name, never the content. The
        # name is the one that an installation gives it, so that neither build can hide the other.
        target = PACKAGE / package / f"{name}.abi3.so"
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        partial.write_bytes(built.read_bytes())
        partial.chmod(0o755)
        partial.replace(target)
    return target


def _files(patterns: Sequence[str]) -> list[str]:
    found = {str(path.relative_to(NATIVE)) for pattern in patterns for path in NATIVE.glob(pattern)}
    return sorted(found)
