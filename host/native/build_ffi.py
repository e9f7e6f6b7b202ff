"""Builds ``sentinel_host.native._native``: ``cdef.h`` is what Python sees, ``prelude.h`` what
cffi's C includes.

``python host/native/build_ffi.py`` compiles it in place, for a working tree that is not installed.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

MODULE = "sentinel_host.native._native"
building = runpy.run_path(str(Path(__file__).resolve().parent / "building.py"))


def make_builder(root: str) -> Any:
    """The builder for sources in ``root``, absolute or relative to where the compiler will run."""
    return building["make_builder"](root, MODULE, "", ["src/*.c", "kv/src/*.c", "limiter/src/siphash.c"])


# setuptools wants paths relative to setup.py, two folders up.
ffibuilder = make_builder("host/native")

if __name__ == "__main__":
    print(building["build_in_place"](make_builder, MODULE))
