"""Builds ``sentinel_host.kv._store``: ``cdef.h`` is what Python sees, ``prelude.h`` what cffi's C
includes.

A module of its own, so that a process which only makes the store does not load an engine; guests'
calls come through ``sentinel_host.native._native``, which has the same sources.
``python host/native/kv/build_ffi.py`` compiles it in place, for a working tree that is not
installed.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

MODULE = "sentinel_host.kv._store"
building = runpy.run_path(str(Path(__file__).resolve().parents[1] / "building.py"))


def make_builder(root: str) -> Any:
    """The builder for sources below ``root``, absolute or relative to where the compiler will
    run.
    """
    return building["make_builder"](root, MODULE, "kv", ["kv/src/*.c", "limiter/src/siphash.c"])


# setuptools wants paths relative to setup.py, three folders up.
ffibuilder = make_builder("host/native")

if __name__ == "__main__":
    print(building["build_in_place"](make_builder, MODULE))
