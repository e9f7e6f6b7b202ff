"""Builds ``sentinel_host.limiter._table``: ``cdef.h`` is what Python sees, ``prelude.h`` what cffi's C includes.

A module of its own, so that a process which only makes or reads the table does not load an engine.
``python host/native/limiter/build_ffi.py`` compiles it in place, for a working tree that is not installed.
"""

from __future__ import annotations

import os
import platform
import tempfile
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent

# cffi's generated code has unused parameters and short initializers of its own: only there is -Wextra milder.
FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-missing-field-initializers"]
# A slot is swapped as 16 bytes. Every x86-64 since 2006 can; compilers still ask to be told.
if platform.machine() == "x86_64":
    FLAGS.append("-mcx16")


def make_builder(folder: str) -> FFI:
    """The builder for sources in ``folder``, absolute or relative to where the compiler will run."""
    builder = FFI()
    builder.cdef((HERE / "cdef.h").read_text())
    builder.set_source(
        "sentinel_host.limiter._table",
        # clock_gettime is POSIX, which -std=c11 alone hides.
        "#define _POSIX_C_SOURCE 200809L\n" + (HERE / "prelude.h").read_text(),
        sources=[f"{folder}/src/{source.name}" for source in sorted((HERE / "src").glob("*.c"))],
        depends=[f"{folder}/src/{header.name}" for header in sorted((HERE / "src").glob("*.h"))],
        include_dirs=[f"{folder}/src"],
        extra_compile_args=FLAGS,
    )
    return builder


# setuptools wants paths relative to setup.py, three folders up.
ffibuilder = make_builder("host/native/limiter")


def build_in_place() -> Path:
    """Compile into ``host/sentinel_host/limiter``; returns the shared object."""
    package = HERE.parents[1] / "sentinel_host" / "limiter"
    with tempfile.TemporaryDirectory() as scratch:
        built = Path(make_builder(str(HERE)).compile(tmpdir=scratch))
        # A running process may have the old file mapped: replace the name, never the content. The name is the one that
        # an installation gives it, so that neither build can hide the other.
        target = package / "_table.abi3.so"
        partial = package / f".{target.name}.{os.getpid()}"
        partial.write_bytes(built.read_bytes())
        partial.chmod(0o755)
        partial.replace(target)
    return target


if __name__ == "__main__":
    print(build_in_place())
