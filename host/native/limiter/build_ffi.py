"""Builds ``sentinel_host.limiter._table``: ``cdef.h`` is what Python sees, ``prelude.h`` what
cffi's C includes.

A module of its own, so that a process which only makes or reads the table does not load an engine.
``python host/native/limiter/build_ffi.py`` compiles it in place, for a working tree that is not
installed.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

MODULE = "sentinel_host.limiter._table"
# clock_gettime is POSIX, which -std=c11 alone hides.
POSIX = "#define _POSIX_C_SOURCE 200809L\n"
building = runpy.run_path(str(Path(__file__).resolve().parents[1] / "building.py"))


def make_builder(root: str) -> Any:
    """The builder for sources below ``root``, absolute or relative to where the compiler will
    run.
    """
    return building["make_builder"](root, MODULE, "limiter", ["limiter/src/limiter.c", "limiter/src/siphash.c"], POSIX)


# setuptools wants paths relative to setup.py, three folders up.
ffibuilder = make_builder("host/native")

if __name__ == "__main__":
    print(building["build_in_place"](make_builder, MODULE))
