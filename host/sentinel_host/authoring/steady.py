"""Builds of interpreters' guests that come to the same bytes each time.

Their tools start the interpreter and keep its memory, and so the clock, the random numbers and the
times of files that it found meanwhile. A library that is preloaded into the tools
(`host/native/steady`) makes these the same. It is there on Linux; elsewhere builds differ. See
docs/decisions/071-interpreters-as-one-module.md.
"""

from __future__ import annotations

import os
import platform
import sys
from importlib.util import find_spec
from typing import Final

REVISION: Final = 1
"""Another number for every change of what the library does."""


def _library() -> str | None:
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return None
    found = find_spec("sentinel_host.authoring._steady")
    # The loader takes several libraries in one variable, with these between them.
    if found is None or found.origin is None or any(mark in found.origin for mark in " :"):
        return None
    return found.origin


LIBRARY: Final = _library()
"""The library's file, or None where there is none."""


def environment(seed: str, *, files: bool = False) -> dict[str, str]:
    """Variables for a tool: random numbers follow from the ``seed``, and with ``files`` these have
    no times and numbers of their own. Empty without the library.
    """
    if LIBRARY is None:
        return {}
    others = os.environ.get("LD_PRELOAD")
    chosen = {"LD_PRELOAD": f"{LIBRARY}:{others}" if others else LIBRARY, "SENTINEL_STEADY_SEED": seed}
    return chosen | ({"SENTINEL_STEADY_FILES": "1"} if files else {})


def identity() -> str:
    """What a build's inputs have of this: with and without the library, different bytes come out."""
    return f"steady {REVISION}" if LIBRARY is not None else ""
